import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Place } from "../../core/place.ts";
import { option, unusablePlace } from "../../core/place-options.ts";
import { fileOf } from "./address.ts";

/** Which keys a server may show. */
export interface KnownKeys {
  /** Of a key as it comes in the handshake. */
  isKnown(key: Buffer): boolean;
  /** The kinds of keys that are known, for the server to show one of them; empty: any. */
  readonly algorithms: readonly string[];
}

export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** By `host_key`, else by `known_hosts`, which is that of OpenSSH when absent. Throws URL_INVALID. */
export function knownKeys(place: Place, host: string, port: number): KnownKeys {
  const fingerprint = option(place, "host_key")?.replaceAll(" ", "+").replace(/=+$/, "");
  if (fingerprint !== undefined) {
    if (!/^SHA256:[A-Za-z0-9+/]{43}$/.test(fingerprint)) {
      throw unusablePlace(place, "its host_key is no fingerprint", "Write it as ssh-keygen -l shows it: SHA256:…");
    }
    return { isKnown: (key) => fingerprintOf(key) === fingerprint, algorithms: [] };
  }
  const text = fileOf(place, "known_hosts") ?? ownKnownHosts();
  const entries = text.split(/\r?\n/).map(entryOf);
  const mine = entries.filter((entry) => entry !== undefined && isOf(entry, host, port)) as KnownHost[];
  const revoked = mine.filter(({ mark }) => mark === "@revoked");
  const known = mine.filter(({ mark }) => mark === "");
  const has = (some: readonly KnownHost[], key: Buffer): boolean => some.some((entry) => isSame(entry.key, key));
  return {
    isKnown: (key) => has(known, key) && !has(revoked, key),
    algorithms: [...new Set(known.flatMap(({ kind }) => signaturesOf(kind)))],
  };
}

/** RSA keys sign in newer ways than the one that they are called by. */
function signaturesOf(kind: string): readonly string[] {
  return kind === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [kind];
}

interface KnownHost {
  readonly mark: string;
  readonly names: string;
  readonly kind: string;
  readonly key: Buffer;
}

function ownKnownHosts(): string {
  try {
    return readFileSync(join(homedir(), ".ssh", "known_hosts"), "utf8");
  } catch {
    return ""; // no host is known then, and none is connected to
  }
}

function entryOf(line: string): KnownHost | undefined {
  const [, mark = "", names = "", kind = "", key = ""] =
    /^\s*(?:(@\S+)\s+)?([^#@\s]\S*)\s+(\S+)\s+([A-Za-z0-9+/=]+)/.exec(line) ?? [];
  return names === "" ? undefined : { mark, names, kind, key: Buffer.from(key, "base64") };
}

/** Names are `host`, `[host]:port`, patterns of them, or their salted hash. */
function isOf({ names }: KnownHost, host: string, port: number): boolean {
  const name = (port === 22 ? host : `[${host}]:${port}`).toLowerCase();
  const [, salt, hash] = /^\|1\|([^|]+)\|([^|]+)$/.exec(names) ?? [];
  if (salt !== undefined && hash !== undefined) {
    const own = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
    return isSame(own, Buffer.from(hash, "base64"));
  }
  const patterns = names.toLowerCase().split(",");
  const isMeant = (pattern: string): boolean => patternOf(pattern).test(name);
  if (patterns.some((pattern) => pattern.startsWith("!") && isMeant(pattern.slice(1)))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && isMeant(pattern));
}

function patternOf(pattern: string): RegExp {
  const text = pattern
    .replaceAll(/[\\^$.|+()[\]{}]/g, "\\$&")
    .replaceAll(/\*+/g, ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${text}$`);
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
