import { type ErrorCode, MillraceError } from "../../core/error.ts";
import type { FailureKind } from "../../core/retry.ts";
import { LaneReplaced, RecordsGone } from "../../ports/log.ts";
import { RowDamaged } from "./row-bytes.ts";

interface Explanation {
  readonly code: ErrorCode;
  readonly remedy: string;
}

const full: Explanation = { code: "SINK_FULL", remedy: "Make room on the disk; the work goes on by itself." };
const readOnly: Explanation = { code: "SINK_READ_ONLY", remedy: "Make the folder writable, or choose another." };
const denied: Explanation = { code: "SINK_DENIED", remedy: "Give this user the right to write in the folder." };
const busy: Explanation = {
  code: "SINK_BUSY",
  remedy: "Another process holds the log for too long: end it, or try again.",
};
const failing: Explanation = {
  code: "SINK_UNREACHABLE",
  remedy: "The disk reports an error. Look at the system's log.",
};
const gone: Explanation = { code: "SINK_UNREACHABLE", remedy: "The folder of the log is gone. Put it back." };
const noFolder: Explanation = {
  code: "SINK_REFUSED",
  remedy: "A file stands where a folder is needed. Choose another folder.",
};
const damaged: Explanation = {
  code: "FILE_FORMAT",
  remedy: "Restore the folder from a backup, or move it away: then the log is made anew.",
};

const bySystemCode: Readonly<Record<string, Explanation>> = {
  ENOSPC: full,
  EDQUOT: full,
  EROFS: readOnly,
  EACCES: denied,
  EPERM: denied,
  EBUSY: busy,
  ENOENT: gone,
  ENOTDIR: noFolder,
  EEXIST: noFolder,
  EISDIR: noFolder,
  EIO: failing,
  EMFILE: { code: "SINK_BUSY", remedy: "Too many files are open; it is tried again." },
};

/** Primary result codes of SQLite: https://sqlite.org/rescode.html */
const bySqliteCode: Readonly<Record<number, Explanation>> = {
  3: denied,
  5: busy,
  6: busy,
  8: readOnly,
  10: failing,
  11: damaged,
  13: full,
  14: denied,
  26: damaged,
};

/** SQLITE_IOERR_SHMSIZE: what processes have in common beside the file has no room. */
const noRoomBeside = 4_874;

/** Result code of an error of SQLite, extended. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  return code === "ERR_SQLITE_ERROR" && typeof errcode === "number" ? errcode : undefined;
}

/** Another process has the file or, within this one, another connection: it passes. */
export function isBusy(error: unknown): boolean {
  const code = (sqliteCode(error) ?? 0) & 0xff;
  return code === 5 || code === 6;
}

function explanationOf(error: unknown): Explanation | undefined {
  if (error instanceof RowDamaged) return damaged;
  const code = sqliteCode(error);
  if (code === noRoomBeside) return full;
  // The low byte of an extended code is the primary one.
  if (code !== undefined) return bySqliteCode[code & 0xff];
  const system = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return system === undefined ? undefined : bySystemCode[system];
}

/** The error as one with a code that names the place; those of the port and MillraceErrors stay what they are. */
export function explainError(error: unknown, shown: string): Error {
  if (error instanceof MillraceError || error instanceof RecordsGone || error instanceof LaneReplaced) return error;
  const text = error instanceof Error ? error.message : String(error);
  const { code, remedy } = explanationOf(error) ?? {
    code: "INTERNAL",
    remedy: "This should not happen. Please report it with the command and the text above.",
  };
  return new MillraceError(code, `${shown}: ${text}`, { remedy, cause: error });
}

const later: ReadonlySet<ErrorCode> = new Set(["SINK_BUSY", "SINK_FULL", "SINK_UNREACHABLE"]);

export function classifyError(error: unknown): FailureKind {
  const code = error instanceof MillraceError ? error.code : explanationOf(error)?.code;
  return code !== undefined && later.has(code) ? "wait" : "stop";
}

/** Errors that the adapter itself gives. */

export function closedLog(shown: string): MillraceError {
  return new MillraceError("INTERRUPTED", `${shown} is closed`, { remedy: "Use the log before it is closed." });
}

export function notOpen(shown: string): MillraceError {
  return new MillraceError("INTERNAL", `${shown} is not open`, { remedy: "Call open first." });
}

export function tooLarge(shown: string, what: string, bytes: number, bytesMax: number): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: ${what} of ${bytes} bytes is larger than ${bytesMax}`, {
    remedy: "Send smaller ones.",
  });
}

export function tooMuchWaits(shown: string, bytes: number): MillraceError {
  return new MillraceError("SINK_FULL", `${shown}: ${bytes} bytes wait for the disk already`, {
    remedy: "Records come faster than the disk takes them. Try again in a while.",
  });
}

export function logFull(shown: string, bytesMax: number, because: string): MillraceError {
  return new MillraceError("SINK_FULL", `${shown} has its ${bytesMax} bytes, and ${because}`, {
    remedy: "Let its readers go on, or raise max in the URL. Nothing that is not read is removed to make room.",
  });
}

/** The folder was removed, or another one stands in its place: what was written went nowhere. */
export function removedMeanwhile(shown: string): MillraceError {
  return new MillraceError("SINK_UNREACHABLE", `${shown} was removed while it was in use`, {
    remedy: "Append again: the log is made anew.",
  });
}

export function endsTooEarly(shown: string, lane: string, wanted: bigint, end: bigint): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: lane ${lane} ends at offset ${end}, and ${wanted} is next`, {
    remedy: "The log was put back from an older copy, or the position is that of another log.",
  });
}
