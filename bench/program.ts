import { spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";

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
): Promise<Measured & { readonly report: string }> {
  const began = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
  const [stdout, stderr, report] = [child.stdout, child.stderr, child.stdio[3]].map((stream) => textOf(stream));
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? signal));
  });
  const ms = performance.now() - began;
  if (code !== 0) {
    const said = `${await stdout}${await stderr}`.trim().split("\n").slice(-12).join("\n");
    throw new Error(`${command} ended with ${code}: ${said}`);
  }
  return { ms, stdout: (await stdout) ?? "", report: (await report) ?? "" };
}

/** Runs a Node program, which tells at its exit what it used. */
export async function runNode(args: readonly string[]): Promise<Measured> {
  const { report, ...measured } = await runProgram(process.execPath, ["--import", usage, ...args]);
  const used = JSON.parse(report) as { cpuMs: number; peakBytes: number };
  return { ...measured, ...used };
}

async function textOf(stream: unknown): Promise<string> {
  let text = "";
  for await (const chunk of stream as AsyncIterable<Buffer>) text += chunk.toString("utf8");
  return text;
}
