import { MillraceError } from "./error.ts";

/**
 * A place is a URL: where records come from or where rows go. The scheme picks the adapter.
 * `duckdb:hr.db`, `file:./inbox/*.csv`, `postgres://user@host/db?schema=hr`, `kafka://one:9092,other:9092/topic`; a bare
 * path means `file:`.
 */
export interface Place {
  readonly scheme: string;
  /** The URL as given, secrets included: for the adapter's client only, never for a message. */
  readonly url: string;
  /** The URL without password, key or token: for messages, ledgers and logs. */
  readonly shown: string;
  /** What follows the scheme of a `scheme:path` URL, without query; empty for `scheme://host` URLs. */
  readonly path: string;
  readonly options: ReadonlyMap<string, string>;
}

const schemePattern = /^([a-z][a-z0-9+.-]+):/i;

export function parsePlace(text: string): Place {
  const trimmed = text.trim();
  // The text is not repeated here and below: what does not parse may hold a password where nobody can find it.
  if (trimmed === "" || trimmed.includes("\0")) throw invalidUrl("given", "it is empty or holds a NUL byte");
  const scheme = schemePattern.exec(trimmed)?.[1]?.toLowerCase();
  if (scheme === undefined) return pathPlace("file", trimmed, trimmed);
  const rest = trimmed.slice(scheme.length + 1);
  return rest.startsWith("//") && scheme !== "file" ? hostPlace(scheme, trimmed) : pathPlace(scheme, rest, trimmed);
}

function pathPlace(scheme: string, rest: string, url: string): Place {
  const withoutSlashes = scheme === "file" && rest.startsWith("///") ? rest.slice(2) : rest;
  // In a bare path a question mark is a glob; only a URL that names its scheme carries options.
  const cut = url.toLowerCase().startsWith(`${scheme}:`) ? optionsStart(withoutSlashes) : -1;
  const path = cut < 0 ? withoutSlashes : withoutSlashes.slice(0, cut);
  const options = new Map(cut < 0 ? [] : new URLSearchParams(withoutSlashes.slice(cut + 1)));
  if (path === "") throw invalidUrl(`${scheme}:`, "it names no path");
  return { scheme, url, shown: `${scheme}:${scheme === "file" ? path : withoutCredentials(path)}`, path, options };
}

/** `user:password@host/database`, where `//` was forgotten or the scheme left out. */
function withoutCredentials(path: string): string {
  return path.replace(/^[^/]*@/, "***@");
}

/** `?name=value` at the end is options; any other question mark belongs to the path, as a glob. */
function optionsStart(path: string): number {
  const match = /\?[A-Za-z_][A-Za-z0-9_.-]*=[^?]*$/.exec(path);
  return match?.index ?? -1;
}

function hostPlace(scheme: string, url: string): Place {
  const { head, hosts, tail } = authorityOf(url);
  const isRead = hosts.length === 1 || hosts.every((host) => (URL.parse(`${scheme}://${host}`)?.host ?? "") !== "");
  // Not `new URL` and its error: that one carries the whole text. It takes one host, and so the first stands for all.
  const parsed = isRead ? URL.parse(`${head}${hosts[0]}${tail}`) : null;
  if (parsed === null) throw invalidUrl(`${scheme}://…`, "it does not parse as a URL");
  return { scheme, url, shown: withHosts(redact(parsed), hosts), path: "", options: new Map(parsed.searchParams) };
}

/** `scheme://user:password@`, the hosts, of which the places of a cluster have several, and what comes behind. */
function authorityOf(url: string): { readonly head: string; readonly hosts: readonly string[]; readonly tail: string } {
  const [, head = "", hosts = "", tail = ""] = /^([^/]*\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/s.exec(url) ?? [];
  return { head, hosts: hosts.split(","), tail };
}

function withHosts(shown: string, hosts: readonly string[]): string {
  if (hosts.length === 1) return shown;
  const { head, tail } = authorityOf(shown);
  return `${head}${hosts.join(",")}${tail}`;
}

/** Whether an option of this name holds a secret. */
export function isSecretOption(name: string): boolean {
  return /pass|secret|token|key|credential|signature/i.test(name);
}

/** Where a name without a password is a token and not a user. */
const tokenSchemes: ReadonlySet<string> = new Set(["nats:"]);

function redact(parsed: URL): string {
  const shown = new URL(parsed.href);
  if (shown.password !== "") shown.password = "***";
  else if (shown.username !== "" && tokenSchemes.has(shown.protocol)) shown.username = "***";
  for (const name of [...shown.searchParams.keys()]) {
    if (isSecretOption(name)) shown.searchParams.set(name, "***");
  }
  return shown.href;
}

function invalidUrl(shown: string, why: string): MillraceError {
  return new MillraceError("URL_INVALID", `The URL ${shown} cannot be used: ${why}`, {
    remedy:
      "Write it as duckdb:PATH, file:PATH or postgres://user@host/database; quote characters such as @ or / in a password as %40 and %2F.",
  });
}
