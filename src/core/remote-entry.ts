import { MillraceError } from "./error.ts";
import { limit } from "./limit.ts";

// What the places that hold files on servers have in common.

/** What content is called until all of it is there; whoever else writes to a folder does not call its files so. */
export function partName(unique: string): string {
  return `.millrace-${unique}.part`;
}

export function isPartName(name: string): boolean {
  return /^\.millrace-[0-9a-f-]{36}\.part$/.test(name);
}

export function remoteMissing(path: string): MillraceError {
  return new MillraceError("FILE_MISSING", `${path} is not there any more`, {
    remedy: "Put it back and run again. What was committed stays.",
    at: { source: path },
  });
}

/** Throws FILE_UNREADABLE. */
export function requireFewEntries(count: number, folder: string): void {
  if (count <= limit.remoteEntries) return;
  throw new MillraceError("FILE_UNREADABLE", `${folder} holds more than ${limit.remoteEntries} files`, {
    remedy: "Move away those that are done.",
    at: { source: folder },
  });
}
