/**
 * Every error that Millrace raises has a code from this table. The table is the contract with scripts and with
 * `docs/errors.md`, which a test compares with it: a code is never renamed or used for two things.
 *
 * `exit` is the exit code of the command line: 1 the work failed, 2 the call was wrong, 3 the destination is in the way
 * (reachable later, or full), 130 interrupted.
 */
export const errorCodes = {
  USAGE: { exit: 2, title: "The command was not understood" },
  URL_INVALID: { exit: 2, title: "The URL cannot be used" },
  SCHEME_UNKNOWN: { exit: 2, title: "No adapter serves this kind of URL" },
  CONTRACT_INVALID: { exit: 2, title: "The contract has a mistake" },
  CONFIG_INVALID: { exit: 2, title: "The configuration has a mistake" },
  PIPELINE_INVALID: { exit: 2, title: "The pipeline has a mistake" },
  PIPELINE_UNKNOWN: { exit: 2, title: "There is no pipeline of that name" },
  INSIGHT_INVALID: { exit: 2, title: "An insight has a mistake" },
  USER_INVALID: { exit: 2, title: "The user cannot be added or changed so" },
  FILE_MISSING: { exit: 1, title: "The file is not there" },
  FILE_NOT_A_FILE: { exit: 1, title: "The path is not a file" },
  FILE_UNREADABLE: { exit: 1, title: "The file cannot be read" },
  FILE_EMPTY: { exit: 1, title: "The file holds no record to infer a contract from" },
  FILE_CHANGED: { exit: 1, title: "The file changed while it was read" },
  FILE_FORMAT: { exit: 1, title: "The file is not in the format expected" },
  FILE_ENCRYPTED: { exit: 1, title: "The file is protected by a password" },
  SHEET_UNKNOWN: { exit: 1, title: "The workbook has no such sheet" },
  FILE_TRUNCATED: { exit: 1, title: "The file ends too early" },
  FILE_EXPANDS: { exit: 1, title: "The compressed file expands beyond the limit" },
  HEADER_MISMATCH: { exit: 1, title: "The header does not match the contract" },
  COLUMNS_MISMATCH: { exit: 1, title: "The records do not have the contract's columns" },
  TABLE_MISMATCH: { exit: 1, title: "The table does not fit the contract" },
  STEP_FAILED: { exit: 1, title: "A step of the pipeline failed as a whole" },
  NOT_BALANCED: { exit: 1, title: "The ledger does not balance" },
  FENCED: { exit: 1, title: "Another process has taken over the lane" },
  GUARANTEE_UNMET: { exit: 1, title: "The sink cannot give the guarantee asked for" },
  REJECT_UNKNOWN: { exit: 1, title: "There is no such reject" },
  ROW_UNKNOWN: { exit: 1, title: "There is no such row" },
  SCHEMA_REFUSED: { exit: 1, title: "The registry refuses the schema" },
  RECORDS_GONE: { exit: 1, title: "The log does not keep the records that are next" },
  BACKUP_UNKNOWN: { exit: 1, title: "There is no such backup" },
  BACKUP_INVALID: { exit: 1, title: "The backup cannot be restored" },
  REQUEST_INVALID: { exit: 1, title: "The request has a mistake" },
  REQUEST_TOO_LARGE: { exit: 1, title: "The request is larger than the server takes" },
  ROUTE_UNKNOWN: { exit: 1, title: "There is nothing at this address" },
  LOGIN_REFUSED: { exit: 1, title: "The credentials are wrong or missing" },
  FORBIDDEN: { exit: 1, title: "The user's role does not allow it" },
  RATE_LIMITED: { exit: 1, title: "Too many requests in too short a time" },
  ADDRESS_IN_USE: { exit: 3, title: "The server cannot listen at this address" },
  SINK_UNREACHABLE: { exit: 3, title: "The destination cannot be reached" },
  SINK_BUSY: { exit: 3, title: "The destination is in use" },
  SINK_FULL: { exit: 3, title: "The destination has no room left" },
  SINK_READ_ONLY: { exit: 3, title: "The destination accepts no writes" },
  SINK_DENIED: { exit: 1, title: "The destination refuses these credentials or rights" },
  SINK_REFUSED: { exit: 1, title: "The destination refuses the statement" },
  MEMORY: { exit: 1, title: "The memory budget is too small for this work" },
  DISK: { exit: 1, title: "The local disk is full or cannot be written" },
  ROW_EXISTS: { exit: 1, title: "There is such a row already" },
  ROW_CHANGED: { exit: 1, title: "The row is not as it was" },
  ROW_INVALID: { exit: 1, title: "The contract refuses the row" },
  INTERRUPTED: { exit: 130, title: "Interrupted" },
  INTERNAL: { exit: 1, title: "A fault in Millrace" },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** Where it happened. Lines and columns count from 1, bytes and offsets from 0. */
export interface ErrorPlace {
  readonly source?: string;
  readonly line?: number;
  readonly byte?: number;
  readonly column?: string;
  readonly table?: string;
}

export interface ErrorDetails {
  /** What to do about it, one sentence or two. */
  readonly remedy: string;
  readonly at?: ErrorPlace;
  readonly cause?: unknown;
}

/** An error with a code, what happened, where, and what to do. Its message never carries a secret. */
export class MillraceError extends Error {
  override readonly name = "MillraceError";
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly at: ErrorPlace;

  constructor(code: ErrorCode, message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.remedy = details.remedy;
    this.at = details.at ?? {};
  }

  get exitCode(): number {
    return errorCodes[this.code].exit;
  }
}

/** What to do about a failure that nobody foresaw. */
export const reportRemedy = "This should not happen. Please report it with the command and the text above.";

/** A MillraceError as it is; anything else becomes INTERNAL with its cause kept. */
export function toMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new MillraceError("INTERNAL", message, {
    remedy: reportRemedy,
    cause: error,
  });
}

/** `file:line, column "x"`: the place of an error as people read it; empty when nothing is known. */
export function formatErrorPlace(at: ErrorPlace): string {
  const parts: string[] = [];
  if (at.source !== undefined) parts.push(at.line === undefined ? at.source : `${at.source}:${at.line}`);
  else if (at.line !== undefined) parts.push(`line ${at.line}`);
  if (at.byte !== undefined) parts.push(`byte ${at.byte}`);
  if (at.table !== undefined) parts.push(`table "${at.table}"`);
  if (at.column !== undefined) parts.push(`column "${at.column}"`);
  return parts.join(", ");
}
