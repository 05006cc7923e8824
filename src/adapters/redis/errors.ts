import { type ErrorCode, MillraceError, reportRemedy } from "../../core/error.ts";
import { type FailureKind, passes } from "../../core/retry.ts";
import { LaneReplaced, RecordsGone } from "../../ports/log.ts";
import type { ServerAddress } from "./address.ts";

/** The connection went away with commands under way: whether they were carried out is not known. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** An error of the server, such as `OOM command not allowed …`: its first word says of which kind. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  /** The first word where it is a code, otherwise `ERR`. */
  readonly word: string;

  constructor(message: string) {
    // A script's errors end with where in it they were raised.
    super(message.replace(/ script: [0-9a-f]{40}, on .*$/s, ""));
    this.word = /^-?([A-Z]{2,})\b/.exec(message)?.[1] ?? "ERR";
  }
}

/**
 * The client's error without the command and its arguments, among which passwords and values are. The server's own
 * become a ServerError.
 */
export function withoutCommand(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (error.name === "ReplyError") return new ServerError(error.message);
  if (error.message === "Connection is closed.") return new ConnectionLost("the connection was lost");
  // The latter while the other side has gone, and the client has not noticed yet.
  if ("command" in error || error.message.startsWith("Stream isn't writeable"))
    return new ConnectionLost(error.message);
  return error;
}

/** What to do about it, where logs and stores differ. */
export interface Remedies {
  readonly denied: string;
  readonly full: string;
  readonly cluster: string;
  readonly otherType: string;
}

interface Explanation {
  readonly code: ErrorCode;
  readonly kind: FailureKind;
  readonly remedy: string | ((remedies: Remedies) => string);
}

const away: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "Check host and port in the URL, that the server runs, and that the network reaches it.",
};
const starting: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "The server is coming up, or waits for its master; wait until it answers.",
};
const denied: Explanation = {
  code: "SINK_DENIED",
  kind: "stop",
  remedy: (remedies) => remedies.denied,
};
const full: Explanation = {
  code: "SINK_FULL",
  kind: "wait",
  remedy: (remedies) => remedies.full,
};
const readOnly: Explanation = {
  code: "SINK_READ_ONLY",
  kind: "wait",
  remedy: "The server is a replica, or cannot write its files: name the master in the URL, or see the server's log.",
};
const replicas: Explanation = {
  code: "SINK_BUSY",
  kind: "wait",
  remedy: "Fewer replicas are in step than min-replicas-to-write asks for: start those that are missing.",
};
const busy: Explanation = { code: "SINK_BUSY", kind: "wait", remedy: "The server is busy with something; it passes." };
const cluster: Explanation = {
  code: "SINK_REFUSED",
  kind: "stop",
  remedy: (remedies) => remedies.cluster,
};
const otherType: Explanation = {
  code: "SINK_REFUSED",
  kind: "stop",
  remedy: (remedies) => remedies.otherType,
};
const old: Explanation = {
  code: "SINK_REFUSED",
  kind: "stop",
  remedy: "Millrace needs Redis 7.0 or later, or Valkey.",
};
const refused: Explanation = { code: "SINK_REFUSED", kind: "stop", remedy: "See the server's message and its log." };
const tls: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "stop",
  remedy: "Check rediss:// and tls_ca in the URL: whether the server talks TLS there, and who signed its certificate.",
};
const name: Explanation = { code: "SINK_UNREACHABLE", kind: "wait", remedy: "Check the name of the host in the URL." };

const byWord: ReadonlyMap<string, Explanation> = new Map([
  ...["LOADING", "MASTERDOWN", "CLUSTERDOWN"].map((word) => [word, starting] as const),
  ...["NOAUTH", "WRONGPASS", "NOPERM", "DENIED"].map((word) => [word, denied] as const),
  ...["READONLY", "MISCONF"].map((word) => [word, readOnly] as const),
  ...["MOVED", "ASK", "CROSSSLOT"].map((word) => [word, cluster] as const),
  ...["BUSY", "TRYAGAIN", "NOSCRIPT", "UNKILLABLE"].map((word) => [word, busy] as const),
  ["OOM", full],
  ["NOREPLICAS", replicas],
  ["WRONGTYPE", otherType],
  // Raised by scripts of Millrace.
  ["FOREIGN", otherType],
]);

