import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const VITEST = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
const FIXTURES = fileURLToPath(new URL("./fixtures/", import.meta.url));
const REPORTER = fileURLToPath(new URL("./reporter.ts", import.meta.url));

interface Outcome {
  code: number;
  lines: string[];
}

/** Runs the fixtures where the services they need cannot be found. */
function runFixtures(env: Record<string, string>): Promise<Outcome> {
  const args = [VITEST, "run", "--root", FIXTURES, "--reporter", REPORTER];
  const nowhere = { MILLRACE_SERVICES_DIR: "/nowhere", MILLRACE_TEST_S3_URL: "", MILLRACE_TEST_MONGO_URL: "", CI: "" };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env: { ...process.env, ...nowhere, ...env } }, (error, stdout) => {
      resolve({ code: Number(error?.code ?? 0), lines: stdout.trim().split("\n") });
    });
  });
}

describe("the last lines of a run", () => {
  test("name each service once that tests went without, and count", async () => {
    const { code, lines } = await runFixtures({});
    expect(lines.slice(-3)).toEqual([
      "NOT RUN: mongo (no server; npm run services)",
      "NOT RUN: s3 (no server; npm run services)",
      "1 passed, 0 failed, 4 skipped",
    ]);
    expect(code).toBe(0);
  });

  test("fail the run on CI, where every service can be had", async () => {
    const { code, lines } = await runFixtures({ CI: "true" });
    expect(lines.at(-1)).toBe("1 passed, 0 failed, 4 skipped");
    expect(code).toBe(1);
  });

  test("count what failed", async () => {
    const { code, lines } = await runFixtures({ FAIL: "yes" });
    expect(lines.at(-1)).toBe("1 passed, 1 failed, 3 skipped");
    expect(code).toBe(1);
  });
});
