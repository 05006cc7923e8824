import { MillraceError, reportRemedy } from "../../core/error.ts";
import { isSqliteBusy, sqliteCodeOf } from "../../core/system-failure.ts";
import { explain } from "./sink-error.ts";

/** The error as one with a code that names the place. */
export function explainStore(error: unknown, shown: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const code = (sqliteCodeOf(error) ?? 0) & 0xff;
  // SQLITE_CORRUPT and SQLITE_NOTADB; a value that is no JSON was not written by a store.
  if (code === 11 || code === 26 || error instanceof SyntaxError) return damaged(shown, error);
  if (isSqliteBusy(error)) {
    const remedy = "Another process holds the file for too long: end it, or try again.";
    return new MillraceError("SINK_BUSY", `${shown}: ${textOf(error)}`, { remedy, cause: error });
  }
  const explained = explain(error, shown);
  if (explained instanceof MillraceError) return explained;
  return new MillraceError("INTERNAL", `${shown}: ${textOf(error)}`, {
    remedy: reportRemedy,
    cause: error,
  });
}

function damaged(shown: string, cause: unknown): MillraceError {
  return new MillraceError("FILE_FORMAT", `${shown} is no store, or it is damaged: ${textOf(cause)}`, {
    remedy: "Restore it from a backup, or move it away and begin a new one; name another file if this is not the one.",
    cause,
  });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
