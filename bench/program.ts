import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { dataFolder } from "./data.ts";

/** What a program took, from before it was started until it had ended. */
export interface Measured {
  readonly ms: number;
  /** User and system time of the process itself; only of Node programs. */
  readonly cpuMs?: number;
  /** Peak resident memory; only of Node programs. */
  readonly peakBytes?: number;
  readonly stdout: string;
}

const usage = fileURLToPath(new URL("./usage.ts", import.meta.url));

/** Runs a program to its end. What it said is in the error when it fails. */
export async function runProgram(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  const began = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  const said = Promise.all([text(child.stdout), text(child.stderr)]);
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? signal));
  });
  const ms = performance.now() - began;
  const [stdout, stderr] = await said;
  if (code !== 0) {
    const last = `${stdout}${stderr}`.trim().split("\n").slice(-12).join("\n");
    throw new Error(`${command} ended with ${code}: ${last}`);
  }
  return { ms, stdout };
}

/** Runs a Node program, which tells at its exit what it used. */
export async function runNode(args: readonly string[]): Promise<Measured> {
  const path = join(dataFolder, `usage-${process.pid}.json`);
  const env = { MILLRACE_BENCH_USAGE: path };
  try {
    const measured = await runProgram(process.execPath, ["--import", usage, ...args], env);
    const used = JSON.parse(readFileSync(path, "utf8")) as { cpuMs: number; peakBytes: number };
    return { ...measured, ...used };
  } finally {
    rmSync(path, { force: true });
  }
}
