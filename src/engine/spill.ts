import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { ownPrefix, removeLeftFolders } from "./left-folders.ts";

const prefix = "millrace-spill-";

/** A name for a folder that the engine creates when it first spills, and that tells which process it belongs to. */
export function spillFolderIn(folder: string): string {
  return join(folder, `${ownPrefix(prefix)}${randomUUID()}`);
}

/** Removes what killed processes left to spill. Never fails: another process may be at the same work. */
export function removeLeftSpills(folder: string, nowMs: number): Promise<void> {
  return removeLeftFolders(folder, prefix, nowMs);
}
