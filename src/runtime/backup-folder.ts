import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../core/error.ts";

const prefix = "millrace-backup-";
/** A folder this old whose process is gone was left by a kill. Younger ones may be those of another container. */
const leftBehindMs = 24 * 3600 * 1000;

/** Does `work` with an empty folder below `parent`, which is gone, with all in it, when it ends. Throws DISK. */
export async function inTemporaryFolder<Result>(
  parent: string,
  nowMs: number,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = join(parent, `${prefix}${process.pid}-${randomUUID()}`);
  try {
    await mkdir(parent, { recursive: true });
    await removeLeft(parent, nowMs);
    await mkdir(folder);
  } catch (cause) {
    throw new MillraceError("DISK", `No folder for temporary files can be made in ${parent}`, {
      remedy: "Choose a folder that this user can write to, on a disk with room.",
      cause,
    });
  }
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Never fails: another process may be at the same work. */
async function removeLeft(parent: string, nowMs: number): Promise<void> {
  for (const name of await readdir(parent)) {
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
