import { readFileSync } from "node:fs";
import type { NodeConnectionOptions } from "@nats-io/transport-node";
import { MillraceError } from "../../core/error.ts";
import type { Place } from "../../core/place.ts";
import {
  decoded,
  maxBytes,
  oneOf,
  option,
  refuseUnknownOptions,
  retentionMs,
  unusablePlace,
  wholeNumber,
} from "../../core/place-options.ts";

export type Tls = NonNullable<NodeConnectionOptions["tls"]>;

/** How a client says who it is. */
export type Login =
  | { readonly kind: "user"; readonly user: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string }
  /** The content of a .creds file: a JWT and the seed of its key. */
  | { readonly kind: "creds"; readonly creds: Uint8Array };

/** A nats URL, read once. Holds the password: never shown. */
export interface Address {
  /** The URL without secrets. */
  readonly shown: string;
  /** `host:port` of each server to begin with; the others of the cluster are learned from them. */
  readonly servers: readonly string[];
  readonly login: Login | undefined;
  /** Undefined: as the server wants it. Null: never. */
  readonly tls: Tls | null | undefined;
  /** Name of the log; its lanes are the streams `name-0`, `name-1`, … */
  readonly name: string;
  /** Of a log that is created. */
  readonly lanes: number;
  readonly replicas: number;
  readonly bytesMax: number | undefined;
  readonly retentionMs: number | undefined;
  /** Whether what all groups have settled is removed. */
  readonly trimsSettled: boolean;
}

const knownOptions = [
  ...["servers", "user", "password", "token", "creds", "tls", "tls_ca", "tls_cert", "tls_key"],
  ...["lanes", "replicas", "max", "retention", "trim"],
] as const;

const form = "Write it as nats://user:password@host:4222/STREAM.";

/** Reads `nats://[user:password@|token@]host[:port][,host…]/STREAM[?…]`. Throws URL_INVALID. */
export function readAddress(place: Place): Address {
  refuseUnknownOptions(place, knownOptions);
  const { credentials, hosts, name } = partsOf(place);
  return {
    shown: place.shown,
    servers: [...hosts.split(","), ...(option(place, "servers")?.split(",") ?? [])].map((text) =>
      serverOf(place, text),
    ),
    login: loginOf(place, credentials),
    tls: tlsOf(place),
    name: nameOf(place, name),
    lanes: wholeNumber(place, "lanes", 1, 1024) ?? 8,
    replicas: wholeNumber(place, "replicas", 1, 5) ?? 1,
    bytesMax: maxBytes(place),
    retentionMs: retentionMs(place),
    trimsSettled: oneOf(place, "trim", ["never", "settled"], "never") === "settled",
  };
}

/** Not read by `URL`, which takes one host. */
function partsOf(place: Place): { credentials: string | undefined; hosts: string; name: string } {
  const found = /^nats:\/\/(?:([^/?#]*)@)?([^/?#@]+)\/([^/?#]+)\/?(?:\?[^#]*)?$/i.exec(place.url.trim());
  const [, credentials, hosts, name] = found ?? [];
  if (hosts === undefined || name === undefined) throw unusablePlace(place, "it names no host and stream", form);
  return { credentials, hosts, name };
}

function serverOf(place: Place, text: string): string {
  const [, host = "", port = "4222"] = /^(\[[0-9a-f:.]+\]|[^[\]:\s]+)(?::(\d{1,5}))?$/i.exec(text.trim()) ?? [];
  if (host !== "" && Number(port) >= 1 && Number(port) <= 65_535) return `${host}:${port}`;
  throw unusablePlace(place, "it has a server that is not host:port", form);
}

/** Narrower than what NATS takes: the name stands in subjects and, followed by a lane, in names of streams. */
function nameOf(place: Place, text: string): string {
  const name = decoded(place, text);
  if (/^[A-Za-z0-9_-]{1,100}$/.test(name)) return name;
  const remedy = "The name has up to 100 letters, digits, underscores and hyphens.";
  throw unusablePlace(place, "its stream has a name that cannot be used", remedy);
}

function loginOf(place: Place, credentials: string | undefined): Login | undefined {
  const creds = fileOf(place, "creds");
  if (creds !== undefined) return { kind: "creds", creds };
  const [name = "", ...rest] = credentials?.split(":") ?? [];
  const isToken = credentials !== undefined && rest.length === 0;
  const token = option(place, "token") ?? (isToken ? decoded(place, name) : "");
  if (token !== "") return { kind: "token", token };
  const user = option(place, "user") ?? decoded(place, name);
  const password = option(place, "password") ?? decoded(place, rest.join(":"));
  if (user === "" && password === "") return undefined;
  if (user !== "" && password !== "") return { kind: "user", user, password };
  throw unusablePlace(place, "it has not both user and password", "Write them as user:password@ before the host.");
}

function tlsOf(place: Place): Tls | null | undefined {
  const tls = oneOf(place, "tls", ["true", "false", "unverified", "auto"], "auto");
  const files = (["tls_ca", "tls_cert", "tls_key"] as const).map((name) => fileOf(place, name));
  const isGiven = files.some((file) => file !== undefined);
  if (tls === "false" && isGiven) throw unusablePlace(place, "it has files for TLS and tls=false", "Write tls=true.");
  if (tls === "false") return null;
  if (tls === "auto" && !isGiven) return undefined;
  const [ca, cert, key] = files.map((file) => (file === undefined ? undefined : new TextDecoder().decode(file)));
  return {
    ...(tls === "unverified" ? { rejectUnauthorized: false } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function fileOf(place: Place, name: (typeof knownOptions)[number]): Uint8Array | undefined {
  const path = option(place, name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (cause) {
    const details = { remedy: `Check that the file of ${name} is there and can be read.`, at: { source: path }, cause };
    throw new MillraceError("URL_INVALID", `The ${name} of ${place.shown} cannot be read`, details);
  }
}
