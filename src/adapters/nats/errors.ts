import { JetStreamApiError, JetStreamError } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { type ErrorCode, MillraceError, reportRemedy } from "../../core/error.ts";
import { type FailureKind, passes } from "../../core/retry.ts";
import { LaneReplaced, RecordsGone } from "../../ports/log.ts";
import type { Address } from "./address.ts";

const purposes = new WeakMap<object, string>();

/** Remembers what a request was for, so that its error can say so: `creating the stream "events-0"`. */
export function withPurpose<Thrown>(error: Thrown, purpose: string): Thrown {
  if (typeof error === "object" && error !== null && !purposes.has(error)) purposes.set(error, purpose);
  return error;
}

/** Runs a request; what fails carries `purpose`, for people. */
export async function asking<Result>(purpose: string, request: Promise<Result>): Promise<Result> {
  try {
    return await request;
  } catch (error) {
    throw withPurpose(error, purpose);
  }
}

/** The connection went away with requests under way: whether they were carried out is not known. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** Numbers of JetStream's own errors: https://github.com/nats-io/nats-server/blob/main/server/errors.json */
export const apiCode = {
  consumerNotFound: 10014,
  wrongLastSequence: 10071,
  noMessageFound: 10037,
  storeFailed: 10077,
  streamExists: 10058,
  streamNotFound: 10059,
  subjectsTaken: 10065,
  tooManyRequests: 10167,
} as const;

export function apiCodeOf(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined;
}

/** There is no such stream. */
export function isMissing(error: unknown): boolean {
  return apiCodeOf(error) === apiCode.streamNotFound;
}

/** Nobody listens: JetStream is off or starting, or there is no such stream, or it has no leader now. Nothing was done. */
export function isUnheard(error: unknown): boolean {
  return [...allOf(error)].some((one) => one instanceof errors.NoRespondersError);
}

/** The user has not the right. */
export function isDenied(error: unknown): boolean {
  return [...allOf(error)].some((one) => one instanceof errors.PermissionViolationError);
}

/** A stream refuses for want of room. JetStream gives every failure of its store the same number. */
export function isFull(error: unknown): boolean {
  return apiCodeOf(error) === apiCode.storeFailed && error instanceof Error && noRoom.test(error.message);
}

const noRoom = /maximum (bytes|messages)|no space left/i;

/** An error with those behind it. */
function* allOf(error: unknown, depth = 0): Generator<unknown> {
  yield error;
  if (depth > 8 || !(error instanceof Error)) return;
  if (error instanceof AggregateError) for (const one of error.errors) yield* allOf(one, depth + 1);
  if (error.cause !== undefined) yield* allOf(error.cause, depth + 1);
}

interface Explanation {
  readonly code: ErrorCode;
  readonly kind: FailureKind;
  readonly remedy: string;
}

const away: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "Check hosts and ports in the URL, that the servers run, and that the network reaches them.",
};
const unheard: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "Check that JetStream is enabled on the server, and that the servers run which hold the stream.",
};
const late: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "The server did not answer in time: it is busy, or a cluster has no leader now.",
};
const login: Explanation = {
  code: "SINK_DENIED",
  kind: "stop",
  remedy: "Check user and password, token or creds in the URL.",
};
const denied: Explanation = {
  code: "SINK_DENIED",
  kind: "stop",
  remedy: "Give the user in the URL the right to the subject that the message names; docs/logs-nats.md lists them.",
};
const off: Explanation = {
  code: "SINK_REFUSED",
  kind: "stop",
  remedy: "Enable JetStream for the account of the user in the URL.",
};
const full: Explanation = {
  code: "SINK_FULL",
  kind: "wait",
  remedy: "Let what is read be removed, raise max of the log (max_bytes of its streams), or give the server more room.",
};
const busy: Explanation = {
  code: "SINK_BUSY",
  kind: "wait",
  remedy: "The servers are busy with something; it passes.",
};
const gone: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "The stream is not there: it was removed, or the name in the URL is wrong.",
};
const refused: Explanation = { code: "SINK_REFUSED", kind: "stop", remedy: "See the server's message and its log." };
const tls: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "stop",
  remedy: "Check tls and tls_ca in the URL: whether the server talks TLS, and who signed its certificate.",
};
const name: Explanation = { code: "SINK_UNREACHABLE", kind: "wait", remedy: "Check the name of the host in the URL." };

