import type { KeptRecord, LogRecord } from "../../ports/log.ts";
import { timeMsOf } from "./offset.ts";

/**
 * A record as an entry: `_time` in ms since 1970, `_key` and `_id` where it has them, `_value`. An entry without `_value`
 * is one that others have written, as most do: its value is a JSON object of its fields, each a text.
 */
export const fields = { time: "_time", key: "_key", id: "_id", value: "_value" } as const;

/** What a record has, as one digit: 1 a key, 2 an id. */
export type Shape = "0" | "1" | "2" | "3";

const shapes: readonly Shape[] = ["0", "1", "2", "3"];

export function shapeOf({ key, id }: LogRecord): Shape {
  return shapes[(key === undefined ? 0 : 1) + (id === undefined ? 0 : 2)] ?? "0";
}

/** Its values, in the order of `fields`. */
export function valuesOf({ timeMs, key, id, value }: LogRecord): (string | Buffer)[] {
  return [
    String(timeMs),
    ...(key === undefined ? [] : [bufferOf(key)]),
    ...(id === undefined ? [] : [id]),
    bufferOf(value),
  ];
}

export function bytesOf({ key, id, value }: LogRecord): number {
  return value.length + (key?.length ?? 0) + (id?.length ?? 0);
}

/** Of fields and values in turn, as Redis gives them. */
export function recordOf(offset: bigint, pairs: readonly Buffer[]): KeptRecord {
  const found = new Map<string, Buffer>();
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const [name, value] = [pairs[at], pairs[at + 1]];
    if (name !== undefined && value !== undefined) found.set(name.toString(), value);
  }
  const [key, id, value] = [found.get(fields.key), found.get(fields.id), found.get(fields.value)];
  if (value === undefined) return { offset, value: objectOf(found), timeMs: timeMsOf(offset) };
  const timeMs = Number(found.get(fields.time)?.toString("latin1") ?? Number.NaN);
  return {
    offset,
    ...(key === undefined ? {} : { key }),
    value,
    ...(id === undefined ? {} : { id: id.toString() }),
    timeMs: Number.isNaN(timeMs) ? timeMsOf(offset) : timeMs,
  };
}

/** Of several fields with the same name the last counts. */
function objectOf(found: ReadonlyMap<string, Buffer>): Buffer {
  return Buffer.from(JSON.stringify(Object.fromEntries([...found].map(([name, value]) => [name, value.toString()]))));
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
