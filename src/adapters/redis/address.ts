import { readFileSync } from "node:fs";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { MillraceError } from "../../core/error.ts";
import type { Place } from "../../core/place.ts";
import { bytesOf } from "../../core/setting.ts";

/** A redis URL of a log, read once. Holds the password: never shown. */
export interface Address {
  /** `redis://user:***@host:6379/0/NAME`. */
  readonly shown: string;
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly tls: TlsOptions | undefined;
  /** Name of the log; its lanes are the streams `{name}:0`, `{name}:1`, … */
  readonly name: string;
  /** Of a log that is created. */
  readonly lanes: number;
  /** Of the log as a whole. */
  readonly bytesMax: number | undefined;
  readonly retentionMs: number | undefined;
  /** Whether what all groups have settled is removed. */
  readonly trimsSettled: boolean;
  /** Replicas that must have confirmed a record too. */
  readonly replicas: number;
  /** Whether an append waits until the append-only file is on disk, where the server can say so. */
  readonly syncs: boolean;
}

const knownOptions = [
  ...["stream", "user", "password", "tls", "tls_ca", "tls_cert", "tls_key"],
  ...["lanes", "max", "retention", "trim", "replicas", "sync"],
] as const;

const form = "Write it as redis://user:password@host:6379/0?stream=NAME; rediss:// talks TLS.";

/** Reads `redis[s]://[user:password@]host[:port][/db][?stream=NAME…]`, or `/db/NAME`. Throws URL_INVALID. */
export function readAddress(place: Place): Address {
  const unknown = [...place.options.keys()].find((name) => !(knownOptions as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw invalid(place, `it has the unknown option ${unknown}`, `Options are ${knownOptions.join(", ")}.`);
  }
  const url = URL.parse(place.url.trim());
  if (url === null || url.hostname === "") throw invalid(place, "it does not name one host", form);
  const port = url.port === "" ? 6_379 : Number(url.port);
  const { db, name } = pathOf(place, url.pathname);
  const user = option(place, "user") ?? decoded(place, url.username);
  const password = option(place, "password") ?? decoded(place, url.password);
  if (user !== "" && password === "") throw invalid(place, "it has a user without a password", form);
  const login = password === "" ? "" : `${encodeURIComponent(user)}:***@`;
  return {
    shown: `${place.scheme}://${login}${url.hostname}:${port}/${db}/${name}`,
    host: url.hostname.replace(/^\[(.+)\]$/, "$1"),
    port,
    db,
    user: user === "" ? undefined : user,
    password: password === "" ? undefined : password,
    tls: tlsOf(place),
    name,
    lanes: wholeNumber(place, "lanes", 1, 1024) ?? 8,
    bytesMax: bytesMaxOf(place),
    retentionMs: retentionOf(place),
    trimsSettled: oneOf(place, "trim", ["never", "settled"], "never") === "settled",
    replicas: wholeNumber(place, "replicas", 0, 100) ?? 0,
    syncs: oneOf(place, "sync", ["true", "false"], "true") === "true",
  };
}

function pathOf(place: Place, path: string): { db: number; name: string } {
  const [, db = "", inPath = ""] = /^(?:\/(\d{1,5})(?:\/([^/]*))?)?\/?$/.exec(path) ?? [undefined, "none"];
  if (db === "none") throw invalid(place, "its path is not a database's number", form);
  const name = option(place, "stream") ?? decoded(place, inPath);
  // Braces say which part of a key decides its node in a cluster; Millrace writes them itself.
  if (/^[A-Za-z0-9._:@-]{1,200}$/.test(name)) return { db: Number(db), name };
  if (name === "") throw invalid(place, "it names no stream", form);
  const remedy = "The name has up to 200 letters, digits and any of . _ : @ -";
  throw invalid(place, "its stream has a name that cannot be used", remedy);
}

function tlsOf(place: Place): TlsOptions | undefined {
  const standard = place.scheme === "rediss" ? "true" : "false";
  const tls = oneOf(place, "tls", ["true", "false", "unverified"], standard);
  const files = (["tls_ca", "tls_cert", "tls_key"] as const).map((name) => fileOf(place, name));
  if (tls === "false") {
    if (files.every((file) => file === undefined) && standard === "false") return undefined;
    throw invalid(place, "it says of TLS that it is to be talked, and that it is not", "Write rediss:// without tls.");
  }
  const [ca, cert, key] = files;
  return {
    rejectUnauthorized: tls === "true",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function fileOf(place: Place, name: (typeof knownOptions)[number]): string | undefined {
  const path = option(place, name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const details = { remedy: `Check that the file of ${name} is there and can be read.`, at: { source: path }, cause };
    throw new MillraceError("URL_INVALID", `The ${name} of ${place.shown} cannot be read`, details);
  }
}

function bytesMaxOf(place: Place): number | undefined {
  const text = option(place, "max");
  const bytes = text === undefined ? undefined : bytesOf(text);
  if (text === undefined || (bytes !== undefined && bytes >= 2 ** 20)) return bytes;
  throw invalid(place, "its max is not a size of at least 1 MB", "Write it as max=10GB.");
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function retentionOf(place: Place): number | undefined {
  const text = option(place, "retention");
  if (text === undefined) return undefined;
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (units[unit] ?? 0);
  if (ms > 0) return ms;
  throw invalid(place, "its retention is not a time", "Write it as retention=7d, or with h, m or s.");
}

function oneOf<Value extends string>(place: Place, name: string, values: readonly Value[], otherwise: Value): Value {
  const text = option(place, name);
  if (text === undefined) return otherwise;
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  throw invalid(place, `it has an unknown ${name}`, `${name} is one of ${values.join(", ")}.`);
}

function wholeNumber(place: Place, name: string, min: number, max: number): number | undefined {
  const text = option(place, name);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw invalid(place, `its ${name} is not a number from ${min} to ${max}`, "Correct the number.");
}

function option(place: Place, name: string): string | undefined {
  const text = place.options.get(name);
  return text === "" ? undefined : text;
}

function decoded(place: Place, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(place, "it has a % that is not followed by two digits", "Write a % in a name or password as %25.");
  }
}

function invalid(place: Place, why: string, remedy: string): MillraceError {
  return new MillraceError("URL_INVALID", `The URL ${place.shown} cannot be used: ${why}`, { remedy });
}