function serverExplanation({ word, message }: ServerError): Explanation {
  const known = byWord.get(word);
  if (known !== undefined) return known;
  if (/max number of clients/i.test(message)) return busy;
  if (/without any password|invalid password|AUTH/i.test(message)) return denied;
  return /unknown (sub)?command|unknown option/i.test(message) ? old : refused;
}

/** An error with those it holds, and those behind them. */
function* allOf(error: unknown, depth = 0): Generator<unknown> {
  yield error;
  if (depth > 8 || !(error instanceof Error)) return;
  if (error instanceof AggregateError) for (const one of error.errors) yield* allOf(one, depth + 1);
  if (error.cause !== undefined) yield* allOf(error.cause, depth + 1);
}

/** Undefined for what neither the server nor the network has said. */
function explanationOf(error: unknown): Explanation | undefined {
  for (const one of allOf(error)) {
    if (one instanceof ServerError) return serverExplanation(one);
    const found = one instanceof Error ? networkExplanation(one) : undefined;
    if (found !== undefined) return found;
  }
  return [...allOf(error)].some((one) => one instanceof ConnectionLost) ? away : undefined;
}

const tlsWords = /CERT|SELF.SIGNED|ERR_TLS|ERR_SSL|UNABLE_TO_(GET|VERIFY)|EPROTO/i;

function networkExplanation(error: Error): Explanation | undefined {
  const { code } = error as { code?: unknown };
  const text = `${typeof code === "string" ? code : ""} ${error.message}`;
  if (tlsWords.test(text)) return tls;
  if (/ENOTFOUND|EAI_AGAIN/.test(text)) return name;
  return /^(ECONN|ETIMEDOUT|EPIPE|EHOST|ENET)| connect ETIMEDOUT|Socket timeout/.test(text) ? away : undefined;
}

/** The server has no room, and has appended nothing. */
export function isFull(error: unknown): boolean {
  return error instanceof ServerError && error.word === "OOM";
}

export function classifyError(error: unknown): FailureKind {
  if (error instanceof RecordsGone || error instanceof LaneReplaced) return "stop";
  if (error instanceof MillraceError) {
    const behind = error.cause === undefined ? undefined : explanationOf(error.cause);
    return behind?.kind ?? (passes(error.code) ? "wait" : "stop");
  }
  return explanationOf(error)?.kind ?? "stop";
}

/** The error as one with a code that names the place; those of the port and MillraceErrors stay what they are. */
export function explainError(
  error: unknown,
  { shown, password }: Pick<ServerAddress, "shown" | "password">,
  remedies: Remedies,
): Error {
  if (error instanceof MillraceError || error instanceof RecordsGone || error instanceof LaneReplaced) return error;
  const words = wordsOf(error);
  const message = `${shown}: ${password === undefined ? words : words.replaceAll(password, "***")}`;
  const { code, remedy } = explanationOf(error) ?? {
    code: "INTERNAL",
    remedy: reportRemedy,
  };
  return new MillraceError(code, message, {
    remedy: typeof remedy === "string" ? remedy : remedy(remedies),
    cause: error,
  });
}

/** The errors at the bottom say what is wrong; those above them only that something was. */
export function wordsOf(error: unknown): string {
  const words = new Set<string>();
  for (const one of allOf(error)) {
    if (!(one instanceof Error)) words.add(String(one));
    else if (one.cause === undefined && !(one instanceof AggregateError && one.errors.length > 0)) {
      words.add(one.message === "" ? one.name : one.message);
    }
  }
  return [...words].slice(0, 4).join("; ");
}
