import type { Place } from "../../core/place.ts";
import { maxBytes, oneOf, option, retentionMs, unusablePlace, wholeNumber } from "../../core/place-options.ts";
import { readServerUrl, type ServerAddress } from "./address.ts";

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
    bytesMax: maxBytes(place),
    retentionMs: retentionMs(place),
    trimsSettled: oneOf(place, "trim", ["never", "settled"], "never") === "settled",
    replicas: wholeNumber(place, "replicas", 0, 100) ?? 0,
    syncs: oneOf(place, "sync", ["true", "false"], "true") === "true",
  };
}

function nameOf(place: Place, name: string): string {
  // Braces say which part of a key decides its node in a cluster; Millrace writes them itself.
  if (/^[A-Za-z0-9._:@-]{1,200}$/.test(name)) return name;
  if (name === "") throw unusablePlace(place, "it names no stream", terms.form);
  const remedy = "The name has up to 200 letters, digits and any of . _ : @ -";
  throw unusablePlace(place, "its stream has a name that cannot be used", remedy);
}
