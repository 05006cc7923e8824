import { MillraceError } from "../core/error.ts";
import type { JsonObject } from "../core/json.ts";
import { limit } from "../core/limit.ts";
import type { LineFormat } from "../core/line-format.ts";
import type { Reject } from "../core/reject.ts";
import type { RawBatch, RecordAt, RecordText } from "../ports/source.ts";
import { frameCsv } from "./csv/frame.ts";
import type { Frame, Framed, ReadBounds } from "./frame.ts";
import { frameLines } from "./json/lines.ts";
import { frameValues } from "./json/values.ts";
import { frameOwn } from "./lines/frame.ts";

/**
 * Records given one by one, such as rejects to be replayed, as a batch: record `n` is `records[n]`. `format` is what
 * the batch that they came from said. What is not exactly one record is malformed. Throws FILE_FORMAT for a format
 * that is not known; `own` is the one that the application defines.
 */
export function batchOfRecords(
  format: JsonObject,
  records: readonly RecordAt[],
  bounds: ReadBounds = limit,
  own?: LineFormat,
): RawBatch {
  const frame = frameOf(format, bounds, own);
  const framed = records.map(({ bytes, line }) => frame(bytes, true, { byte: 0, line: line ?? 1 }));
  const good: number[] = [];
  const malformed: Reject[] = [];
  for (const [record, found] of framed.entries()) {
    if (found?.read === 1 && found.count === 1) good.push(record);
    else malformed.push(rejectOf(record, records[record] as RecordAt, found, bounds));
  }
  const texts = good.map((record) => framed[record]?.records as RecordText);
  return {
    start: { row: 0 },
    end: { row: records.length },
    read: records.length,
    sizeBytes: records.reduce((sum, { bytes }) => sum + bytes.length, 0),
    records: joined(texts, emptyText(frame)),
    count: good.length,
    malformed,
    recordOf: (index) => good[index] as number,
    at: (index) => records[good[index] as number] as RecordAt,
    format,
  };
}

function frameOf(format: JsonObject, bounds: ReadBounds, own: LineFormat | undefined): Frame {
  const {
    format: name,
    delimiter,
    quote,
    columns,
    nullText,
    ignoreExtra,
    file,
  } = format as Readonly<Record<string, unknown>>;
  if (name === "ndjson") return frameLines(ignoreExtra === true, bounds);
  if (name === "json") return frameValues(false, ignoreExtra === true, bounds);
  if (name === "csv" && typeof delimiter === "string" && typeof quote === "string" && Array.isArray(columns)) {
    const shape = {
      delimiter: delimiter.charCodeAt(0),
      quote: quote === "" ? -1 : quote.charCodeAt(0),
      columns: columns.map(nameOf),
      nullText: typeof nullText === "string" ? nullText : undefined,
    };
    return frameCsv(shape, bounds);
  }
  if (own !== undefined && own.name === name && Array.isArray(columns)) {
    return frameOwn({ format: own, columns: columns.map(nameOf), file: typeof file === "string" ? file : "" }, bounds);
  }
  throw new MillraceError("FILE_FORMAT", `Records of the format ${JSON.stringify(name)} cannot be read again`, {
    remedy:
      "Where the application defined the format, name its pipeline; else they were kept by another version of Millrace.",
  });
}

const nameOf = (column: unknown): string | undefined => (typeof column === "string" ? column : undefined);

function rejectOf(
  record: number,
  { bytes, offset, line }: RecordAt,
  found: Framed | undefined,
  bounds: ReadBounds,
): Reject {
  const message = `holds ${found?.read ?? 0} records where one is expected`;
  return {
    record,
    line,
    offset,
    bytes: new Uint8Array(bytes.subarray(0, bounds.rejectBytes)),
    truncated: bytes.length > bounds.rejectBytes,
    reasons: found?.read === 1 ? (found.malformed[0]?.reasons ?? []) : [{ code: "malformed", message }],
  };
}

const emptyText = (frame: Frame): RecordText =>
  frame(new Uint8Array(), true, { byte: 0, line: 1 })?.records ?? { kind: "json", text: new Uint8Array() };

/** Texts of one format as one text, a line end behind each record. */
function joined(texts: readonly RecordText[], empty: RecordText): RecordText {
  if (empty.kind === "query") return empty;
  const newline = Buffer.from("\n");
  const pieces = texts.flatMap((text) => {
    if (text.kind === "query") return [];
    return text.text.at(-1) === newline[0] ? [text.text] : [text.text, newline];
  });
  const text = Buffer.concat(pieces);
  if (empty.kind === "json") return { ...empty, text };
  // Where the records of no text start says nothing of this one.
  const { startOf: _, ...shape } = empty;
  return { ...shape, text, quoted: texts.some((one) => one.kind === "delimited" && one.quoted) };
}
