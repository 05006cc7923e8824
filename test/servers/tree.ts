import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

interface Row {
  pid: number;
  parent: number;
  group: number;
}

/** A zombie waits only to be collected and holds nothing, unless some of its threads are still ending ("Zl"). */
function dead(state = ""): boolean {
  return state.startsWith("Z") && !state.includes("l");
}

/** The living processes. */
function processes(): Row[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat="], { encoding: "utf8" });
  return table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => !dead(state))
    .map(([pid, parent, group]) => ({ pid: Number(pid), parent: Number(parent), group: Number(group) }));
}

/**
 * A program with all it started: its process group and its descendants. The group alone is not enough, a PostgreSQL
 * backend leaves it; the descendants alone are not either, a child whose parent is gone belongs to init.
 */
export function treeOf(root: number): number[] {
  const rows = processes();
  const found = new Set(rows.filter((row) => row.pid === root || row.group === root).map((row) => row.pid));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const row of rows) if (found.has(row.parent)) found.add(row.pid);
  }
  return [...found];
}

/** Sends a signal; a process that is gone already is what the caller wanted. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Kills the parent first, so that it starts no child that the list does not have. */
export function killTree(root: number): number[] {
  const tree = treeOf(root);
  if (tree.includes(root)) signal(root, "SIGKILL");
  for (const pid of tree) signal(pid, "SIGKILL");
  return tree;
}

/** Resolves when none of the processes is left; kills what remains when `graceMs` have passed. */
export async function gone(pids: number[], graceMs: number): Promise<void> {
  const wanted = new Set(pids);
  const killAt = Date.now() + graceMs;
  const giveUpAt = killAt + 10_000;
  for (;;) {
    const left = processes().filter((row) => wanted.has(row.pid));
    if (left.length === 0) return;
    if (Date.now() >= giveUpAt) throw new Error(`Processes ${left.map((row) => row.pid).join(", ")} survived SIGKILL`);
    if (Date.now() >= killAt) for (const row of left) signal(row.pid, "SIGKILL");
    await sleep(20);
  }
}
