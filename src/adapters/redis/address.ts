import { readFileSync } from "node:fs";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { MillraceError } from "../../core/error.ts";
import type { Place } from "../../core/place.ts";
import { decoded, oneOf, option, refuseUnknownOptions, unusablePlace } from "../../core/place-options.ts";

/** A server and one of its databases, as a redis URL names them. Holds the password: never shown. */
export interface ServerAddress {
  /** `redis://user:***@host:6379/0`, and what else the URL is about. */
  readonly shown: string;
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly tls: TlsOptions | undefined;
}

/** What a URL is like that says more than where the server is. */
export interface UrlTerms {
  /** How to write it, for people. */
  readonly form: string;
  /** Options beside those about the server. */
  readonly options: readonly string[];
  /** Whether a name may stand behind the database: `/0/NAME`. */
  readonly takesName: boolean;
}

const serverOptions = ["user", "password", "password_file", "tls", "tls_ca", "tls_cert", "tls_key"] as const;

const database: UrlTerms = {
  form: "Write it as redis://user:password@host:6379/0; rediss:// talks TLS.",
  options: [],
  takesName: false,
};

/** Reads `redis[s]://[user:password@]host[:port][/db]`. Throws URL_INVALID. */
export function readDatabaseAddress(place: Place): ServerAddress {
  return readServerUrl(place, database).server;
}

/** What a URL says of the server, and the name behind the database, empty where there is none. Throws URL_INVALID. */
export function readServerUrl(
  place: Place,
  terms: UrlTerms,
): { readonly server: ServerAddress; readonly name: string } {
  const { form } = terms;
  refuseUnknownOptions(place, [...terms.options, ...serverOptions]);
  const url = URL.parse(place.url.trim());
  if (url === null || url.hostname === "") throw unusablePlace(place, "it does not name one host", form);
  const [, db = "0", name = ""] = /^(?:\/(\d{1,5})(?:\/([^/]*))?)?\/?$/.exec(url.pathname) ?? [undefined, "none"];
  if (db === "none" || (name !== "" && !terms.takesName)) {
    throw unusablePlace(place, "its path is not a database's number", form);
  }
  const port = url.port === "" ? 6_379 : Number(url.port);
  const user = option(place, "user") ?? decoded(place, url.username);
  const password = passwordOf(place, url);
  if (user !== "" && password === "") throw unusablePlace(place, "it has a user without a password", form);
  const login = password === "" ? "" : `${encodeURIComponent(user)}:***@`;
  const server = {
    shown: `${place.scheme}://${login}${url.hostname}:${port}/${Number(db)}`,
    host: url.hostname.replace(/^\[(.+)\]$/, "$1"),
    port,
    db: Number(db),
    user: user === "" ? undefined : user,
    password: password === "" ? undefined : password,
    tls: tlsOf(place),
  };
  return { server, name: decoded(place, name) };
}

/** Empty where there is none. */
function passwordOf(place: Place, url: URL): string {
  const inUrl = option(place, "password") ?? decoded(place, url.password);
  return inUrl === "" ? (fileOf(place, "password_file")?.trim() ?? "") : inUrl;
}

function tlsOf(place: Place): TlsOptions | undefined {
  const standard = place.scheme === "rediss" ? "true" : "false";
  const tls = oneOf(place, "tls", ["true", "false", "unverified"], standard);
  const files = (["tls_ca", "tls_cert", "tls_key"] as const).map((name) => fileOf(place, name));
  if (tls === "false") {
    if (files.every((file) => file === undefined) && standard === "false") return undefined;
    throw unusablePlace(
      place,
      "it says of TLS that it is to be talked, and that it is not",
      "Write rediss:// without tls.",
    );
  }
  const [ca, cert, key] = files;
  return {
    rejectUnauthorized: tls === "true",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function fileOf(place: Place, name: (typeof serverOptions)[number]): string | undefined {
  const path = option(place, name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const details = { remedy: `Check that the file of ${name} is there and can be read.`, at: { source: path }, cause };
    throw new MillraceError("URL_INVALID", `The ${name} of ${place.shown} cannot be read`, details);
  }
}
