import { MillraceError } from "../../core/error.ts";
import { explain } from "./sink-error.ts";

/** Primary result code of an error of SQLite: the low byte of an extended one. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  return code === "ERR_SQLITE_ERROR" && typeof errcode === "number" ? errcode & 0xff : undefined;
}

/** Another process has the file (5) or, within this one, another connection (6): it passes. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === 5 || code === 6;
}

/** The error as one with a code that names the place. */
export function explainStore(error: unknown, shown: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const code = sqliteCode(error);
  // SQLITE_CORRUPT and SQLITE_NOTADB; a value that is no JSON was not written by a store.
  if (code === 11 || code === 26 || error instanceof SyntaxError) return damaged(shown, error);
  if (isBusy(error)) {
    const remedy = "Another process holds the file for too long: end it, or try again.";
    return new MillraceError("SINK_BUSY", `${shown}: ${textOf(error)}`, { remedy, cause: error });
  }
  const explained = explain(error, shown);
  if (explained instanceof MillraceError) return explained;
  return new MillraceError("INTERNAL", `${shown}: ${textOf(error)}`, {
    remedy: "This should not happen. Please report it with the command and the text above.",
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
