import type { ErrorCode, MillraceError } from "../core/error.ts";

/** An answer that is an error: the status, the body as JSON, and headers. Thrown by routes, sent by the error handler. */
export class Problem extends Error {
  readonly status: number;
  readonly body: object;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: object, headers: Readonly<Record<string, string>> = {}) {
    super(`HTTP ${status}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** The form of an error where a contract with callers does not ask for another one. */
export function problem(
  status: number,
  code: ErrorCode,
  error: string,
  remedy: string,
  headers: Readonly<Record<string, string>> = {},
): Problem {
  return new Problem(status, { error, code, remedy }, headers);
}

/** One field that is at fault. */
export interface FieldFault {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly type: string;
}

/** 422, naming every field at fault. */
export function fieldProblem(...detail: readonly FieldFault[]): Problem {
  return new Problem(422, { detail });
}

export const missingField = (where: string, name: string): FieldFault => ({
  loc: [where, name],
  msg: "field required",
  type: "value_error.missing",
});

const statusOf: Partial<Record<ErrorCode, number>> = {
  BACKUP_UNKNOWN: 404,
  BACKUP_INVALID: 409,
  PIPELINE_UNKNOWN: 404,
  REJECT_UNKNOWN: 404,
  ROW_UNKNOWN: 404,
  ROW_EXISTS: 409,
  ROW_CHANGED: 412,
  ROW_INVALID: 422,
  FENCED: 409,
  SINK_UNREACHABLE: 503,
  SINK_BUSY: 503,
  SINK_FULL: 503,
  SINK_READ_ONLY: 503,
  SINK_REFUSED: 503,
  SINK_DENIED: 503,
  DISK: 503,
  MEMORY: 503,
  INTERRUPTED: 503,
};

/** Seconds after which a caller may come again when a place is away. */
const retryAfterSeconds = "5";

/**
 * What callers are told of an error. What it says of places, paths and statements goes to the log alone: callers get
 * the title of its code, and the request's id, by which the log entry is found.
 */
export function problemOf(error: MillraceError, title: string, requestId: string): Problem {
  const status = statusOf[error.code] ?? 500;
  const remedy = `The server's log has more under the request ${requestId}.`;
  const body = { error: title, code: error.code, remedy, request: requestId };
  return new Problem(status, body, status === 503 ? { "retry-after": retryAfterSeconds } : {});
}
