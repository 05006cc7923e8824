import { MillraceError, reportRemedy } from "../../core/error.ts";
import { type FailureKind, passes } from "../../core/retry.ts";
import {
  bySqliteCode,
  bySystemCode,
  diskExplanations,
  type Explanation,
  sqliteCodeOf,
} from "../../core/system-failure.ts";
import { LaneReplaced, RecordsGone } from "../../ports/log.ts";
import { RowDamaged } from "./row-bytes.ts";

const busy: Explanation = {
  code: "SINK_BUSY",
  remedy: "Another process holds the log for too long: end it, or try again.",
};
const gone: Explanation = { code: "SINK_UNREACHABLE", remedy: "The folder of the log is gone. Put it back." };
const damaged: Explanation = {
  code: "FILE_FORMAT",
  remedy: "Restore the folder from a backup, or move it away: then the log is made anew.",
};

const folder = { busy, gone, damaged };
const systemCodes: Readonly<Record<string, Explanation>> = {
  ...bySystemCode(folder),
  EISDIR: diskExplanations.noFolder,
};
const sqliteCodes = bySqliteCode(folder);

/** SQLITE_IOERR_SHMSIZE: what processes have in common beside the file has no room. */
const noRoomBeside = 4_874;

function explanationOf(error: unknown): Explanation | undefined {
  if (error instanceof RowDamaged) return damaged;
  const code = sqliteCodeOf(error);
  if (code === noRoomBeside) return diskExplanations.full;
  // The low byte of an extended code is the primary one.
  if (code !== undefined) return sqliteCodes[code & 0xff];
  const system = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return system === undefined ? undefined : systemCodes[system];
}

/** The error as one with a code that names the place; those of the port and MillraceErrors stay what they are. */
export function explainError(error: unknown, shown: string): Error {
  if (error instanceof MillraceError || error instanceof RecordsGone || error instanceof LaneReplaced) return error;
  const text = error instanceof Error ? error.message : String(error);
  const { code, remedy } = explanationOf(error) ?? {
    code: "INTERNAL",
    remedy: reportRemedy,
  };
  return new MillraceError(code, `${shown}: ${text}`, { remedy, cause: error });
}

export function classifyError(error: unknown): FailureKind {
  const code = error instanceof MillraceError ? error.code : explanationOf(error)?.code;
  return code !== undefined && passes(code) ? "wait" : "stop";
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
