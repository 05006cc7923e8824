import { isUtf8 } from "node:buffer";
import type { JsonObject } from "../../core/json.ts";
import type { RecordText } from "../../ports/source.ts";
import type { Frame, Framed, FramePlace, ReadBounds } from "../frame.ts";
import { byteOf, type Dialect, quoteMark } from "./dialect.ts";
import { type Lines, uniformLines } from "./lines.ts";
import { framedTokens } from "../framed-tokens.ts";
import { wellFormedText } from "./rewrite.ts";
import { tokenize } from "./tokenizer.ts";

const { nul, lf, cr } = byteOf;

type Delimited = Extract<RecordText, { kind: "delimited" }>;

/** What a delimited text is made of. */
export interface CsvShape extends Dialect {
  /** Names of the fields, in order; undefined for a field that is read and dropped. */
  readonly columns: readonly (string | undefined)[];
  readonly nullText: string | undefined;
}

/** How to read a record of this shape again, as kept beside a reject. */
export function csvFormat(shape: CsvShape): JsonObject {
  const format = {
    format: "csv",
    delimiter: String.fromCharCode(shape.delimiter),
    quote: shape.quote < 0 ? "" : String.fromCharCode(shape.quote),
    columns: shape.columns.map((name) => name ?? null),
  };
  return shape.nullText === undefined ? format : { ...format, nullText: shape.nullText };
}

/**
 * Frames delimited text. Bytes without quote, NUL, lone CR, invalid UTF-8, blank lines and ragged records, which is what
 * nearly all are, are cut at their line ends; the tokenizer looks at the others. Both find the same records.
 */
export function frameCsv(shape: CsvShape, bounds: ReadBounds): Frame {
  return (bytes, last, place) =>
    plainFrame(bytes, last, place, shape, bounds) ?? exactFrame(bytes, last, place, shape, bounds);
}

function plainFrame(
  bytes: Uint8Array,
  last: boolean,
  place: FramePlace,
  shape: CsvShape,
  bounds: ReadBounds,
): Framed | undefined {
  const taken = bytes.lastIndexOf(lf) + 1;
  // A last record without line end, or more records than a batch may have: rare, and the tokenizer knows how.
  if (taken === 0 || (last && taken < bytes.length) || taken > bounds.recordBytes) return undefined;
  const text = bytes.subarray(0, taken);
  if (text.includes(quoteMark(shape)) || text.includes(nul) || !isUtf8(text)) return undefined;
  const crlf = text.includes(cr);
  const lines = uniformLines(text, shape.delimiter, shape.columns.length, crlf);
  if (lines === undefined || lines.count > bounds.batchRecords) return undefined;
  return framedLines(text, lines, crlf ? 2 : 1, place, shape);
}

function framedLines(
  text: Uint8Array,
  { starts, count }: Lines,
  lineEnd: number,
  place: FramePlace,
  shape: CsvShape,
): Framed {
  return {
    records: { ...delimited(text, shape, false), startOf: (index) => starts[index] as number },
    read: count,
    count,
    malformed: [],
    recordOf: (index) => index,
    at: (index) => {
      const start = starts[index] as number;
      const end = (starts[index + 1] as number) - lineEnd;
      return { line: place.line + index, offset: BigInt(place.byte + start), bytes: text.subarray(start, end) };
    },
    taken: text.length,
    lines: count,
    rest: undefined,
  };
}

function exactFrame(
  bytes: Uint8Array,
  last: boolean,
  place: FramePlace,
  shape: CsvShape,
  bounds: ReadBounds,
): Framed | undefined {
  const options = {
    delimiter: shape.delimiter,
    quote: shape.quote,
    fields: shape.columns.length,
    recordBytesMax: bounds.recordBytes,
    recordsMax: bounds.batchRecords,
  };
  const tokens = tokenize(bytes, last, options, bytes.length >> 5);
  return framedTokens(bytes, tokens, place, bounds, shape.columns.length, (good) => {
    const text = wellFormedText(bytes, tokens, good, shape);
    const records = delimited(text, shape, text.includes(quoteMark(shape)));
    if (text.buffer !== bytes.buffer || text.byteOffset !== bytes.byteOffset) return records;
    const { starts, count } = tokens.table;
    return { ...records, startOf: (index) => (index < count ? (starts[index] as number) : text.length) };
  });
}

function delimited(text: Uint8Array, shape: CsvShape, quoted: boolean): Delimited {
  const records = {
    kind: "delimited" as const,
    text,
    delimiter: String.fromCharCode(shape.delimiter),
    quote: String.fromCharCode(quoteMark(shape)),
    columns: shape.columns,
    quoted,
  };
  return shape.nullText === undefined ? records : { ...records, nullText: shape.nullText };
}
