import { type ErrorCode, MillraceError } from "../../core/error.ts";
import type { FailureKind } from "../../core/retry.ts";

interface Explanation {
  readonly code: ErrorCode;
  readonly remedy: string;
}

const full: Explanation = { code: "SINK_FULL", remedy: "Make room on the disk; the work goes on by itself." };
const readOnly: Explanation = { code: "SINK_READ_ONLY", remedy: "Make the folder writable, or choose another." };
const denied: Explanation = { code: "SINK_DENIED", remedy: "Give this user the right to write in the folder." };
const busy: Explanation = { code: "SINK_BUSY", remedy: "Another process holds the catalog's lock; it is tried again." };
const damaged: Explanation = {
  code: "SINK_REFUSED",
  remedy: "The catalog cannot be read. Restore the folder from a backup, or load into another one.",
};
const refused: Explanation = {
  code: "SINK_REFUSED",
  remedy: "Check the statement, and the names of tables and columns.",
};
const gone: Explanation = { code: "SINK_UNREACHABLE", remedy: "A folder or file of the sink is gone. Put it back." };

const bySystemCode: Readonly<Record<string, Explanation>> = {
  ENOSPC: full,
  EDQUOT: full,
  EROFS: readOnly,
  EACCES: denied,
  EPERM: denied,
  EBUSY: busy,
  ENOENT: gone,
  ENOTDIR: { code: "SINK_REFUSED", remedy: "A file stands where a folder is needed. Choose another folder." },
  EEXIST: { code: "SINK_REFUSED", remedy: "A file stands where a folder is needed. Choose another folder." },
  EIO: { code: "SINK_UNREACHABLE", remedy: "The disk reports an error. Look at the system's log." },
  EMFILE: { code: "SINK_BUSY", remedy: "Too many files are open; it is tried again." },
};

/** Primary result codes of SQLite. */
const bySqliteCode: Readonly<Record<number, Explanation>> = {
  3: denied,
  5: busy,
  6: busy,
  8: readOnly,
  10: { code: "SINK_UNREACHABLE", remedy: "The disk reports an error. Look at the system's log." },
  11: damaged,
  13: full,
  14: denied,
  26: damaged,
};

/** What the engine says when the system refuses it. */
const byEngineText: readonly (readonly [RegExp, Explanation])[] = [
  [/no space left on device|disk quota exceeded/i, full],
  [/read-only file system/i, readOnly],
  [/permission denied/i, denied],
  [
    /^(?:Failed to [a-z ]+: )?(Parser|Binder|Catalog|Conversion|Invalid Input|Out of Range|Not implemented) Error/i,
    refused,
  ],
];

function find(error: unknown): Explanation | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  // The low byte of an extended code is the primary one.
  if (code === "ERR_SQLITE_ERROR" && typeof errcode === "number") return bySqliteCode[errcode & 0xff];
  if (typeof code === "string" && bySystemCode[code] !== undefined) return bySystemCode[code];
  return byEngineText.find(([pattern]) => pattern.test(error.message))?.[1];
}

/** The error as one with a code; unknown ones as they are. */
export function explain(error: unknown, shown: string): Error {
  if (error instanceof MillraceError) return error;
  const found = find(error);
  const message = error instanceof Error ? error.message : String(error);
  if (found === undefined) return error instanceof Error ? error : new Error(message);
  return new MillraceError(found.code, `${shown}: ${message}`, { remedy: found.remedy, cause: error });
}

const later: ReadonlySet<ErrorCode> = new Set(["SINK_BUSY", "SINK_FULL", "SINK_UNREACHABLE"]);

export function classify(error: unknown): FailureKind {
  const code = error instanceof MillraceError ? error.code : find(error)?.code;
  return code !== undefined && later.has(code) ? "wait" : "stop";
}
