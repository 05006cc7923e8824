import type { ErrorCode } from "./error.ts";

/** What a failure of the system below means, and what to do about it. */
export interface Explanation {
  readonly code: ErrorCode;
  readonly remedy: string;
}

const full: Explanation = { code: "SINK_FULL", remedy: "Make room on the disk; the work goes on by itself." };
const readOnly: Explanation = { code: "SINK_READ_ONLY", remedy: "Make the folder writable, or choose another." };
const denied: Explanation = { code: "SINK_DENIED", remedy: "Give this user the right to write in the folder." };
const failing: Explanation = {
  code: "SINK_UNREACHABLE",
  remedy: "The disk reports an error. Look at the system's log.",
};
const noFolder: Explanation = {
  code: "SINK_REFUSED",
  remedy: "A file stands where a folder is needed. Choose another folder.",
};

/** Explanations that do not depend on what the folder is for. */
export const diskExplanations = { full, readOnly, denied, failing, noFolder } as const;

/** What only those who use the folder can say. */
export interface FolderExplanations {
  /** Somebody else holds it. */
  readonly busy: Explanation;
  readonly gone: Explanation;
  /** It cannot be read as what it should be. */
  readonly damaged: Explanation;
}

/** By the code of an error of the system (errno). */
export function bySystemCode({ busy, gone }: FolderExplanations): Readonly<Record<string, Explanation>> {
  return {
    ENOSPC: full,
    EDQUOT: full,
    EROFS: readOnly,
    EACCES: denied,
    EPERM: denied,
    EBUSY: busy,
    ENOENT: gone,
    ENOTDIR: noFolder,
    EEXIST: noFolder,
    EIO: failing,
    EMFILE: { code: "SINK_BUSY", remedy: "Too many files are open; it is tried again." },
  };
}

/** By the primary result code of an error of SQLite: https://sqlite.org/rescode.html */
export function bySqliteCode({ busy, damaged }: FolderExplanations): Readonly<Record<number, Explanation>> {
  return { 3: denied, 5: busy, 6: busy, 8: readOnly, 10: failing, 11: damaged, 13: full, 14: denied, 26: damaged };
}

/** The result code of an error of SQLite, extended: its low byte is the primary one. */
export function sqliteCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  return code === "ERR_SQLITE_ERROR" && typeof errcode === "number" ? errcode : undefined;
}

/** SQLITE_BUSY and SQLITE_LOCKED: another process has the file or, within this one, another connection. It passes. */
export function isSqliteBusy(error: unknown): boolean {
  const code = (sqliteCodeOf(error) ?? 0) & 0xff;
  return code === 5 || code === 6;
}
