import { isUtf8 } from "node:buffer";
import type { JsonObject } from "../../core/json.ts";
import type { Reason, Reject } from "../../core/reject.ts";
import type { RecordText } from "../../ports/source.ts";
import type { Frame, Framed, FramePlace, ReadBounds } from "../frame.ts";
import { byteOf, type Dialect, quoteMark } from "./dialect.ts";
import { type Lines, uniformLines } from "./lines.ts";
import { type FaultyRecord, fault, type RecordTable } from "./record-table.ts";
import { wellFormedText } from "./rewrite.ts";
import { type Tokens, tokenize } from "./tokenizer.ts";

const { nul, lf, cr } = byteOf;

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
    records: delimited(text, shape, false),
    read: count,
    count,
    malformed: [],
    recordOf: (index) => index,
    at: (index) => {
      const start = starts[index] as number;
      const end = (starts[index + 1] as number) - lineEnd;
      return { line: place.line + index, offset: place.byte + start, bytes: text.subarray(start, end) };
    },
    taken: text.length,
    lines: count,
    openEnded: false,
  };
}

function exactFrame(
  bytes: Uint8Array,
  last: boolean,
  place: FramePlace,
  shape: CsvShape,
  bounds: ReadBounds,
): Framed | undefined {
  const tokens = tokenize(
    bytes,
    last,
    {
      delimiter: shape.delimiter,
      quote: shape.quote,
      fields: shape.columns.length,
      recordBytesMax: bounds.recordBytes,
      recordsMax: bounds.batchRecords,
    },
    bytes.length >> 5,
  );
  if (tokens.taken === 0 && bytes.length > 0) return undefined;
  const { table } = tokens;
  const faulty = withEncodingFaults(bytes, tokens);
  const good = faulty.length === 0 ? undefined : goodRecords(table, faulty);
  const text = wellFormedText(bytes, tokens, good, shape);
  const recordOf = (index: number): number => (good === undefined ? index : (good[index] as number));
  return {
    records: delimited(text, shape, text.includes(quoteMark(shape))),
    read: table.count,
    count: good?.length ?? table.count,
    malformed: faulty.map((record) => rejectOf(bytes, table, record, place, shape, bounds)),
    recordOf,
    at: (index) => {
      const record = recordOf(index);
      const start = table.starts[record] as number;
      const line = place.line + (table.lines[record] as number);
      return { line, offset: place.byte + start, bytes: bytes.subarray(start, table.ends[record]) };
    },
    taken: tokens.taken,
    lines: tokens.lines,
    openEnded: tokens.openEnded,
  };
}

function delimited(text: Uint8Array, shape: CsvShape, quoted: boolean): RecordText {
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

/** The faulty records, and those that are not valid UTF-8, in order. */
function withEncodingFaults(bytes: Uint8Array, { table, taken }: Tokens): readonly FaultyRecord[] {
  if (isUtf8(bytes.subarray(0, taken))) return table.faulty;
  const known = new Map(table.faulty.map((record) => [record.record, record]));
  const faulty: FaultyRecord[] = [];
  for (let record = 0; record < table.count; record += 1) {
    const found = known.get(record);
    const isText = isUtf8(bytes.subarray(table.starts[record], table.ends[record]));
    if (isText && found !== undefined) faulty.push(found);
    // The cut end of a record that is too long may fall within a character.
    else if (!isText && ((found?.faults ?? 0) & fault.tooLong) === 0) {
      faulty.push({ record, faults: (found?.faults ?? 0) | fault.encoding, fields: found?.fields ?? 0 });
    } else if (found !== undefined) faulty.push(found);
  }
  return faulty;
}

function goodRecords(table: RecordTable, faulty: readonly FaultyRecord[]): number[] {
  const good: number[] = [];
  let next = 0;
  for (let record = 0; record < table.count; record += 1) {
    if (faulty[next]?.record === record) next += 1;
    else good.push(record);
  }
  return good;
}

function rejectOf(
  bytes: Uint8Array,
  table: RecordTable,
  { record, faults, fields }: FaultyRecord,
  place: FramePlace,
  shape: CsvShape,
  bounds: ReadBounds,
): Reject {
  const start = table.starts[record] as number;
  const end = table.ends[record] as number;
  return {
    record,
    line: place.line + (table.lines[record] as number),
    offset: place.byte + start,
    // Copied: a reject outlives the batch's bytes.
    bytes: new Uint8Array(bytes.subarray(start, Math.min(end, start + bounds.rejectBytes))),
    truncated: end - start > bounds.rejectBytes,
    reasons: reasonsOf(faults, fields, shape, bounds),
  };
}

function reasonsOf(faults: number, fields: number, shape: CsvShape, bounds: ReadBounds): Reason[] {
  const reasons: Reason[] = [];
  const say = (bit: number, code: Reason["code"], message: string): void => {
    if ((faults & bit) !== 0) reasons.push({ code, message });
  };
  const expected = shape.columns.length;
  const are = expected === 1 ? "is" : "are";
  say(fault.columns, "columns", `${fields} ${fields === 1 ? "field" : "fields"} where ${expected} ${are} expected`);
  say(fault.afterQuote, "malformed", "there is text after a closing quote");
  say(fault.unclosed, "malformed", "a quote is opened and not closed");
  say(fault.tooLong, "too_long", `the record is longer than ${bounds.recordBytes} bytes`);
  say(fault.nul, "malformed", "the record holds a NUL byte");
  say(fault.encoding, "encoding", "the record is not valid UTF-8");
  return reasons;
}
