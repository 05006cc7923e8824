import { type ErrorCode, MillraceError, reportRemedy } from "../../core/error.ts";
import type { DatabaseAddress } from "./store-address.ts";

interface Explanation {
  readonly code: ErrorCode;
  readonly remedy: string;
}

const away: Explanation = {
  code: "SINK_UNREACHABLE",
  remedy: "Check host and port in the URL, that the server runs, and that the network reaches it; then try again.",
};
const starting: Explanation = {
  code: "SINK_UNREACHABLE",
  remedy: "The server is coming up, or waits for its master; wait until it answers.",
};
const denied: Explanation = {
  code: "SINK_DENIED",
  remedy: "Check user and password in the URL, and the rights of the user (ACL); docs/stores.md lists the commands.",
};
const full: Explanation = {
  code: "SINK_FULL",
  remedy: "Give the server more memory (maxmemory), or clear replicas that nobody needs.",
};
const readOnly: Explanation = {
  code: "SINK_READ_ONLY",
  remedy: "The server is a replica, or cannot write its files: name the master in the URL, or see the server's log.",
};
const busy: Explanation = { code: "SINK_BUSY", remedy: "The server is busy with something; it passes." };
const otherType: Explanation = {
  code: "SINK_REFUSED",
  remedy: "A key of that name holds something of another program. Choose another database in the URL.",
};
const tls: Explanation = {
  code: "SINK_UNREACHABLE",
  remedy: "Check rediss:// and tls_ca in the URL: whether the server talks TLS there, and who signed its certificate.",
};
const refused: Explanation = { code: "SINK_REFUSED", remedy: "See the server's message and its log." };

/** By the first word of what the server says. */
const byWord: ReadonlyMap<string, Explanation> = new Map([
  ...["LOADING", "MASTERDOWN", "CLUSTERDOWN"].map((word) => [word, starting] as const),
  ...["NOAUTH", "WRONGPASS", "NOPERM", "DENIED"].map((word) => [word, denied] as const),
  ...["READONLY", "MISCONF"].map((word) => [word, readOnly] as const),
  ...["BUSY", "TRYAGAIN", "UNKILLABLE", "NOREPLICAS"].map((word) => [word, busy] as const),
  ["OOM", full],
  ["WRONGTYPE", otherType],
  ["FOREIGN", otherType],
]);

/** What the server said, without where in a script it was raised. */
function wordsOf(error: Error): string {
  return error.message.replace(/ script: [0-9a-f]{40}, on .*$/s, "").replace(/^ERR (?=[A-Z]{3})/, "");
}

function explanationOf(error: Error): Explanation | undefined {
  if (error.name === "ReplyError") {
    const words = wordsOf(error);
    const known = byWord.get(/^-?([A-Z]{2,})\b/.exec(words)?.[1] ?? "");
    if (known !== undefined) return known;
    if (/without any password|invalid password|AUTH/i.test(words)) return denied;
    return /max number of clients/i.test(words) ? busy : refused;
  }
  const { code } = error as { readonly code?: unknown };
  const text = `${typeof code === "string" ? code : ""} ${error.message}`;
  if (/CERT|SELF.SIGNED|ERR_TLS|ERR_SSL|UNABLE_TO_(GET|VERIFY)|EPROTO/i.test(text)) return tls;
  const isAway =
    /Connection is closed|Stream isn't writeable|ECONN|ETIMEDOUT|EPIPE|EHOST|ENET|ENOTFOUND|EAI_AGAIN|Socket timeout/;
  if (isAway.test(text) || "command" in error) return away;
  return error.cause instanceof Error ? explanationOf(error.cause) : undefined;
}

/** The error as one with a code that names the place; without the command, among whose arguments values are. */
export function explainRedis(error: unknown, { shown, password }: DatabaseAddress): MillraceError {
  if (error instanceof MillraceError) return error;
  const found = error instanceof Error ? error : new Error(String(error));
  const words = wordsOf(found);
  const { code, remedy } = explanationOf(found) ?? { code: "INTERNAL", remedy: reportRemedy };
  const message = `${shown}: ${password === undefined ? words : words.replaceAll(password, "***")}`;
  return new MillraceError(code, message, { remedy, cause: withoutCommand(found) });
}

function withoutCommand(error: Error): Error {
  const plain = new Error(wordsOf(error));
  plain.name = error.name;
  return plain;
}
