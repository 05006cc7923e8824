import { IllegalOperationError } from "amqplib";
import { type ErrorCode, MillraceError, reportRemedy } from "../../core/error.ts";
import { type FailureKind, passes } from "../../core/retry.ts";
import type { Address } from "./address.ts";

/** The connection or channel went away with something under way: whether it was done is not known. */
export class LinkLost extends Error {
  override readonly name = "LinkLost";
}

/** The broker takes nothing: an alarm of its memory or disk, a queue that is full, or one that does not confirm. */
export class TakesNothing extends Error {
  override readonly name = "TakesNothing";
}

/** The queue was deleted under who used it. */
export class QueueDeleted extends Error {
  override readonly name = "QueueDeleted";
}

interface Explanation {
  readonly code: ErrorCode;
  readonly kind: FailureKind;
  readonly remedy: string;
}

const away: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "Check host and port in the URL, that RabbitMQ runs, and that the network reaches it.",
};
const full: Explanation = {
  code: "SINK_FULL",
  kind: "wait",
  remedy: "Let what waits be consumed, give the broker more memory or disk, or raise the limit of the queue.",
};
const deleted: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "The queue was deleted; it is made anew. What was in it and not consumed is gone.",
};
const login: Explanation = {
  code: "SINK_DENIED",
  kind: "stop",
  remedy: "Check user and password in the URL; guest is let in from its own machine only.",
};
const denied: Explanation = {
  code: "SINK_DENIED",
  kind: "stop",
  remedy: "Give the user in the URL the rights to configure, write and read the queue and its queue of dead letters.",
};
const noVirtualHost: Explanation = {
  code: "SINK_REFUSED",
  kind: "stop",
  remedy: "Check the virtual host in the URL: amqp://host/VIRTUAL-HOST/QUEUE, its / written as %2F.",
};
const exclusive: Explanation = {
  code: "SINK_BUSY",
  kind: "wait",
  remedy: "Another connection has the queue for itself; it passes when that one ends.",
};
const tls: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "stop",
  remedy: "Check amqps:// and tls_ca in the URL: whether the broker talks TLS, and who signed its certificate.",
};
const refused: Explanation = { code: "SINK_REFUSED", kind: "stop", remedy: "See the broker's message and its log." };

const tlsWords = /CERT|SELF.SIGNED|ERR_TLS|ERR_SSL|UNABLE_TO_(GET|VERIFY)|\bSSL\b/i;
const lostWords =
  /ECONN|ETIMEDOUT|EPIPE|EHOST|ENET|ENOTFOUND|EAI_AGAIN|socket closed|unexpected close|heartbeat|(connection|channel) (closed|closing|ended)|connection_forced|320/i;

/** By the number that AMQP gives a refusal. */
const byNumber: ReadonlyMap<number, Explanation> = new Map([
  [311, refused],
  [320, away],
  [403, denied],
  [404, deleted],
  [405, exclusive],
  [406, refused],
  [504, away],
  [506, full],
  [530, noVirtualHost],
  [541, away],
]);

function explanationOf(error: unknown): Explanation | undefined {
  if (error instanceof LinkLost || error instanceof IllegalOperationError) return away;
  if (error instanceof TakesNothing) return full;
  if (error instanceof QueueDeleted) return deleted;
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === "number") return byNumber.get(code) ?? refused;
  const text = `${typeof code === "string" ? code : ""} ${error.message}`;
  if (/handshake terminated.*403|ACCESS_REFUSED - Login/i.test(text)) return login;
  if (/530|NOT_ALLOWED|OpenOk; got <ConnectionClose/i.test(text)) return noVirtualHost;
  if (tlsWords.test(text)) return tls;
  if (lostWords.test(text)) return away;
  return error.cause === undefined ? undefined : explanationOf(error.cause);
}

export function classifyError(error: unknown): FailureKind {
  if (error instanceof MillraceError) return passes(error.code) ? "wait" : "stop";
  return explanationOf(error)?.kind ?? "stop";
}

/** The error as one with a code; MillraceErrors stay what they are. */
export function explainError(error: unknown, { shown, password }: Pick<Address, "shown" | "password">): Error {
  if (error instanceof MillraceError) return error;
  const words = error instanceof Error ? wordsOf(error) : String(error);
  const message = `${shown}: ${password === "" ? words : words.replaceAll(password, "***")}`;
  const { code, remedy } = explanationOf(error) ?? { code: "INTERNAL", remedy: reportRemedy };
  return new MillraceError(code, message, { remedy, cause: error });
}

/** An error of several attempts at once has no words of its own. */
function wordsOf({ message, cause, ...error }: Error & { readonly errors?: unknown }): string {
  if (message === "" && Array.isArray(error.errors)) {
    return [...new Set(error.errors.map((one) => (one instanceof Error ? one.message : String(one))))].join("; ");
  }
  return cause instanceof Error && cause.message !== "" && cause.message !== message
    ? `${message} (${cause.message})`
    : message;
}

export function closedQueue({ shown }: Pick<Address, "shown">): MillraceError {
  return new MillraceError("INTERRUPTED", `${shown} was closed`, { remedy: "Nothing of this call was published." });
}
