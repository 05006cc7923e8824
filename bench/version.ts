import { program } from "./millrace.ts";
import { runProgram } from "./program.ts";
import { median } from "./rounds.ts";
import type { Verdict } from "./verdict.ts";

const runs = 20;
const goalMs = 150;

/** How long `millrace --version` takes, from its start to its end. */
export async function versionTime(): Promise<Verdict> {
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1) times.push((await runProgram(process.execPath, [program, "--version"])).ms);
  return { name: "version", what: "millrace --version", value: median(times), unit: "ms", goal: goalMs, rounds: runs };
}
