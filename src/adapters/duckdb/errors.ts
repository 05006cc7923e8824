import { type ErrorCode, MillraceError } from "../../core/error.ts";
import { type FailureKind, passes } from "../../core/retry.ts";

/** What an error of the engine is about. DuckDB gives no code through its driver: the text begins with its class. */
export type Trouble =
  | "row"
  | "conflict"
  | "locked"
  | "full"
  | "memory"
  | "readOnly"
  | "denied"
  | "format"
  | "newer"
  | "missing"
  | "broken"
  | "interrupted"
  | "other";

// In order: the first that fits decides. A commit that fails on a key lost against a concurrent one: a conflict.
const patterns: readonly (readonly [RegExp, Trouble])[] = [
  [/No space left on device|Disk quota exceeded/i, "full"],
  [/database has been invalidated/i, "broken"],
  [/Could not set lock on file|Conflicting lock is held/i, "locked"],
  [/Conflict on (update|tuple deletion|delete)|Transaction conflict|write-write conflict/i, "conflict"],
  [/TransactionContext Error: Failed to commit:.*(duplicate key|constraint)/is, "conflict"],
  [/Catalog write-write|cannot .* because an entry .* has been altered/i, "conflict"],
  [/^Out of Memory Error/i, "memory"],
  [/Read-only file system|attached in read-only mode|launched in read-only mode/i, "readOnly"],
  [/Permission denied|Operation not permitted/i, "denied"],
  [/version number \d+, but we can only read|newer version of DuckDB/i, "newer"],
  [/not a valid DuckDB database file|Corrupt database file|Could not read enough bytes|encrypt/i, "format"],
  [/Serialization Error|Failure while replaying WAL/i, "format"],
  [/database does not exist|No such file or directory|Is a directory|Not a directory/i, "missing"],
  [/^INTERRUPT Error/i, "interrupted"],
  [/^(Constraint|Conversion|Out of Range|Mismatch Type) Error/i, "row"],
];

export function troubleOf(error: unknown): Trouble {
  if (!(error instanceof Error) || error instanceof MillraceError) return "other";
  return patterns.find(([pattern]) => pattern.test(error.message))?.[1] ?? "other";
}

export function classify(error: unknown): FailureKind {
  if (error instanceof MillraceError) return passes(error.code) ? "wait" : "stop";
  switch (troubleOf(error)) {
    case "row":
      return "row";
    case "conflict":
    case "locked":
    case "full":
    case "broken":
      return "wait";
    case "memory":
    case "readOnly":
    case "denied":
    case "format":
    case "newer":
    case "missing":
    case "interrupted":
    case "other":
      return "stop";
  }
}

interface Explanation {
  readonly code: ErrorCode;
  readonly what: string;
  readonly remedy: string;
}

const explanations: Readonly<Record<Trouble, Explanation>> = {
  row: {
    code: "SINK_REFUSED",
    what: "refuses a row",
    remedy: "Compare the row with the table's types and constraints.",
  },
  conflict: { code: "SINK_BUSY", what: "is being written by another transaction", remedy: "Try again." },
  locked: {
    code: "SINK_BUSY",
    what: "is in use by another process",
    remedy: "One process writes a DuckDB file at a time: end the other one, or wait for it.",
  },
  full: { code: "SINK_FULL", what: "lies on a disk without room", remedy: "Make room on the disk and run it again." },
  memory: {
    code: "MEMORY",
    what: "needs more memory than the budget leaves",
    remedy: "Raise --memory: the primary key of a DuckDB table is held in memory while rows are written to it.",
  },
  readOnly: { code: "SINK_READ_ONLY", what: "cannot be written", remedy: "Make the file and its folder writable." },
  denied: {
    code: "SINK_DENIED",
    what: "may not be opened",
    remedy: "Give this user the right to the file and its folder.",
  },
  format: {
    code: "FILE_FORMAT",
    what: "is not a DuckDB file, or is damaged",
    remedy: "Name a DuckDB file or a new one; restore a damaged one from a backup.",
  },
  newer: {
    code: "FILE_FORMAT",
    what: "was written by a newer DuckDB",
    remedy: "Use a newer Millrace, or export the file with the DuckDB that wrote it.",
  },
  missing: { code: "FILE_MISSING", what: "is not there", remedy: "Check the path." },
  broken: {
    code: "SINK_BUSY",
    what: "was closed by DuckDB after a failed write",
    remedy: "Nothing committed is lost: it is opened again with the next attempt. Look at the disk's room and health.",
  },
  interrupted: { code: "INTERRUPTED", what: "was interrupted", remedy: "Run it again: it goes on where it was." },
  other: { code: "SINK_REFUSED", what: "refuses the statement", remedy: "Correct what the message names." },
};

/** The engine's error as one with a code. */
export function explain(error: unknown, shown: string): Error {
  if (error instanceof MillraceError) return error;
  const { code, what, remedy } = explanations[troubleOf(error)];
  const text = error instanceof Error ? error.message : String(error);
  return new MillraceError(code, `${shown} ${what}: ${firstLines(text)}`, { remedy, cause: error });
}

/** The process that holds the lock, as DuckDB names it: `PID 42`. */
export function lockHolder(error: unknown): string {
  const text = error instanceof Error ? error.message : "";
  return /PID \d+/.exec(text)?.[0] ?? "unknown";
}

/** DuckDB repeats the statement under its message; people need the message. */
function firstLines(text: string): string {
  return text.split(/\n\s*\n|\nLINE /)[0]?.trim() ?? text;
}
