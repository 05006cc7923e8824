import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What of the topology one background process keeps up: the servers, or what works with them. */
export type Half = "infra" | "fleet";

/** What runs, for those who come later. It holds the database's password. */
export interface State {
  /** Of the background process: when it ends, all others end. */
  readonly pid: number;
  /** Where it is: `fleet.stream` and `fleet.to`, or the proxy. */
  readonly places: Readonly<Record<string, string>>;
  readonly parts: readonly RunningPart[];
}

export interface RunningPart {
  readonly name: string;
  readonly url: string;
  readonly folder: string;
  /** Another one when it has ended and was started again. */
  readonly pid: number | undefined;
}

const pathOf = (folder: string, half: Half): string => join(folder, `${half}.json`);

export function writeState(folder: string, half: Half, state: State): void {
  const path = pathOf(folder, half);
  writeFileSync(`${path}.new`, JSON.stringify(state, undefined, 2), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeState(folder: string, half: Half): void {
  rmSync(pathOf(folder, half), { force: true });
}

/** What runs there now. A file that a power cut left behind tells of nothing. */
export function readState(folder: string, half: Half): State | undefined {
  let text: string;
  try {
    text = readFileSync(pathOf(folder, half), "utf8");
  } catch {
    return undefined;
  }
  const state = JSON.parse(text) as State;
  return commandOf(state.pid).includes("supervisor.ts") ? state : undefined;
}

/** The command line of a process; empty when there is none. */
function commandOf(pid: number): string {
  try {
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return "";
  }
}
