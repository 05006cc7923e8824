import { readFileSync } from "node:fs";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { MillraceError } from "../../core/error.ts";
import type { Place } from "../../core/place.ts";

/** A redis URL of a database, read once. Holds the password: never shown. */
export interface DatabaseAddress {
  /** `redis://user:***@host:6379/0`. */
  readonly shown: string;
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly tls: TlsOptions | undefined;
}

const knownOptions = ["user", "password", "password_file", "tls", "tls_ca", "tls_cert", "tls_key"] as const;

const form = "Write it as redis://user:password@host:6379/0; rediss:// talks TLS.";

/** Reads `redis[s]://[user:password@]host[:port][/db]`. Throws URL_INVALID. */
export function readDatabaseAddress(place: Place): DatabaseAddress {
  const unknown = [...place.options.keys()].find((name) => !(knownOptions as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw invalid(place, `it has the unknown option ${unknown}`, `Options are ${knownOptions.join(", ")}.`);
  }
  const url = URL.parse(place.url.trim());
  if (url === null || url.hostname === "") throw invalid(place, "it names no host", form);
  const [, db] = /^\/?(\d{0,5})\/?$/.exec(url.pathname) ?? [];
  if (db === undefined) throw invalid(place, "its path is not a database's number", form);
  const port = url.port === "" ? 6_379 : Number(url.port);
  const user = option(place, "user") ?? decoded(place, url.username);
  const password =
    (option(place, "password") ?? decoded(place, url.password)) || fileOf(place, "password_file")?.trim();
  const hasPassword = password !== undefined && password !== "";
  if (user !== "" && !hasPassword) throw invalid(place, "it has a user without a password", form);
  const login = hasPassword ? `${encodeURIComponent(user)}:***@` : "";
  return {
    shown: `${place.scheme}://${login}${url.hostname}:${port}/${Number(db)}`,
    host: url.hostname.replace(/^\[(.+)\]$/, "$1"),
    port,
    db: Number(db),
    user: user === "" ? undefined : user,
    password: hasPassword ? password : undefined,
    tls: tlsOf(place),
  };
}

function tlsOf(place: Place): TlsOptions | undefined {
  const standard = place.scheme === "rediss" ? "true" : "false";
  const tls = option(place, "tls") ?? standard;
  if (!["true", "false", "unverified"].includes(tls)) {
    throw invalid(place, "it has an unknown tls", "tls is one of true, false, unverified.");
  }
  const [ca, cert, key] = (["tls_ca", "tls_cert", "tls_key"] as const).map((name) => fileOf(place, name));
  if (tls === "false") {
    if (standard === "false" && [ca, cert, key].every((file) => file === undefined)) return undefined;
    throw invalid(place, "it says of TLS that it is to be talked, and that it is not", "Write rediss:// without tls.");
  }
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
