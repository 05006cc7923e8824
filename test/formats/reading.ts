import type { CsvShape } from "../../src/formats/csv/frame.ts";
import { frameCsv } from "../../src/formats/csv/frame.ts";
import type { Frame, ReadBounds } from "../../src/formats/frame.ts";
import type { FilePosition } from "../../src/formats/position.ts";
import { framedReader } from "../../src/formats/reader.ts";
import { ByteWindow } from "../../src/formats/window.ts";
import type { RawBatch } from "../../src/ports/source.ts";

export const bounds: ReadBounds = { batchBytes: 1 << 16, batchRecords: 1 << 22, recordBytes: 1 << 20, rejectBytes: 64 };

export function shapeOf(columns: number, delimiter = ",", quote = '"'): CsvShape {
  return {
    delimiter: delimiter.charCodeAt(0),
    quote: quote === "" ? -1 : quote.charCodeAt(0),
    columns: Array.from({ length: columns }, (_, index) => `c${index}`),
    nullText: undefined,
  };
}

export async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array, void> {
  for (let at = 0, piece = 0; at < bytes.length; piece += 1) {
    const size = Math.max(1, sizes[piece % Math.max(1, sizes.length)] ?? bytes.length);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

export const startPosition: FilePosition = { row: 0, byte: 0, line: 1, sizeBytes: 0 };

export interface ReadOptions {
  readonly frame: Frame;
  readonly bounds?: Partial<ReadBounds>;
  readonly pieces?: readonly number[];
  readonly start?: FilePosition;
  readonly end?: number;
}

/** Every batch of a text from a position on, as a lane reader gives them. */
export async function readBatches(bytes: Uint8Array, options: ReadOptions): Promise<RawBatch[]> {
  const { start = startPosition, end = bytes.length, pieces = [] } = options;
  const reader = framedReader({
    window: new ByteWindow(inPieces(bytes.subarray(start.byte, end), pieces)),
    frame: options.frame,
    format: {},
    start,
    bounds: { ...bounds, ...options.bounds },
    close: async () => {},
  });
  const batches: RawBatch[] = [];
  for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) batches.push(batch);
  await reader.close();
  return batches;
}

export const csvFrame = (shape: CsvShape, some: Partial<ReadBounds> = {}): Frame =>
  frameCsv(shape, { ...bounds, ...some });

/** One record as it was found, good or not. */
export interface Found {
  readonly row: number;
  readonly line: number | undefined;
  readonly offset: number;
  readonly text: string;
  readonly codes: readonly string[];
}

/** All records of some batches in order, checked to be numbered without gap. */
export function recordsOf(batches: readonly RawBatch[]): Found[] {
  const found: Found[] = [];
  for (const batch of batches) {
    const records: Found[] = [];
    for (const reject of batch.malformed) {
      const codes = reject.reasons.map(({ code }) => code);
      records[reject.record] = { ...place(reject), row: batch.start.row + reject.record, codes };
    }
    for (let index = 0; index < batch.count; index += 1) {
      const record = batch.recordOf(index);
      records[record] = { ...place(batch.at(index)), row: batch.start.row + record, codes: [] };
    }
    if (records.length !== batch.read || Object.keys(records).length !== batch.read)
      throw new Error("records are missing");
    found.push(...records);
  }
  return found;
}

const place = ({ line, offset, bytes }: { line: number | undefined; offset: bigint; bytes: Uint8Array }) => ({
  line,
  offset: Number(offset),
  text: Buffer.from(bytes).toString("latin1"),
});

/** The delimited text of some batches, parsed strictly by RFC 4180 and by nothing of the code under test. */
export function rowsOf(batches: readonly RawBatch[]): string[][] {
  return batches.flatMap(({ records }) => {
    if (records.kind !== "delimited") throw new Error("not delimited");
    const text = Buffer.from(records.text).toString("utf8");
    return parseStrictly(text, records.delimiter, records.quote, records.columns.length === 1);
  });
}

export function parseStrictly(text: string, delimiter: string, quote: string, oneColumn: boolean): string[][] {
  const rows: string[][] = [];
  const ends = new Set<string>();
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let field = "";
    if (text[at] === quote) {
      for (at += 1; ; at += 1) {
        if (at >= text.length) throw new Error("a quote is not closed");
        if (text[at] !== quote) field += text[at];
        else if (text[at + 1] === quote) field += text[++at];
        else break;
      }
      at += 1;
    } else {
      while (at < text.length && text[at] !== delimiter && text[at] !== "\n" && !text.startsWith("\r\n", at)) {
        if (text[at] === quote || text[at] === "\r") throw new Error("a field lacks its quotes");
        field += text[at];
        at += 1;
      }
    }
    row.push(field);
    const isLast = at >= text.length;
    if (!isLast && text[at] === delimiter) {
      at += 1;
      if (at < text.length) continue;
      row.push("");
    } else if (!isLast) {
      if (text[at] !== "\n" && !text.startsWith("\r\n", at)) throw new Error("text after a closing quote");
      const end = text[at] === "\n" ? "\n" : "\r\n";
      ends.add(end);
      if (ends.size > 1) throw new Error("line ends of two kinds");
      at += end.length;
    }
    if (row.length === 1 && row[0] === "" && !oneColumn) throw new Error("a blank line");
    rows.push(row);
    row = [];
  }
  return rows;
}
