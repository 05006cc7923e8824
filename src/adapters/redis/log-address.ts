import type { Place } from "../../core/place.ts";
import { bytesOf } from "../../core/setting.ts";
import { invalid, oneOf, option, readServerUrl, type ServerAddress } from "./address.ts";

/** A redis URL of a log, read once; it is shown as `redis://user:***@host:6379/0/NAME`. */
export interface LogAddress extends ServerAddress {
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

const terms = {
  form: "Write it as redis://user:password@host:6379/0?stream=NAME; rediss:// talks TLS.",
  options: ["stream", "lanes", "max", "retention", "trim", "replicas", "sync"],
  takesName: true,
} as const;

/** Reads `redis[s]://[user:password@]host[:port][/db][?stream=NAME…]`, or `/db/NAME`. Throws URL_INVALID. */
export function readLogAddress(place: Place): LogAddress {
  const { server, name: inPath } = readServerUrl(place, terms);
  const name = nameOf(place, option(place, "stream") ?? inPath);
  return {
    ...server,
    shown: `${server.shown}/${name}`,
    name,
    lanes: wholeNumber(place, "lanes", 1, 1024) ?? 8,
    bytesMax: bytesMaxOf(place),
    retentionMs: retentionOf(place),
    trimsSettled: oneOf(place, "trim", ["never", "settled"], "never") === "settled",
    replicas: wholeNumber(place, "replicas", 0, 100) ?? 0,
    syncs: oneOf(place, "sync", ["true", "false"], "true") === "true",
  };
}

function nameOf(place: Place, name: string): string {
  // Braces say which part of a key decides its node in a cluster; Millrace writes them itself.
  if (/^[A-Za-z0-9._:@-]{1,200}$/.test(name)) return name;
  if (name === "") throw invalid(place, "it names no stream", terms.form);
  const remedy = "The name has up to 200 letters, digits and any of . _ : @ -";
  throw invalid(place, "its stream has a name that cannot be used", remedy);
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

function wholeNumber(place: Place, name: string, min: number, max: number): number | undefined {
  const text = option(place, name);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw invalid(place, `its ${name} is not a number from ${min} to ${max}`, "Correct the number.");
}
