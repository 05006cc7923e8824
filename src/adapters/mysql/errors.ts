import { type ErrorCode, MillraceError, reportRemedy } from "../../core/error.ts";
import type { FailureKind } from "../../core/retry.ts";
import { RepeatedMessages } from "../../ports/sink.ts";
import { isRowNumber, type Meaning, meaningOf } from "./error-table.ts";

const purposes = new WeakMap<object, string>();

/** Remembers what a statement was for, so that its error can say so: `creating the table "jobs"`. */
export function withPurpose<Thrown>(error: Thrown, purpose: string): Thrown {
  if (typeof error === "object" && error !== null && !purposes.has(error)) purposes.set(error, purpose);
  return error;
}

/** What the server said. */
export interface ServerError {
  readonly number: number;
  readonly state: string;
  readonly message: string;
}

/** The server's own words; undefined for an error that is not the server's. */
export function serverError(error: unknown): ServerError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { errno, sqlState, sqlMessage } = error as { errno?: unknown; sqlState?: unknown; sqlMessage?: unknown };
  if (typeof errno !== "number" || typeof sqlMessage !== "string" || errno <= 0) return undefined;
  return { number: errno, state: typeof sqlState === "string" ? sqlState : "", message: sqlMessage };
}

/** Whether a row can be at fault. */
export function isRowError(error: unknown): boolean {
  const said = serverError(error);
  return said !== undefined && isRowNumber(said.number, said.state);
}

/** Whether a lock was not had in time, or two transactions got in each other's way. */
export function isLockError(error: unknown): boolean {
  return [1205, 1213, 1020].includes(serverError(error)?.number ?? 0);
}

/** Whether the server does not offer the TLS that was asked for. */
export function isWithoutTls(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === "HANDSHAKE_NO_SSL_SUPPORT";
}

const networkCodes = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "ETIMEDOUT", "EPIPE", "ERR_STREAM_DESTROYED"],
  ...["EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EAI_AGAIN", "ENOENT", "PROTOCOL_CONNECTION_LOST"],
]);

/** The client's own words for a connection that went away; it gives them no code. */
const lostConnection = /closed state|Connection lost|connection was closed|before secure TLS connection/i;

function isLost(error: Error): boolean {
  const { code } = error as { code?: unknown };
  if (error instanceof AggregateError) return error.errors.some((one) => one instanceof Error && isLost(one));
  return (typeof code === "string" && networkCodes.has(code)) || lostConnection.test(error.message);
}

const waitingCodes: ReadonlySet<ErrorCode> = new Set(["SINK_UNREACHABLE", "SINK_BUSY", "SINK_FULL", "SINK_READ_ONLY"]);

export function classifyError(error: unknown): FailureKind {
  if (error instanceof MillraceError) {
    if (error.cause !== undefined && !(error.cause instanceof MillraceError)) return classifyError(error.cause);
    return waitingCodes.has(error.code) ? "wait" : "stop";
  }
  const said = serverError(error);
  if (said === undefined) return error instanceof Error && isLost(error) ? "wait" : "stop";
  return isRowError(error) ? "row" : meaningOf(said.number, said.state, said.message).kind;
}

/** The error as one with a code; MillraceErrors and RepeatedMessages stay what they are. `shown` has no secret. */
export function explainError(error: unknown, shown: string): Error {
  if (error instanceof MillraceError || error instanceof RepeatedMessages) return error;
  const doing = typeof error === "object" && error !== null ? purposes.get(error) : undefined;
  const during = doing === undefined ? shown : `${shown}, ${doing}`;
  const said = serverError(error);
  if (said !== undefined) {
    const { code, remedy } = meaningOf(said.number, said.state, said.message);
    return new MillraceError(code, `${during}: ${said.message}`, { remedy, cause: error });
  }
  const { code, remedy } = clientMeaning(error);
  return new MillraceError(code, `${during}: ${textOf(error)}`, { remedy, cause: error });
}

function clientMeaning(error: unknown): Omit<Meaning, "kind"> {
  if (!(error instanceof Error)) return { code: "INTERNAL", remedy: reportRemedy };
  if (isLost(error)) {
    const remedy = "Check host and port in the URL, that the server runs, and that the network reaches it.";
    return { code: "SINK_UNREACHABLE", remedy };
  }
  const { code } = error as { code?: unknown };
  if (code === "ENOTFOUND") return { code: "SINK_UNREACHABLE", remedy: "Check the name of the host in the URL." };
  const text = `${String(code)} ${error.message}`;
  if (/asks for the file|wants to read .* file/.test(text)) {
    const remedy = "It was given nothing. A MySQL server does not do so by itself: do not trust it.";
    return { code: "SINK_DENIED", remedy };
  }
  if (/SSL|TLS|certificate|self.signed/i.test(text)) {
    const remedy = "Check ssl-mode and ssl-ca in the URL; ssl-mode=disabled talks without TLS.";
    return { code: "SINK_UNREACHABLE", remedy };
  }
  if (/auth|clear_password/i.test(text)) {
    return { code: "SINK_DENIED", remedy: "Give the user a log-in by password, such as caching_sha2_password." };
  }
  return { code: "INTERNAL", remedy: reportRemedy };
}

/** Several addresses of one host were tried: their errors say more than the error around them. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof AggregateError)) return error.message;
  return error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one))).join("; ");
}
