import type { Column } from "../core/contract.ts";
import type { CsvRows, SinkColumn } from "../ports/rows.ts";
import type { RawBatch } from "../ports/source.ts";
import { csvRows } from "./csv-rows.ts";

/**
 * Good records that a CSV sink reads just as the engine read them are sent on as the bytes they came in: nothing is
 * cast back to text. This holds when fields and columns agree in number and order and each column's accepted text
 * means the same value to both.
 */
export function passesThrough(raw: RawBatch, columns: readonly SinkColumn[]): boolean {
  const { records } = raw;
  if (records.kind !== "delimited" || columns.length < 2) return false;
  if (records.nullText !== undefined || records.delimiter.length !== 1) return false;
  // With another quote a `"` is plain text, which a CSV sink would take for a quote.
  if (records.quote !== '"') return false;
  if (records.columns.length !== columns.length) return false;
  return columns.every((column, index) => records.columns[index] === column.name && meansTheSame(column));
}

/** Formats of one's own and offsets of a timestamp are read by Millrace alone. */
function meansTheSame(column: Column): boolean {
  if (column.type === "date") return column.format === undefined;
  if (column.type === "timestamp") return column.format === "%Y-%m-%dT%H:%M:%SZ";
  return true;
}

/** The text of a batch without its bad records, `bad` being their indexes in order. */
export function passThroughCsv(raw: RawBatch, bad: readonly number[]): CsvRows {
  if (raw.records.kind !== "delimited") throw new TypeError("only delimited records pass through");
  const { text, delimiter } = raw.records;
  if (bad.length === 0) return csvRows(text, delimiter);
  const kept = new Uint8Array(text.byteLength);
  let length = 0;
  let from = 0;
  for (const range of recordRanges(text, bad)) {
    kept.set(text.subarray(from, range.start), length);
    length += range.start - from;
    from = range.end;
  }
  kept.set(text.subarray(from), length);
  length += text.byteLength - from;
  return csvRows(kept.subarray(0, length), delimiter);
}

interface ByteRange {
  readonly start: number;
  /** Behind the record's line end. */
  readonly end: number;
}

const newline = 10;
const quote = 34;

/** Where the records of these ascending indexes lie. Well-formed text: the parity of quotes tells what ends a record. */
function* recordRanges(text: Uint8Array, indexes: readonly number[]): Iterable<ByteRange> {
  let record = 0;
  let start = 0;
  let quoted = false;
  let wanted = 0;
  for (let at = 0; at < text.byteLength && wanted < indexes.length; at += 1) {
    const byte = text[at];
    if (byte === quote) quoted = !quoted;
    if (byte !== newline || quoted) continue;
    if (record === indexes[wanted]) {
      yield { start, end: at + 1 };
      wanted += 1;
    }
    record += 1;
    start = at + 1;
  }
  if (wanted < indexes.length) yield { start, end: text.byteLength };
}
