import { MillraceError } from "../../core/error.ts";
import { type FailureKind, passes } from "../../core/retry.ts";
import {
  bySqliteCode,
  bySystemCode,
  diskExplanations,
  type Explanation,
  sqliteCodeOf,
} from "../../core/system-failure.ts";

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

const folder = { busy, gone, damaged };
const systemCodes = bySystemCode(folder);
const sqliteCodes = bySqliteCode(folder);

/** What the engine says when the system refuses it. */
const byEngineText: readonly (readonly [RegExp, Explanation])[] = [
  [/no space left on device|disk quota exceeded/i, diskExplanations.full],
  [/read-only file system/i, diskExplanations.readOnly],
  [/permission denied/i, diskExplanations.denied],
  [
    /^(?:Failed to [a-z ]+: )?(Parser|Binder|Catalog|Conversion|Invalid Input|Out of Range|Not implemented) Error/i,
    refused,
  ],
];

function find(error: unknown): Explanation | undefined {
  if (!(error instanceof Error)) return undefined;
  const sqlite = sqliteCodeOf(error);
  if (sqlite !== undefined) return sqliteCodes[sqlite & 0xff];
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined && systemCodes[code] !== undefined) return systemCodes[code];
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

export function classify(error: unknown): FailureKind {
  const code = error instanceof MillraceError ? error.code : find(error)?.code;
  return code !== undefined && passes(code) ? "wait" : "stop";
}
