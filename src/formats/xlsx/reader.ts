import type { Reject } from "../../core/reject.ts";
import type { LaneReader, RawBatch } from "../../ports/source.ts";
import { csvFormat } from "../csv/frame.ts";
import type { ReadBounds } from "../frame.ts";
import type { FilePosition } from "../position.ts";
import type { SheetLayout } from "./layout.ts";
import { isBlank, rowText } from "./row-text.ts";
import { SharedTexts } from "./shared-texts.ts";
import { readRows, type SheetRow } from "./sheet.ts";
import { chooseSheet, openWorkbook, type Sheet, type Workbook } from "./workbook.ts";
import type { ReadRange } from "./zip.ts";

export interface SheetReading {
  readonly read: ReadRange;
  readonly sizeBytes: number;
  readonly layout: SheetLayout;
  readonly source: string;
  readonly start: FilePosition;
  readonly bounds: ReadBounds;
  close(): Promise<void>;
}

/** The first batch is small, so that the sink has something to do soon. */
const firstBatchBytes = 1024 * 1024;

/** Reads the rows of a sheet as CSV. A position counts rows: those before it are read again and dropped. */
export function sheetReader(reading: SheetReading): LaneReader {
  let rows: RowStream | undefined;
  let position = reading.start;
  let most = Math.min(reading.bounds.batchBytes, firstBatchBytes);
  return {
    async next() {
      rows ??= await RowStream.open(reading);
      const batch = await takeBatch(reading, rows, position, most);
      most = reading.bounds.batchBytes;
      if (batch !== undefined) position = batch.end as FilePosition;
      return batch;
    },
    async close() {
      await rows?.close();
      await reading.close();
    },
  };
}

/** Records of a sheet from a position on, and how much of the file was read for them. */
class RowStream {
  readonly texts: SharedTexts;
  readonly #pieces: AsyncGenerator<readonly SheetRow[], void>;
  readonly #headerRow: number;
  readonly #scale: number;
  #skip: number;
  #held: readonly SheetRow[] = [];
  #at = 0;
  #fed = 0;

  private constructor(
    workbook: Workbook,
    sheet: Sheet,
    texts: SharedTexts,
    { layout, start, sizeBytes }: SheetReading,
  ) {
    this.texts = texts;
    this.#headerRow = layout.headerRow;
    this.#skip = start.row;
    this.#scale = sizeBytes / Math.max(1, sheet.entry.packedBytes);
    this.#pieces = readRows(workbook, sheet, (bytes) => (this.#fed += bytes));
  }

  static async open(reading: SheetReading): Promise<RowStream> {
    const workbook = await openWorkbook(reading.read, reading.sizeBytes, reading.source);
    const sheet = chooseSheet(workbook, reading.layout.sheet);
    return new RowStream(workbook, sheet, await SharedTexts.read(workbook), reading);
  }

  async next(): Promise<SheetRow | undefined> {
    for (;;) {
      const row = this.#held[this.#at];
      if (row === undefined) {
        const piece = await this.#pieces.next();
        if (piece.done === true) return undefined;
        this.#held = piece.value;
        this.#at = 0;
        continue;
      }
      this.#at += 1;
      if (row.number <= this.#headerRow) continue;
      if (isBlank(row, this.texts)) continue;
      if (this.#skip === 0) return row;
      this.#skip -= 1;
    }
  }

  /** The row that was given last is to be given again. */
  back(): void {
    this.#at -= 1;
  }

  /** Bytes of the file since the last call, in proportion to the sheet's part of it. */
  takenBytes(): number {
    const bytes = Math.round(this.#fed * this.#scale);
    this.#fed = 0;
    return bytes;
  }

  async close(): Promise<void> {
    await this.#pieces.return();
    this.texts.close();
  }
}

/** A batch while its rows are gathered. */
class Gathered {
  readonly texts: string[] = [];
  readonly numbers: number[] = [];
  readonly records: number[] = [];
  readonly malformed: Reject[] = [];
  chars = 0;
  read = 0;
  quoted = false;
  lastRow = 0;
}

async function takeBatch(
  reading: SheetReading,
  rows: RowStream,
  start: FilePosition,
  batchBytes: number,
): Promise<RawBatch | undefined> {
  const { bounds, layout } = reading;
  const gathered = new Gathered();
  for (;;) {
    const row = await rows.next();
    if (row === undefined) break;
    const { text, fault } = rowText(row, layout.extent, rows.texts);
    if (gathered.read > 0 && (gathered.chars + text.length > batchBytes || gathered.read >= bounds.batchRecords)) {
      rows.back();
      return batchOf(reading, gathered, start, rows.takenBytes(), false);
    }
    const tooLong =
      text.length > bounds.recordBytes ? ({ code: "too_long", message: "the record is too long" } as const) : undefined;
    const reason = fault ?? tooLong;
    if (reason === undefined) add(gathered, row.number, text);
    else gathered.malformed.push(rejectOf(gathered.read, start.row, row.number, text, reason, bounds));
    gathered.read += 1;
    gathered.lastRow = row.number;
  }
  return gathered.read === 0 ? undefined : batchOf(reading, gathered, start, rows.takenBytes(), true);
}

function add(gathered: Gathered, number: number, text: string): void {
  gathered.texts.push(text);
  gathered.numbers.push(number);
  gathered.records.push(gathered.read);
  gathered.chars += text.length + 1;
  gathered.quoted ||= text.includes('"');
}

function rejectOf(
  record: number,
  before: number,
  line: number,
  text: string,
  reason: Reject["reasons"][number],
  { rejectBytes }: ReadBounds,
): Reject {
  const bytes = Buffer.from(text);
  return {
    record,
    line,
    offset: BigInt(before + record),
    bytes: bytes.subarray(0, rejectBytes),
    truncated: bytes.length > rejectBytes,
    reasons: [reason],
  };
}

function batchOf(
  { layout }: SheetReading,
  { texts, numbers, records, malformed, read, quoted, lastRow }: Gathered,
  start: FilePosition,
  sizeBytes: number,
  isLast: boolean,
): RawBatch {
  const { shape } = layout;
  const { done: _, ...from } = start;
  const end = { ...from, row: start.row + read, line: lastRow + 1, ...(isLast ? { done: true } : {}) };
  return {
    start,
    end,
    read,
    sizeBytes,
    records: {
      kind: "delimited",
      text: Buffer.from(texts.length === 0 ? "" : `${texts.join("\n")}\n`),
      delimiter: ",",
      quote: '"',
      columns: shape.columns,
      quoted,
      ...(shape.nullText === undefined ? {} : { nullText: shape.nullText }),
    },
    count: texts.length,
    malformed,
    recordOf: (index) => records[index] as number,
    at: (index) => ({
      line: numbers[index],
      offset: BigInt(start.row + (records[index] as number)),
      bytes: Buffer.from(texts[index] as string),
    }),
    format: csvFormat(shape),
  };
}
