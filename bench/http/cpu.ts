import { readFileSync } from "node:fs";
import { treeOf } from "../../test/servers/tree.ts";

/** The kernel tells times in hundredths of a second. */
const tickMs = 10;

/** Processor time that programs and all they started have used so far, in ms. Undefined where the system does not tell. */
export function cpuMsOf(pids: readonly number[]): number | undefined {
  if (process.platform !== "linux") return undefined;
  return pids.flatMap((pid) => treeOf(pid)).reduce((sum, pid) => sum + cpuMsOfProcess(pid), 0);
}

/** Of its own, user and system, and of those that it started and that have ended. */
function cpuMsOfProcess(pid: number): number {
  return fieldsOf(pid)
    .slice(11, 15)
    .reduce((sum, ticks) => sum + Number(ticks) * tickMs, 0);
}

export function parentOf(pid: number): number {
  return Number(fieldsOf(pid)[1]);
}

/** What stands behind the name, which may hold blanks. */
function fieldsOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