const byApiCode: ReadonlyMap<number, Explanation> = new Map([
  ...[10002, 10023, 10028, 10047].map((code) => [code, full] as const),
  ...[10005, 10006, 10007, 10008, 10009, 10118, apiCode.tooManyRequests].map((code) => [code, busy] as const),
  ...[10035, 10039, 10076].map((code) => [code, off] as const),
  [apiCode.streamNotFound, gone],
  [apiCode.consumerNotFound, busy],
]);

function apiExplanation(error: JetStreamApiError): Explanation {
  if (error.code === apiCode.storeFailed) return noRoom.test(error.message) ? full : busy;
  return byApiCode.get(error.code) ?? (error.status >= 500 ? busy : refused);
}

/** Undefined for what neither a server nor the network has said. */
function explanationOf(error: unknown): Explanation | undefined {
  for (const one of allOf(error)) {
    const found = explanationOfOne(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

function explanationOfOne(error: unknown): Explanation | undefined {
  if (error instanceof JetStreamApiError) return apiExplanation(error);
  if (error instanceof errors.NoRespondersError) return unheard;
  if (error instanceof errors.TimeoutError) return late;
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError)
    return login;
  if (error instanceof errors.PermissionViolationError) return denied;
  if (error instanceof ConnectionLost || error instanceof errors.ClosedConnectionError) return away;
  if (error instanceof JetStreamError) return refused;
  return error instanceof Error ? networkExplanation(error) : undefined;
}

const tlsWords = /CERT|SELF.SIGNED|ERR_TLS|ERR_SSL|UNABLE_TO_(GET|VERIFY)|\btls\b/i;
/** What the client says of a connection that was not had or went away; it gives these no code. */
const lostWords = /connection (refused|closed|disconnected)|error connecting|unexpected response from server/;

function networkExplanation(error: Error): Explanation | undefined {
  const { code } = error as { code?: unknown };
  const text = `${typeof code === "string" ? code : ""} ${error.message}`;
  if (tlsWords.test(text)) return tls;
  if (/ENOTFOUND|EAI_AGAIN/.test(text)) return name;
  if (/^(ECONN|ETIMEDOUT|EPIPE|EHOST|ENET)/.test(text) || lostWords.test(text)) return away;
  return undefined;
}

export function classifyError(error: unknown): FailureKind {
  if (error instanceof RecordsGone || error instanceof LaneReplaced) return "stop";
  if (error instanceof MillraceError) {
    const behind = error.cause === undefined ? undefined : explanationOf(error.cause);
    return behind?.kind ?? (passes(error.code) ? "wait" : "stop");
  }
  return explanationOf(error)?.kind ?? "stop";
}

/** The error as one with a code; those of the port and MillraceErrors stay what they are. */
export function explainError(error: unknown, { shown, login: secret }: Pick<Address, "shown" | "login">): Error {
  if (error instanceof MillraceError || error instanceof RecordsGone || error instanceof LaneReplaced) return error;
  const doing = typeof error === "object" && error !== null ? purposes.get(error) : undefined;
  const message = `${shown}${doing === undefined ? "" : `, ${doing}`}: ${withoutSecret(wordsOf(error), secret)}`;
  const { code, remedy } = explanationOf(error) ?? {
    code: "INTERNAL",
    remedy: reportRemedy,
  };
  return new MillraceError(code, message, { remedy, cause: error });
}

function withoutSecret(text: string, login: Address["login"]): string {
  const secret = login?.kind === "user" ? login.password : login?.kind === "token" ? login.token : "";
  return secret === "" ? text : text.replaceAll(secret, "***");
}

/** The errors at the bottom say what is wrong; those above them only that something was. */
export function wordsOf(error: unknown): string {
  const words = new Set<string>();
  for (const one of allOf(error)) {
    if (!(one instanceof Error)) words.add(String(one));
    else if (one.cause === undefined || one instanceof JetStreamApiError) words.add(one.message);
  }
  return [...words].slice(0, 4).join("; ");
}
