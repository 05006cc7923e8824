import { existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import type { SslOptions } from "mysql2";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { SinkOptions } from "../../core/pipeline.ts";
import type { Place } from "../../core/place.ts";
import { decoded, refuseUnknownOptions, unusablePlace, wholeNumberOf } from "../../core/place-options.ts";

/** How to talk TLS: `prefer` goes on without when the server has none, as MySQL's own clients do. */
export interface Encryption {
  readonly prefer: boolean;
  readonly ssl: undefined | SslOptions;
}

/** A mysql URL, read once. Holds the password: never shown. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** A local socket, in the place of host and port. */
  readonly socketPath: string | undefined;
  readonly user: string;
  readonly password: string | undefined;
  /** Where target tables are. */
  readonly database: string;
  /** Where the tables are that Millrace keeps. */
  readonly stateDatabase: string;
  readonly connectMs: number;
  readonly encryption: Encryption;
}

const knownOptions = ["millrace_schema", "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket", "connect_timeout"];

/** Reads `mysql://user:password@host:port/database?…`; what it leaves open comes from the MYSQL_* variables. */
export function readAddress(place: Place, options: SinkOptions): Address {
  refuseUnknownOptions(place, knownOptions);
  const url = parseUrl(place);
  const part = (text: string): string | undefined => nonEmpty(decoded(place, text));
  const database = part(url.pathname.slice(1));
  if (database === undefined) {
    throw unusablePlace(place, "it names no database", "Write it as mysql://user:password@host:3306/database.");
  }
  const host = part(url.hostname.replace(/^\[(.+)\]$/, "$1")) ?? fromEnvironment("MYSQL_HOST");
  const portText = nonEmpty(url.port) ?? fromEnvironment("MYSQL_TCP_PORT") ?? "3306";
  const timeout = nonEmpty(place.options.get("connect_timeout"));
  return {
    host: host ?? "localhost",
    port: wholeNumberOf(place, "port", portText, 1, 65_535),
    socketPath: nonEmpty(place.options.get("socket")) ?? (host === undefined ? localSocket() : undefined),
    user: part(url.username) ?? userInfo().username,
    password: part(url.password) ?? fromEnvironment("MYSQL_PWD"),
    database,
    stateDatabase: nonEmpty(options.stateSchema) ?? nonEmpty(place.options.get("millrace_schema")) ?? database,
    connectMs:
      timeout === undefined ? limit.connectMs : wholeNumberOf(place, "connect_timeout", timeout, 1, 3600) * 1000,
    encryption: encryptionOf(place),
  };
}

function parseUrl(place: Place): URL {
  const url = URL.parse(place.url.trim());
  // The error of URL repeats the text, and with it the password: it is not asked for.
  if (url !== null) return url;
  throw unusablePlace(place, "it does not parse", "Write it as mysql://user:password@host:3306/database.");
}

/** Without a host MySQL's clients go to the local socket where there is one. */
function localSocket(): string | undefined {
  const usual = fromEnvironment("MYSQL_UNIX_PORT") ?? "/var/run/mysqld/mysqld.sock";
  return existsSync(usual) ? usual : undefined;
}

const modes = ["disabled", "preferred", "required", "verify_ca", "verify_identity"];

/** The meaning of MySQL's own clients: only the modes that begin with `verify` check the certificate. */
function encryptionOf(place: Place): Encryption {
  const file = (name: string): string | undefined => fileOf(place, name);
  const ca = file("ssl-ca");
  const given = nonEmpty(place.options.get("ssl-mode"))?.toLowerCase();
  const mode = given ?? (ca === undefined ? "preferred" : "verify_ca");
  if (!modes.includes(mode))
    throw unusablePlace(place, "it has an unknown ssl-mode", `It is one of ${modes.join(", ")}.`);
  if (mode === "disabled") return { prefer: false, ssl: undefined };
  const cert = file("ssl-cert");
  const key = file("ssl-key");
  return {
    prefer: mode === "preferred",
    ssl: {
      rejectUnauthorized: mode.startsWith("verify"),
      verifyIdentity: mode === "verify_identity",
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  };
}

function fileOf(place: Place, name: string): string | undefined {
  const path = nonEmpty(place.options.get(name));
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const details = { remedy: `Check that the file of ${name} is there and can be read.`, at: { source: path }, cause };
    throw new MillraceError("URL_INVALID", `The ${name} of ${place.shown} cannot be read`, details);
  }
}

/** The variables that MySQL's own clients honour. */
function fromEnvironment(variable: string): string | undefined {
  // oxlint-disable-next-line node/no-process-env
  return nonEmpty(process.env[variable]);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
