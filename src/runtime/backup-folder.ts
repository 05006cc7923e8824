import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../core/error.ts";
import { ownPrefix, removeLeftFolders } from "../engine/left-folders.ts";

const prefix = "millrace-backup-";

/** Does `work` with an empty folder below `parent`, which is gone, with all in it, when it ends. Throws DISK. */
export async function inTemporaryFolder<Result>(
  parent: string,
  nowMs: number,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = join(parent, `${ownPrefix(prefix)}${randomUUID()}`);
  try {
    await mkdir(parent, { recursive: true });
    await removeLeftFolders(parent, prefix, nowMs);
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
