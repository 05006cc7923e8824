import { existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import type { ConnectionOptions } from "node:tls";
import type { PoolConfig } from "pg";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { SinkOptions } from "../../core/pipeline.ts";
import type { Place } from "../../core/place.ts";
import { decoded, refuseUnknownOptions, unusablePlace, wholeNumberOf } from "../../core/place-options.ts";

/** How to talk TLS: `prefer` tries it and goes on without when the server has none, as libpq does. */
export interface Encryption {
  readonly prefer: boolean;
  readonly ssl: false | ConnectionOptions;
}

/** A postgres URL, read once. Holds the password: never shown. */
export interface Address {
  readonly connection: PoolConfig;
  readonly encryption: Encryption;
  /** Schema of target tables; undefined: the first of the search path. */
  readonly schema: string | undefined;
  /** Schema of the tables that Millrace keeps; undefined: the target's. */
  readonly stateSchema: string | undefined;
}

const knownOptions = [
  ...["schema", "millrace_schema", "sslmode", "sslrootcert", "sslcert", "sslkey"],
  ...["host", "port", "user", "password", "dbname", "options", "application_name", "connect_timeout"],
] as const;

type OptionName = (typeof knownOptions)[number];
type Take = (name: OptionName, variable?: string) => string | undefined;

/** Reads `postgres://user:password@host:port/database?…`; what it leaves open comes from the PG* variables. */
export function readAddress(place: Place, options: SinkOptions): Address {
  refuseUnknownOptions(place, knownOptions);
  const url = parseUrl(place);
  const take: Take = (name, variable) =>
    nonEmpty(place.options.get(name)) ?? (variable === undefined ? undefined : fromEnvironment(variable));
  const schema = take("schema");
  return {
    connection: connectionOf(place, url, take),
    encryption: encryptionOf(place, take),
    schema,
    stateSchema: nonEmpty(options.stateSchema) ?? take("millrace_schema") ?? schema,
  };
}

function parseUrl(place: Place): URL {
  try {
    return new URL(place.url.trim());
  } catch {
    // The error of URL repeats the text, and with it the password: it is not passed on.
    throw unusablePlace(place, "it does not parse", "Write it as postgres://user:password@host:5432/database.");
  }
}

function connectionOf(place: Place, url: URL, take: Take): PoolConfig {
  const decode = (text: string): string | undefined => nonEmpty(decoded(place, text));
  const portText = take("port") ?? nonEmpty(url.port) ?? fromEnvironment("PGPORT") ?? "5432";
  const port = wholeNumberOf(place, "port", portText, 1, 65_535);
  const user = take("user") ?? decode(url.username) ?? fromEnvironment("PGUSER") ?? userInfo().username;
  const password = take("password") ?? decode(url.password) ?? fromEnvironment("PGPASSWORD");
  const timeout = take("connect_timeout", "PGCONNECT_TIMEOUT");
  const startOptions = take("options", "PGOPTIONS");
  return {
    user,
    port,
    ...(password === undefined ? {} : { password }),
    host:
      take("host") ?? decode(url.hostname.replace(/^\[(.+)\]$/, "$1")) ?? fromEnvironment("PGHOST") ?? localHost(port),
    database: take("dbname") ?? decode(url.pathname.slice(1)) ?? fromEnvironment("PGDATABASE") ?? user,
    application_name: take("application_name", "PGAPPNAME") ?? "millrace",
    connectionTimeoutMillis:
      timeout === undefined ? limit.connectMs : wholeNumberOf(place, "connect_timeout", timeout, 1, 3600) * 1000,
    ...(startOptions === undefined ? {} : { options: startOptions }),
    keepAlive: true,
    keepAliveInitialDelayMillis: limit.connectMs,
  };
}

/** Without a host libpq goes to the local socket where there is one. */
function localHost(port: number): string {
  const folder = "/var/run/postgresql";
  return existsSync(`${folder}/.s.PGSQL.${port}`) ? folder : "localhost";
}

const modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;

/** The meaning of libpq: only `verify-ca` and `verify-full` check the certificate, and `require` when a root is given. */
function encryptionOf(place: Place, take: Take): Encryption {
  const mode = take("sslmode", "PGSSLMODE") ?? "prefer";
  if (!(modes as readonly string[]).includes(mode)) {
    throw unusablePlace(place, `it has an unknown sslmode`, `sslmode is one of ${modes.join(", ")}.`);
  }
  if (mode === "disable") return { prefer: false, ssl: false };
  const root = take("sslrootcert", "PGSSLROOTCERT");
  const cert = take("sslcert", "PGSSLCERT");
  const key = take("sslkey", "PGSSLKEY");
  const verify = mode.startsWith("verify") || (mode === "require" && root !== undefined);
  return {
    prefer: mode === "prefer" || mode === "allow",
    ssl: {
      rejectUnauthorized: verify,
      ...(verify && mode !== "verify-full" ? { checkServerIdentity: () => undefined } : {}),
      ...(root === undefined || root === "system" ? {} : { ca: fileOf(place, "sslrootcert", root) }),
      ...(cert === undefined ? {} : { cert: fileOf(place, "sslcert", cert) }),
      ...(key === undefined ? {} : { key: fileOf(place, "sslkey", key) }),
    },
  };
}

function fileOf(place: Place, name: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const details = { remedy: `Check that the file of ${name} is there and can be read.`, at: { source: path }, cause };
    throw new MillraceError("URL_INVALID", `The ${name} of ${place.shown} cannot be read`, details);
  }
}

/** libpq's own variables, which every PostgreSQL client honours. */
function fromEnvironment(variable: string): string | undefined {
  // oxlint-disable-next-line node/no-process-env
  return nonEmpty(process.env[variable]);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
