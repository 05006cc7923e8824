import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ended, Workplace } from "./cli.ts";

const root = join(import.meta.dirname, "..", "..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const commands = ["load", "run", "check", "preview", "query", "rejects", "why", "doctor", "init"];

let place: Workplace;
beforeAll(async () => {
  place = await Workplace.open();
});
afterAll(() => place[Symbol.asyncDispose]());

describe("millrace", () => {
  it("--version prints the version, in 150 ms of work", async () => {
    // Work and not time: on a machine that is busy with other tests Node itself is late.
    const tell = `process.on("exit",()=>{const{user,system}=process.cpuUsage();process.stderr.write(String(user+system))})`;
    const meter = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)}` };
    const spentMs: number[] = [];
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const { code, stdout, stderr } = await ended(place.start(["--version"], meter));
      expect({ code, stdout }).toEqual({ code: 0, stdout: `${version}\n` });
      spentMs.push(Number(stderr) / 1000);
    }
    expect(Math.min(...spentMs)).toBeLessThan(150);
  });

  it.each([["--help"], []])("explains itself: %s", async (...args) => {
    const { code, stdout, stderr } = await place.millrace(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(stdout).toContain("Examples:");
    for (const exit of ["0 ", "1 ", "2 ", "3 ", "130"]) expect(stdout).toContain(`\n  ${exit}`);
  });

  it.each(commands)("%s --help teaches by example", async (command) => {
    const { code, stdout, stderr } = await place.millrace(command, "--help");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const examples = stdout.split("\n").filter((line) => line.startsWith(`  $ millrace ${command}`));
    expect(examples.length).toBeGreaterThanOrEqual(2);
  });

  it.each([
    { args: ["laod", "x"], says: "Unknown command 'laod'", suggests: "Did you mean load?" },
    { args: ["load", "x", "--too", "duckdb:x"], says: "Unknown option '--too'", suggests: "Did you mean --to?" },
    { args: ["rejects", "lst"], says: "Unknown command 'lst'", suggests: "Did you mean list?" },
    { args: ["load", "x"], says: "--to URL is missing", suggests: "--to duckdb:PATH" },
    { args: ["load", "x", "--to", "duckdb:x", "--parallel", "0"], says: "from 1 to 64", suggests: "load --help" },
    {
      args: ["load", "x", "--to", "duckdb:x", "--mode", "upsert"],
      says: "append, merge, replace",
      suggests: "load --help",
    },
    { args: ["load", "x", "--to", "duckdb:x", "--memory", "much"], says: "not an amount of memory", suggests: "512MB" },
    { args: ["query", "duckdb:x"], says: "argument 'sql'", suggests: "query --help" },
  ])("$args is a mistake of the caller, with a way out", async ({ args, says, suggests }) => {
    const { code, stdout, stderr } = await place.millrace(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error USAGE: /);
    expect(stderr).toContain(says);
    expect(stderr).toContain(`  → ${stderr.split("  → ")[1] ?? ""}`);
    expect(stderr).toContain(suggests);
    expect(stderr).not.toMatch(/^\s+at .*\.ts/m);
  });

  it("--verbose says where in the code an error was raised; without it nothing does", async () => {
    const plain = await place.millrace("load", "missing.csv", "--to", "duckdb:x");
    const verbose = await place.millrace("load", "missing.csv", "--to", "duckdb:x", "--verbose");
    expect(plain.stderr).not.toMatch(/\.ts:\d+:\d+/);
    expect(verbose.stderr).toMatch(/\.ts:\d+:\d+/);
    expect(verbose.code).toBe(1);
  });
});
