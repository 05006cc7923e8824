import type { Position } from "../core/checkpoint.ts";
import type { JsonObject } from "../core/json.ts";
import { limit } from "../core/limit.ts";
import type { Reason, Reject } from "../core/reject.ts";
import type { RawBatch, RecordText } from "../ports/source.ts";
import { type CsvShape, frameCsv } from "./csv/frame.ts";
import type { Framed, ReadBounds } from "./frame.ts";

const bounds: ReadBounds = {
  batchBytes: limit.batchBytes,
  batchRecords: limit.batchRecords,
  recordBytes: limit.recordBytes,
  rejectBytes: limit.rejectBytes,
};

/** One record to send again: well-formed text, or the reasons why it still is not. */
type Reframed = { readonly text: Uint8Array } | { readonly reasons: readonly Reason[] };

/**
 * A batch of records that were kept one by one, all in `format` as their reject says it. Record number and index in
 * `records` are the same. A record that is several now, or none, is malformed.
 */
export function batchOfRecords(
  records: readonly Uint8Array[],
  format: JsonObject,
  between: { readonly start: Position; readonly end: Position },
): RawBatch {
  const shape = shapeOf(format);
  const reframed = records.map((record) => (shape === undefined ? reframeJson(record) : reframeCsv(record, shape)));
  const good = reframed.flatMap((one, record) => ("text" in one ? [record] : []));
  const texts = reframed.flatMap((one) => ("text" in one ? [one.text, lineEnd] : []));
  return {
    ...between,
    read: records.length,
    sizeBytes: records.reduce((sum, record) => sum + record.byteLength, 0),
    records: recordText(Buffer.concat(texts), shape),
    count: good.length,
    malformed: reframed.flatMap((one, record) => ("reasons" in one ? [rejectOf(records, record, one.reasons)] : [])),
    recordOf: (index) => good[index] ?? -1,
    at: (index) => ({ line: undefined, offset: 0, bytes: records[good[index] ?? -1] ?? new Uint8Array() }),
    format,
  };
}

const lineEnd = Buffer.from("\n");

/** The shape that `csvFormat` wrote down; undefined for the formats whose records are JSON texts. */
function shapeOf(format: JsonObject): CsvShape | undefined {
  if (format["format"] !== "csv") return undefined;
  const { delimiter, quote, columns, nullText } = format;
  return {
    delimiter: String(delimiter ?? ",").charCodeAt(0),
    quote: quote === "" ? -1 : String(quote ?? '"').charCodeAt(0),
    columns: Array.isArray(columns) ? columns.map((name) => (typeof name === "string" ? name : undefined)) : [],
    nullText: typeof nullText === "string" ? nullText : undefined,
  };
}

function reframeCsv(record: Uint8Array, shape: CsvShape): Reframed {
  const framed: Framed | undefined = frameCsv(shape, bounds)(record, true, { byte: 0, line: 1 });
  if (framed?.read === 1 && framed.count === 1 && framed.records.kind === "delimited") {
    return { text: withoutLineEnd(framed.records.text) };
  }
  return { reasons: framed?.malformed[0]?.reasons ?? [notOneRecord(framed?.read ?? 0)] };
}

function reframeJson(record: Uint8Array): Reframed {
  // Line ends in JSON are white space outside strings and not allowed inside them.
  const text = Uint8Array.from(record, (byte) => (byte === 10 || byte === 13 ? 32 : byte));
  return text.length === 0 ? { reasons: [notOneRecord(0)] } : { text };
}

function notOneRecord(count: number): Reason {
  return { code: "malformed", message: `${count} records where one is expected` };
}

function withoutLineEnd(text: Uint8Array): Uint8Array {
  let end = text.length;
  if (text[end - 1] === 10) end -= 1;
  if (text[end - 1] === 13) end -= 1;
  return text.subarray(0, end);
}

function recordText(text: Uint8Array, shape: CsvShape | undefined): RecordText {
  if (shape === undefined) return { kind: "json", text };
  const quote = shape.quote < 0 ? '"' : String.fromCharCode(shape.quote);
  return {
    kind: "delimited",
    text,
    delimiter: String.fromCharCode(shape.delimiter),
    quote,
    columns: shape.columns,
    quoted: text.includes(quote.charCodeAt(0)),
    ...(shape.nullText === undefined ? {} : { nullText: shape.nullText }),
  };
}

function rejectOf(records: readonly Uint8Array[], record: number, reasons: readonly Reason[]): Reject {
  const bytes = records[record] ?? new Uint8Array();
  const truncated = bytes.byteLength > limit.rejectBytes;
  return {
    record,
    line: undefined,
    offset: 0,
    bytes: truncated ? bytes.subarray(0, limit.rejectBytes) : bytes,
    truncated,
    reasons,
  };
}
