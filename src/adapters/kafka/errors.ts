import {
  AuthenticationError,
  GenericError,
  MultipleErrors,
  NetworkError,
  ProtocolError,
  TimeoutError,
} from "@platformatic/kafka";
import { type ErrorCode, MillraceError, reportRemedy } from "../../core/error.ts";
import { type FailureKind, passes } from "../../core/retry.ts";
import { LaneReplaced, RecordsGone } from "../../ports/log.ts";
import type { Address } from "./address.ts";

const purposes = new WeakMap<object, string>();

/** Remembers what a request was for, so that its error can say so: `creating the topic`. */
export function withPurpose<Thrown>(error: Thrown, purpose: string): Thrown {
  if (typeof error === "object" && error !== null && !purposes.has(error)) purposes.set(error, purpose);
  return error;
}

/** The error that a broker's number stands for: https://kafka.apache.org/protocol#protocol_error_codes */
export function brokerError(code: number): Error {
  try {
    return new ProtocolError(code);
  } catch {
    return new Error(`the broker answers with its error ${code}, which the client does not know`);
  }
}

/** Names of the broker's errors in it, such as `NOT_LEADER_OR_FOLLOWER`; none when no broker answered. */
export function brokerErrorsOf(error: unknown): string[] {
  return [...allOf(error)].flatMap((one) => (one instanceof ProtocolError ? [String(one["apiId"])] : []));
}

/** An error with those it holds, and those behind them. */
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
  remedy:
    "Check hosts and ports in the URL, that the brokers run, and whether their listener wants sasl or tls, which the URL then has to have.",
};
const electing: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "A partition or a group has no leader now. Check that the brokers run which hold its copies.",
};
const missing: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "The topic is not there: create it, or correct its name in the URL.",
};
const busy: Explanation = {
  code: "SINK_BUSY",
  kind: "wait",
  remedy: "The brokers are busy with something; it passes.",
};
const copies: Explanation = {
  code: "SINK_BUSY",
  kind: "wait",
  remedy: "Fewer copies are in step than min.insync.replicas asks for: start the brokers that are missing.",
};
const disk: Explanation = { code: "SINK_UNREACHABLE", kind: "wait", remedy: "Check the disks of the broker." };
const denied: Explanation = {
  code: "SINK_DENIED",
  kind: "stop",
  remedy: "Give the user in the URL the right to the topic and the group (kafka-acls.sh).",
};
const login: Explanation = {
  code: "SINK_DENIED",
  kind: "stop",
  remedy: "Check user, password and sasl in the URL, and what the brokers' listener asks for.",
};
const large: Explanation = {
  code: "SINK_REFUSED",
  kind: "stop",
  remedy: "Send smaller values, or raise max.message.bytes of the topic.",
};
const old: Explanation = { code: "SINK_REFUSED", kind: "stop", remedy: "Millrace needs Kafka 3.1 or later." };
const refused: Explanation = { code: "SINK_REFUSED", kind: "stop", remedy: "See the broker's message and its log." };
const groupTaken: Explanation = {
  code: "SINK_REFUSED",
  kind: "stop",
  remedy: "Other programs use the group in another way. Rename the pipeline, or end what uses its name as a group.",
};
const unordered: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "The broker lost track of what was written, which happens when copies are lost. Append again.",
};

