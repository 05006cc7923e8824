// Everything that must hold before a commit, in one command:
//
//   npm test                         types, lint, format, then every test (layers and repository among them)
//   npm test -- test/engine -t csv   the same, with the arguments handed to vitest
//
// A step counts as a test: the last line is "N passed, N failed" over all of it, the exit code 1 if any failed.
// A step that fails does not stop the next one. For tests alone: npm run test:unit.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped?: number;
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, "node_modules", ".bin");

/** The line our reporter ends with (test/servers/reporter.ts). */
const countLine = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/;

async function runStep(name: string, program: string, args: readonly string[]): Promise<Count> {
  const startedMs = Date.now();
  const child = spawn(join(bin, program), args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  const code = await exitCode(child);
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** Shows what vitest prints, except the count: it becomes a part of ours. */
async function runTests(args: readonly string[]): Promise<Count> {
  const colour = process.stdout.isTTY && process.env["NO_COLOR"] === undefined ? { FORCE_COLOR: "1" } : {};
  const child = spawn(join(bin, "vitest"), ["run", ...args], {
    cwd: root,
    env: { ...process.env, ...colour },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const finished = exitCode(child);
  let count: Count | undefined;
  for await (const line of createInterface({ input: child.stdout, crlfDelay: Infinity })) {
    const found = countLine.exec(stripVTControlCharacters(line));
    if (found) count = { passed: Number(found[1]), failed: Number(found[2]), skipped: Number(found[3] ?? 0) };
    else console.log(line);
  }
  const code = await finished;
  if (count === undefined) {
    console.log(`FAILED vitest ended with ${code} and without a count`);
    return { passed: 0, failed: 1 };
  }
  // An error outside of any test also fails the run; the count must say so.
  return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

async function exitCode(child: ReturnType<typeof spawn>): Promise<number> {
  const [code] = (await once(child, "close")) as [number | null];
  return code ?? 1;
}

const counts = [
  await runStep("types", "tsc", ["-p", "tsconfig.json"]),
  await runStep("lint", "oxlint", []),
  await runStep("format", "biome", ["format", "."]),
  await runTests(process.argv.slice(2)),
];
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
const skipped = counts.reduce((sum, count) => sum + (count.skipped ?? 0), 0);
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
