import { randomUUID } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

const prefix = "millrace-spill-";
/** A folder this old whose process is gone was left by a kill. Younger ones may be those of another container. */
const leftBehindMs = 24 * 3600 * 1000;

/** A name for a folder that the engine creates when it first spills, and that tells which process it belongs to. */
export function spillFolderIn(folder: string): string {
  return join(folder, `${prefix}${process.pid}-${randomUUID()}`);
}

/** Removes what killed processes left to spill. Never fails: another process may be at the same work. */
export async function removeLeftSpills(folder: string, nowMs: number): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN;
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || nowMs - found.mtimeMs < leftBehindMs) continue;
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
