import type { Column } from "../core/contract.ts";
import { encodeLineage } from "../core/lineage.ts";
import type { CsvRows, SinkColumn } from "../ports/rows.ts";
import type { RawBatch } from "../ports/source.ts";
import { CountedDigits } from "./counted-digits.ts";
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

/**
 * The text of a batch without its bad records, `bad` being their indexes in order. With the number of a batch each
 * record ends with its `_millrace`, and in LF.
 */
export function passThroughCsv(raw: RawBatch, bad: readonly number[], batch?: bigint): CsvRows {
  if (raw.records.kind !== "delimited") throw new TypeError("only delimited records pass through");
  const { text, delimiter, startOf = scannedStarts(raw.records.text) } = raw.records;
  if (batch !== undefined) return withLineage(raw, text, startOf, bad, { delimiter, batch });
  let found: Uint32Array | undefined;
  // Only refusals ask for it.
  const starts = (): Uint32Array => (found ??= keptStarts(startOf, raw.count, bad));
  const bytes = bad.length === 0 ? text : withoutRecords(text, startOf, bad);
  return { bytes, delimiter, offsetOf: (row) => starts()[row] ?? bytes.byteLength };
}

/** Byte at which the record of an index starts; of the count, the size of the text. */
type StartOf = (index: number) => number;

function withoutRecords(text: Uint8Array, startOf: StartOf, bad: readonly number[]): Uint8Array {
  const from = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const kept = Buffer.allocUnsafeSlow(text.byteLength);
  let length = 0;
  let next = 0;
  for (const index of bad) {
    length += from.copy(kept, length, next, startOf(index));
    next = startOf(index + 1);
  }
  length += from.copy(kept, length, next);
  return kept.subarray(0, length);
}

/** Where the records that are kept start in the text without the others, and where the last of them ends. */
function keptStarts(startOf: StartOf, count: number, bad: readonly number[]): Uint32Array {
  const starts = new Uint32Array(count - bad.length + 1);
  let removed = 0;
  let next = 0;
  let row = 0;
  for (let index = 0; index < count; index += 1) {
    if (index === bad[next]) {
      removed += startOf(index + 1) - startOf(index);
      next += 1;
    } else {
      starts[row] = startOf(index) - removed;
      row += 1;
    }
  }
  starts[row] = startOf(count) - removed;
  return starts;
}

function withLineage(
  raw: RawBatch,
  text: Uint8Array,
  startOf: StartOf,
  bad: readonly number[],
  { delimiter, batch }: { readonly delimiter: string; readonly batch: bigint },
): CsvRows {
  const from = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  // A number, and what stands before and behind it.
  const lineageBytes = encodeLineage(batch, raw.read).toString().length + 2;
  const kept = Buffer.allocUnsafeSlow(text.byteLength + (raw.count - bad.length) * lineageBytes);
  const lineage = new CountedDigits(encodeLineage(batch, 0));
  let [length, next] = [0, 0];
  for (let index = 0; index < raw.count; index += 1) {
    if (index === bad[next]) {
      next += 1;
      continue;
    }
    length += from.copy(kept, length, startOf(index), lineEnd(text, startOf(index + 1)));
    kept[length] = delimiter.charCodeAt(0);
    length = lineage.write(raw.recordOf(index), kept, length + 1);
    kept[length] = newline;
    length += 1;
  }
  return csvRows(kept.subarray(0, length), delimiter);
}

/** Where a record ends whose next one starts at `next`. */
export function lineEnd(text: Uint8Array, next: number): number {
  if (text[next - 1] !== newline) return next;
  return text[next - 2] === carriageReturn ? next - 2 : next - 1;
}

const newline = 10;
const carriageReturn = 13;
const quote = 34;

/** For sources that do not say. Well-formed text: the parity of quotes tells what ends a record. */
function scannedStarts(text: Uint8Array): StartOf {
  let starts: number[] | undefined;
  return (index) => (starts ??= recordStarts(text))[index] ?? text.byteLength;
}

function recordStarts(text: Uint8Array): number[] {
  const starts = [0];
  let quoted = false;
  for (let at = 0; at < text.byteLength; at += 1) {
    const byte = text[at];
    if (byte === quote) quoted = !quoted;
    else if (byte === newline && !quoted) starts.push(at + 1);
  }
  return starts;
}