const byName: readonly (readonly [Explanation, readonly string[]])[] = [
  [login, ["SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM", "ILLEGAL_SASL_STATE", "SECURITY_DISABLED"]],
  [
    denied,
    [
      ...["TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"],
      ...["TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "DELEGATION_TOKEN_AUTHORIZATION_FAILED"],
    ],
  ],
  [large, ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]],
  [old, ["UNSUPPORTED_VERSION", "UNSUPPORTED_FOR_MESSAGE_FORMAT"]],
  [groupTaken, ["INCONSISTENT_GROUP_PROTOCOL", "GROUP_ID_NOT_FOUND", "INVALID_GROUP_ID"]],
  [missing, ["UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_TOPIC_ID", "INCONSISTENT_TOPIC_ID"]],
  [copies, ["NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS_AFTER_APPEND"]],
  [disk, ["KAFKA_STORAGE_ERROR", "LOG_DIR_NOT_FOUND"]],
  [
    unordered,
    [
      ...["OUT_OF_ORDER_SEQUENCE_NUMBER", "UNKNOWN_PRODUCER_ID", "INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"],
      "INVALID_PRODUCER_ID_MAPPING",
    ],
  ],
  [
    electing,
    [
      ...["LEADER_NOT_AVAILABLE", "NOT_LEADER_OR_FOLLOWER", "FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH"],
      ...["REPLICA_NOT_AVAILABLE", "BROKER_NOT_AVAILABLE", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR"],
      ...["OFFSET_NOT_AVAILABLE", "NOT_CONTROLLER"],
    ],
  ],
  [
    busy,
    [
      ...["COORDINATOR_LOAD_IN_PROGRESS", "REBALANCE_IN_PROGRESS", "THROTTLING_QUOTA_EXCEEDED", "UNKNOWN_MEMBER_ID"],
      ...["ILLEGAL_GENERATION", "GROUP_MAX_SIZE_REACHED", "REASSIGNMENT_IN_PROGRESS", "MEMBER_ID_REQUIRED"],
      ...["CONCURRENT_TRANSACTIONS", "UNSTABLE_OFFSET_COMMIT", "CORRUPT_MESSAGE"],
    ],
  ],
  [away, ["REQUEST_TIMED_OUT", "NETWORK_EXCEPTION"]],
];

const explanations = new Map(byName.flatMap(([explanation, names]) => names.map((name) => [name, explanation])));

/** A certificate that cannot be trusted, and a listener without TLS, do not pass by themselves; what is cut short may. */
const tlsFailure = /CERT|SELF_SIGNED|ERR_TLS|ERR_SSL|UNABLE_TO_(GET|VERIFY)|requires TLS/i;
const tlsCut = /TLS handshake|secure TLS connection/;
const tls: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "stop",
  remedy: "Check tls and tls_ca in the URL: whether the brokers' listener talks TLS, and who signed its certificate.",
};
const name: Explanation = {
  code: "SINK_UNREACHABLE",
  kind: "wait",
  remedy: "Check the names of the hosts in the URL, and those that the brokers give themselves (advertised.listeners).",
};

/** Undefined for what neither a broker nor the network has said. */
function explanationOf(error: unknown): Explanation | undefined {
  const all = [...allOf(error)];
  // What a broker answered says more than that another one could not be asked; what stops, more than what passes.
  const answers = all.flatMap((one) =>
    one instanceof ProtocolError ? [explanations.get(String(one["apiId"])) ?? refused] : [],
  );
  const answered = answers.find(({ kind }) => kind === "stop") ?? answers[0];
  if (all.some(isRefusedLogin)) return login;
  if (answered !== undefined) return answered;
  const words = all.flatMap((one) => (one instanceof Error ? [`${String(codeOf(one))} ${one.message}`] : []));
  if (words.some((text) => tlsFailure.test(text))) return tls;
  if (words.some((text) => tlsCut.test(text))) return { ...tls, kind: "wait" };
  if (words.some((text) => text.includes("ENOTFOUND"))) return name;
  if (words.some((text) => text.includes("EACCES"))) return { ...away, kind: "stop" };
  if (all.some((one) => one instanceof GenericError || one instanceof MultipleErrors || isNetwork(one))) return away;
  return undefined;
}

/** The client says the same of a login that was refused and of a connection that was lost during one. */
function isRefusedLogin(error: unknown): boolean {
  const isLost = (one: unknown): boolean => one instanceof NetworkError || one instanceof TimeoutError;
  return error instanceof AuthenticationError && ![...allOf(error.cause)].some(isLost);
}

function codeOf(error: Error): unknown {
  return (error as { readonly code?: unknown }).code;
}

function isNetwork(error: unknown): boolean {
  const code = error instanceof Error ? codeOf(error) : undefined;
  return typeof code === "string" && /^(ECONN|EHOST|ENET|EAI_|ETIMEDOUT|EPIPE|ERR_STREAM|ERR_SOCKET)/.test(code);
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
export function explainError(error: unknown, address: Pick<Address, "shown" | "sasl">): Error {
  if (error instanceof MillraceError || error instanceof RecordsGone || error instanceof LaneReplaced) return error;
  const doing = typeof error === "object" && error !== null ? purposes.get(error) : undefined;
  const text = withoutPassword(wordsOf(error), address.sasl?.password);
  const message = `${address.shown}${doing === undefined ? "" : `, ${doing}`}: ${text}`;
  const { code, remedy } = explanationOf(error) ?? {
    code: "INTERNAL",
    remedy: reportRemedy,
  };
  return new MillraceError(code, message, { remedy, cause: error });
}

function withoutPassword(text: string, password: string | undefined): string {
  return password === undefined ? text : text.replaceAll(password, "***");
}

/** The errors at the bottom say what is wrong; those above them only that something was. */
export function wordsOf(error: unknown): string {
  const words = new Set<string>();
  for (const one of allOf(error)) {
    if (!(one instanceof Error)) words.add(String(one));
    else if (one instanceof ProtocolError) words.add(String(one["serverErrorMessage"] ?? one.message));
    else if (one.cause === undefined && !(one instanceof AggregateError && one.errors.length > 0)) {
      words.add(one.message === "" ? String(codeOf(one)) : one.message);
    }
  }
  return [...words].slice(0, 4).join("; ");
}
