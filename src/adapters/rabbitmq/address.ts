import { readFileSync } from "node:fs";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { Place } from "../../core/place.ts";
import {
  decoded,
  oneOf,
  option,
  refuseUnknownOptions,
  timeMs,
  unusablePlace,
  wholeNumber,
  wholeNumberOf,
} from "../../core/place-options.ts";

export interface Host {
  readonly name: string;
  readonly port: number;
}

export interface Tls {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** An amqp URL, read once. Holds the password: never shown. */
export interface Address {
  /** The URL without secrets. */
  readonly shown: string;
  readonly hosts: readonly Host[];
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
  readonly queue: string;
  /** Where what is set aside goes. */
  readonly deadQueue: string;
  readonly tls: Tls | undefined;
  /** Of a queue that is created. */
  readonly kind: "quorum" | "classic";
  readonly recordsMax: number;
  readonly prefetchMax: number;
  readonly attemptsMax: number;
  readonly repeatMs: number;
}

const knownOptions = [
  ...["user", "password", "kind", "records", "prefetch", "deliveries", "dead", "seen"],
  ...["tls", "tls_ca", "tls_cert", "tls_key"],
] as const;

const form = "Write it as amqp://user:password@host:5672/QUEUE, or …/VIRTUAL-HOST/QUEUE.";

/** Reads `amqp[s]://[user:password@]host[:port][,host…]/[VIRTUAL-HOST/]QUEUE[?…]`. Throws URL_INVALID. */
export function readAddress(place: Place): Address {
  refuseUnknownOptions(place, knownOptions);
  const { credentials, hosts, virtualHost, queue } = partsOf(place);
  const [user = "", ...password] = credentials?.split(":") ?? [];
  const name = nameOf(place, queue);
  const isGiven = credentials !== undefined;
  return {
    shown: place.shown,
    hosts: hosts.split(",").map((text) => hostOf(place, text)),
    user: option(place, "user") ?? (isGiven ? decoded(place, user) : "guest"),
    password: option(place, "password") ?? (isGiven ? decoded(place, password.join(":")) : "guest"),
    virtualHost: virtualHost === undefined ? "/" : decoded(place, virtualHost),
    queue: name,
    deadQueue: option(place, "dead") ?? `${name}.dead`,
    tls: tlsOf(place),
    kind: oneOf(place, "kind", ["quorum", "classic"], "quorum"),
    recordsMax: wholeNumber(place, "records", 1, 10_000) ?? limit.queueMessageRecords,
    prefetchMax: wholeNumber(place, "prefetch", 1, 65_535) ?? limit.queuePrefetch,
    attemptsMax: wholeNumber(place, "deliveries", limit.queueCarefulAttempts + 1, 1_000) ?? limit.queueAttempts,
    repeatMs: timeMs(place, "seen") ?? limit.repeatMs,
  };
}

/** Not read by `URL`, which takes one host. What does not parse may hold a password anywhere, and is not repeated. */
function partsOf(place: Place) {
  const pattern = /^amqps?:\/\/(?:([^/?#]*)@)?([^/?#@]+)\/(?:([^/?#]+)\/)?([^/?#]+)\/?(?:\?[^#]*)?$/i;
  const [, credentials, hosts, virtualHost, queue] = pattern.exec(place.url.trim()) ?? [];
  if (hosts === undefined || queue === undefined || queue.includes("@")) {
    throw unusablePlace({ shown: `${place.scheme}://…` }, "it names no host and queue", form);
  }
  return { credentials, hosts, virtualHost, queue };
}

function hostOf(place: Place, text: string): Host {
  const standard = place.scheme === "amqps" ? "5671" : "5672";
  const [, name = "", port = standard] = /^(\[[0-9a-f:.]+\]|[^[\]:\s]+)(?::(\d{1,5}))?$/i.exec(text.trim()) ?? [];
  if (name === "") throw unusablePlace(place, "it has a host that is not host:port", form);
  return { name: name.replace(/^\[(.+)\]$/, "$1"), port: wholeNumberOf(place, "port", port, 1, 65_535) };
}

/** RabbitMQ takes up to 255 bytes; names that begin with `amq.` are its own. What is behind it is left room for. */
function nameOf(place: Place, text: string): string {
  const name = decoded(place, text);
  if (Buffer.byteLength(name) <= 200 && !name.startsWith("amq.")) return name;
  throw unusablePlace(
    place,
    "its queue has a name that cannot be used",
    "A name has up to 200 bytes, and no amq. before it.",
  );
}

function tlsOf(place: Place): Tls | undefined {
  const files = (["tls_ca", "tls_cert", "tls_key"] as const).map((name) => fileOf(place, name));
  if (place.scheme !== "amqps") {
    if (files.every((file) => file === undefined) && option(place, "tls") === undefined) return undefined;
    throw unusablePlace(place, "it has options of TLS, and talks without", "Write it as amqps://.");
  }
  const [ca, cert, key] = files;
  return {
    rejectUnauthorized: oneOf(place, "tls", ["true", "unverified"], "true") === "true",
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
