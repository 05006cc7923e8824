import { headers, type Msg, type MsgHdrs } from "@nats-io/transport-node";
import type { KeptRecord, LogRecord } from "../../ports/log.ts";

/**
 * A record as a message: the value is its payload; `Millrace-Key` its key, `Millrace-Time` its time in ms since 1970.
 * `Nats-Msg-Id`, by which JetStream itself knows repeats, is its id; one that is no visible ASCII stands there encoded,
 * as it stands in `Millrace-Id`. Encoded is like in a URL: letters, digits and -._~ are themselves, others %XX.
 */
const keyHeader = "Millrace-Key";
const timeHeader = "Millrace-Time";
const idHeader = "Millrace-Id";
const messageIdHeader = "Nats-Msg-Id";

export function headersOf({ key, id, timeMs }: LogRecord): MsgHdrs {
  const made = headers();
  made.set(timeHeader, String(timeMs));
  if (key !== undefined) made.set(keyHeader, encoded(key));
  if (id === undefined) return made;
  const isPlain = /^[!-~]+$/.test(id);
  const shownId = isPlain ? id : encoded(new TextEncoder().encode(id));
  if (!isPlain) made.set(idHeader, shownId);
  if (shownId !== "") made.set(messageIdHeader, shownId);
  return made;
}

/** Bytes of headers as they are sent: `NATS/1.0`, a line for each, an empty line. */
export function headerBytes(made: MsgHdrs): number {
  let bytes = "NATS/1.0\r\n\r\n".length;
  for (const [name, values] of made) bytes += name.length + ": \r\n".length + (values[0]?.length ?? 0);
  return bytes;
}

/** Where a message of a consumer stands in its stream, and among those that were delivered. */
export interface Delivery {
  readonly sequence: bigint;
  /** From 1, without a gap unless a message was lost on its way. */
  readonly delivered: number;
  readonly storedMs: number;
}

/**
 * Read from the subject to which an acknowledgement would go: `$JS.ACK.<stream>.<consumer>.<times delivered>.
 * <sequence in the stream>.<sequence of the consumer>.<ns since 1970>.<left>`; with domain and account behind `ACK`,
 * where there are more than nine parts. https://docs.nats.io/reference/reference-protocols/nats_api_reference
 */
export function deliveryOf(reply: string): Delivery | undefined {
  const parts = reply.split(".");
  if (parts[0] !== "$JS" || parts[1] !== "ACK" || parts.length < 9) return undefined;
  const from = parts.length === 9 ? 5 : 7;
  const [sequence = "", delivered = "", stored = ""] = parts.slice(from, from + 3);
  return { sequence: BigInt(sequence), delivered: Number(delivered), storedMs: Number(stored.slice(0, -6)) };
}

export function recordOf(message: Msg, { sequence, storedMs }: Delivery): KeptRecord {
  const { headers: given, data } = message;
  if (given === undefined) return { offset: sequence, value: data, timeMs: storedMs };
  const id = idOf(given);
  const time = given.get(timeHeader);
  return {
    offset: sequence,
    ...(given.has(keyHeader) ? { key: decoded(given.get(keyHeader)) } : {}),
    value: data,
    ...(id === undefined ? {} : { id }),
    timeMs: time === "" || Number.isNaN(Number(time)) ? storedMs : Number(time),
  };
}

function idOf(given: MsgHdrs): string | undefined {
  if (given.has(idHeader)) return new TextDecoder().decode(decoded(given.get(idHeader)));
  const id = given.get(messageIdHeader);
  return id === "" ? undefined : id;
}

function encoded(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  return text.replaceAll(/[^A-Za-z0-9._~-]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

function decoded(text: string): Uint8Array {
  const plain = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return new Uint8Array(Buffer.from(plain, "latin1"));
}
