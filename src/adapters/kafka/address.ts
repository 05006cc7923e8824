import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { Place } from "../../core/place.ts";
import { decoded, oneOf, option, unusablePlace, wholeNumber } from "../../core/place-options.ts";
import { type Compression, compressions } from "./compression.ts";

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

export interface Sasl {
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
  readonly username: string;
  readonly password: string;
}

/** A kafka URL, read once. Holds the password: never shown. */
export interface Address {
  /** The URL without secrets. */
  readonly shown: string;
  /** Those to begin with; the others are learned from them. */
  readonly brokers: readonly BrokerAddress[];
  readonly topic: string;
  readonly clientId: string;
  readonly tls: TlsOptions | undefined;
  readonly sasl: Sasl | undefined;
  /** Of a topic that is created; undefined: as the broker's settings say. */
  readonly partitions: number | undefined;
  readonly replicas: number | undefined;
  /** Kafka's own settings of a topic that is created, such as `retention.ms`. */
  readonly topicSettings: ReadonlyMap<string, string>;
  readonly compression: Compression;
  readonly lingerMs: number;
  readonly timeoutMs: number;
  readonly sessionMs: number;
}

const knownOptions = [
  ...["brokers", "user", "password", "sasl", "tls", "tls_ca", "tls_cert", "tls_key", "client_id"],
  ...["partitions", "replicas", "compression", "linger_ms", "timeout_ms", "session_ms"],
] as const;

const form = "Write it as kafka://user:password@host:9092/topic.";
const topicOption = "topic.";

/** Reads `kafka://[user:password@]host[:port][,host[:port]…]/topic[?…]`. Throws URL_INVALID. */
export function readAddress(place: Place): Address {
  const { credentials, hosts, topic } = partsOf(place);
  for (const name of place.options.keys()) checkOption(place, name);
  const count = (name: string, max: number): number | undefined => wholeNumber(place, name, 1, max);
  return {
    shown: place.shown,
    brokers: [...hosts.split(","), ...(option(place, "brokers")?.split(",") ?? [])].map((text) =>
      brokerOf(place, text),
    ),
    topic: topicOf(place, topic),
    clientId: clientIdOf(place),
    tls: tlsOf(place),
    sasl: saslOf(place, credentials),
    partitions: count("partitions", 100_000),
    replicas: count("replicas", 1_000),
    topicSettings: topicSettingsOf(place),
    compression: oneOf(place, "compression", compressions, "none"),
    lingerMs: wholeNumber(place, "linger_ms", 0, 10_000) ?? 2,
    timeoutMs: wholeNumber(place, "timeout_ms", 100, 3_600_000) ?? limit.kafkaAppendMs,
    sessionMs: wholeNumber(place, "session_ms", 1_000, 1_800_000) ?? limit.kafkaSessionMs,
  };
}

function checkOption(place: Place, name: string): void {
  if ((knownOptions as readonly string[]).includes(name) || /^topic\.[a-z][a-z.]*$/.test(name)) return;
  const remedy = `Options are ${knownOptions.join(", ")}, and topic.… for settings of a topic that is created.`;
  throw unusablePlace(place, `it has the unknown option ${name}`, remedy);
}

/** Not read by `URL`, which takes one host. What does not parse may hold a password anywhere, and is not repeated. */
function partsOf(place: Place): { credentials: string | undefined; hosts: string; topic: string } {
  const found = /^kafka:\/\/(?:([^/?#]*)@)?([^/?#@]+)\/([^/?#]+)\/?(?:\?[^#]*)?$/i.exec(place.url.trim());
  const [, credentials, hosts, topic] = found ?? [];
  if (hosts === undefined || topic === undefined || topic.includes("@")) {
    throw unusablePlace({ shown: "kafka://…" }, "it names no host and topic", form);
  }
  return { credentials, hosts, topic };
}

function brokerOf(place: Place, text: string): BrokerAddress {
  const [, host = "", port = "9092"] = /^(\[[0-9a-f:.]+\]|[^[\]:\s]+)(?::(\d{1,5}))?$/i.exec(text.trim()) ?? [];
  if (host === "" || Number(port) < 1 || Number(port) > 65_535) {
    throw unusablePlace(place, "it has a broker that is not host:port", form);
  }
  return { host: host.replace(/^\[(.+)\]$/, "$1"), port: Number(port) };
}

/** What Kafka takes as a topic's name: org.apache.kafka.common.internals.Topic. */
function topicOf(place: Place, text: string): string {
  const name = decoded(place, text);
  if (/^[A-Za-z0-9._-]{1,249}$/.test(name) && name !== "." && name !== "..") return name;
  const remedy = "A topic's name has up to 249 letters, digits, dots, underscores and hyphens.";
  throw unusablePlace(place, "its topic has a name that Kafka does not take", remedy);
}

function clientIdOf(place: Place): string {
  const id = option(place, "client_id") ?? "millrace";
  if (/^\S{1,249}$/.test(id)) return id;
  throw unusablePlace(place, "its client_id has blanks or more than 249 characters", "Shorten it.");
}

const mechanisms = { plain: "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512" } as const;

function saslOf(place: Place, credentials: string | undefined): Sasl | undefined {
  const [name = "", ...rest] = credentials?.split(":") ?? [];
  const username = option(place, "user") ?? decoded(place, name);
  const password = option(place, "password") ?? decoded(place, rest.join(":"));
  const chosen = option(place, "sasl");
  if (chosen === undefined && username === "" && password === "") return undefined;
  const names = Object.keys(mechanisms) as (keyof typeof mechanisms)[];
  const remedy = `Add sasl=${names.join(" or sasl=")}, as the brokers are set up.`;
  if (chosen === undefined) throw unusablePlace(place, "it has a user, and not how to log in", remedy);
  const mechanism = names.find((one) => one === chosen.toLowerCase());
  if (mechanism === undefined) throw unusablePlace(place, "it has an unknown sasl", remedy);
  if (username === "" || password === "") {
    throw unusablePlace(
      place,
      "it has sasl, and not both user and password",
      "Write them as user:password@ before the host.",
    );
  }
  return { mechanism: mechanisms[mechanism], username, password };
}

function tlsOf(place: Place): TlsOptions | undefined {
  const tls = oneOf(place, "tls", ["true", "false", "unverified"], "false");
  const files = ["tls_ca", "tls_cert", "tls_key"] as const;
  if (tls === "false") {
    const given = files.find((name) => option(place, name) !== undefined);
    if (given === undefined) return undefined;
    throw unusablePlace(place, `it has ${given} without tls`, "Add tls=true.");
  }
  const [ca, cert, key] = files.map((name) => fileOf(place, name));
  return {
    rejectUnauthorized: tls === "true",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** The name that is told to a server that serves several; an address is no name (RFC 6066). */
export function serverNameOf({ host }: BrokerAddress): string | undefined {
  return isIP(host) === 0 ? host : undefined;
}

function fileOf(place: Place, name: string): string | undefined {
  const path = option(place, name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const details = { remedy: `Check that the file of ${name} is there and can be read.`, at: { source: path }, cause };
    throw new MillraceError("URL_INVALID", `The ${name} of ${place.shown} cannot be read`, details);
  }
}

function topicSettingsOf(place: Place): ReadonlyMap<string, string> {
  const own = [...place.options].filter(([name]) => name.startsWith(topicOption));
  return new Map(own.map(([name, value]) => [name.slice(topicOption.length), value]));
}
