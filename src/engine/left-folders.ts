import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** A folder this old whose process is gone was left by a kill. Younger ones may be those of another container. */
const leftBehindMs = 24 * 3600 * 1000;

/** Names of the folders of a process begin with the prefix and its id. */
export function ownPrefix(prefix: string): string {
  return `${prefix}${process.pid}-`;
}

/**
 * Removes the folders in `parent` that killed processes left: those named by `ownPrefix(prefix)`. Never fails: another
 * process may be at the same work.
 */
export async function removeLeftFolders(parent: string, prefix: string, nowMs: number): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN;
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    const path = join(parent, name);
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
