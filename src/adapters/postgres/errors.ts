import { DatabaseError } from "pg";
import { type ErrorCode, type ErrorPlace, MillraceError, reportRemedy } from "../../core/error.ts";
import type { FailureKind } from "../../core/retry.ts";
import { RepeatedMessages } from "../../ports/sink.ts";

const purposes = new WeakMap<object, string>();

/** Remembers what a statement was for, so that its error can say so: `creating the table "jobs"`. */
export function withPurpose<Thrown>(error: Thrown, purpose: string): Thrown {
  if (typeof error === "object" && error !== null && !purposes.has(error)) purposes.set(error, purpose);
  return error;
}

const networkCodes = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "ETIMEDOUT", "EPIPE", "ERR_STREAM_DESTROYED"],
  ...["EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EAI_AGAIN", "ENOENT"],
]);

/** The client's own words for a connection that went away; it gives them no code. */
const lostConnection =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|timeout exceeded|Query read timeout)/;

/** SQLSTATE of a server's error; undefined for everything else. */
export function stateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

/**
 * Errors that a single row can cause: data (22), constraints (23), a view's check option (44), what is too large for
 * an index or too deep (54), and what a trigger raises.
 */
export function isRowState(state: string | undefined): boolean {
  return state !== undefined && (/^(22|23|44|54)/.test(state) || state === "P0001");
}

/** The server is going, full or crowded, a lock was not had in time, or two transactions got in each other's way. */
function isPassingState(state: string): boolean {
  if (["40001", "40P01", "55P03", "55006", "25006", "25P03", "25P04"].includes(state)) return true;
  return /^(08|40|53|57)/.test(state);
}

function isLost(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return (typeof code === "string" && networkCodes.has(code)) || lostConnection.test(error.message);
}

const waitingCodes: ReadonlySet<ErrorCode> = new Set(["SINK_UNREACHABLE", "SINK_BUSY", "SINK_FULL", "SINK_READ_ONLY"]);

export function classifyError(error: unknown): FailureKind {
  if (error instanceof MillraceError) {
    if (error.cause !== undefined && !(error.cause instanceof MillraceError)) return classifyError(error.cause);
    return waitingCodes.has(error.code) ? "wait" : "stop";
  }
  const state = stateOf(error);
  if (state !== undefined) return isPassingState(state) ? "wait" : isRowState(state) ? "row" : "stop";
  return error instanceof Error && isLost(error) ? "wait" : "stop";
}

interface Explanation {
  readonly code: ErrorCode;
  readonly remedy: string;
}

/** The longest prefix of the SQLSTATE decides. */
const explanations: Readonly<Record<string, Explanation>> = {
  "08": { code: "SINK_UNREACHABLE", remedy: "Check that the server runs and that the network reaches it." },
  "22": { code: "SINK_REFUSED", remedy: "A value does not suit the statement; see the message." },
  "25006": {
    code: "SINK_READ_ONLY",
    remedy: "The server is a standby or set to read only: name the primary in the URL, or wait until it takes writes.",
  },
  "25P03": {
    code: "SINK_BUSY",
    remedy: "The transaction stood still for too long and was ended. The batch is tried again.",
  },
  "28": { code: "SINK_DENIED", remedy: "Check user and password in the URL, and the server's pg_hba.conf." },
  "3D000": {
    code: "SINK_UNREACHABLE",
    remedy: "Create the database with `createdb`, or correct its name at the end of the URL.",
  },
  "3F000": { code: "SINK_REFUSED", remedy: "Create the schema, or correct `?schema=` in the URL." },
  "40": { code: "SINK_BUSY", remedy: "Another transaction was in the way. The batch is tried again." },
  "42": { code: "SINK_REFUSED", remedy: "The table is not as it was when the run began, or a setting is wrong." },
  "42501": { code: "SINK_DENIED", remedy: "Grant the right that the message names to the user in the URL." },
  "53": { code: "SINK_BUSY", remedy: "The server lacks a resource; give it room or wait." },
  "53100": { code: "SINK_FULL", remedy: "Make room on the server's disk; the load then goes on." },
  "55P03": { code: "SINK_BUSY", remedy: "Another transaction holds the lock; end it (see pg_stat_activity) or wait." },
  "57": { code: "SINK_UNREACHABLE", remedy: "The server is going down or coming up; wait until it answers." },
  "57014": { code: "SINK_BUSY", remedy: "The statement was cancelled or took longer than statement_timeout allows." },
};

const refused: Explanation = { code: "SINK_REFUSED", remedy: "See the server's message and its log." };

function explanationOf(state: string): Explanation {
  for (const length of [5, 2]) {
    const found = explanations[state.slice(0, length)];
    if (found !== undefined) return found;
  }
  return refused;
}

/** The error as one with a code; MillraceErrors and RepeatedMessages stay what they are. `shown` has no secret. */
export function explainError(error: unknown, shown: string): Error {
  if (error instanceof MillraceError || error instanceof RepeatedMessages) return error;
  const doing = typeof error === "object" && error !== null ? purposes.get(error) : undefined;
  const during = doing === undefined ? shown : `${shown}, ${doing}`;
  if (error instanceof DatabaseError) return explainDatabase(error, during);
  if (!(error instanceof Error)) return internal(error, during);
  if (isLost(error)) {
    const remedy = "Check host and port in the URL, that the server runs, and that the network reaches it.";
    return new MillraceError("SINK_UNREACHABLE", `${during}: ${textOf(error)}`, { remedy, cause: error });
  }
  return explainConnection(error, during) ?? internal(error, during);
}

function explainDatabase(error: DatabaseError, during: string): MillraceError {
  const { code, remedy } = explanationOf(error.code ?? "");
  const at: ErrorPlace = {
    ...(error.table === undefined ? {} : { table: error.table }),
    ...(error.column === undefined ? {} : { column: error.column }),
  };
  const detail = error.detail === undefined ? "" : ` (${error.detail})`;
  return new MillraceError(code, `${during}: ${error.message}${detail}`, { remedy, at, cause: error });
}

function explainConnection(error: Error, during: string): MillraceError | undefined {
  const { code } = error as { code?: unknown };
  if (code === "ENOTFOUND") {
    const remedy = "Check the name of the host in the URL.";
    return new MillraceError("SINK_UNREACHABLE", `${during}: ${error.message}`, { remedy, cause: error });
  }
  if (/SSL|TLS|certificate|self.signed/i.test(`${String(code)} ${error.message}`)) {
    const remedy = "Check sslmode and sslrootcert in the URL; sslmode=disable talks without TLS.";
    return new MillraceError("SINK_UNREACHABLE", `${during}: ${error.message}`, { remedy, cause: error });
  }
  if (/password must be a string|SASL/.test(error.message)) {
    const remedy = "Give the password in the URL or in PGPASSWORD.";
    return new MillraceError("SINK_DENIED", `${during}: the server asks for a password`, { remedy, cause: error });
  }
  return undefined;
}

/** Several addresses of one host were tried: their errors say more than the error around them. */
function textOf(error: Error): string {
  if (!(error instanceof AggregateError)) return error.message;
  return error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one))).join("; ");
}

function internal(error: unknown, during: string): MillraceError {
  const text = error instanceof Error ? error.message : String(error);
  return new MillraceError("INTERNAL", `${during}: ${text}`, {
    remedy: reportRemedy,
    cause: error,
  });
}
