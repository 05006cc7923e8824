import { MillraceError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import type { LineFormat, LineRecord } from "../../core/line-format.ts";
import type { RecordText } from "../../ports/source.ts";
import { byteOf } from "../csv/dialect.ts";
import { restOfLine } from "../csv/tokenizer.ts";
import type { Frame, ReadBounds } from "../frame.ts";
import { framedTokens } from "../framed-tokens.ts";
import { fault, RecordTable, type Tokens } from "../record-table.ts";

const { lf, cr, nul } = byteOf;

/** A format of an application's own, and what it is read into. */
export interface LineShape {
  readonly format: LineFormat;
  /** Names of its values, in order; undefined for one that is read and dropped. */
  readonly columns: readonly (string | undefined)[];
  readonly file: string;
}

/** How to read a record of this shape again, as kept beside a reject. */
export function keptLineFormat({ format, columns, file }: LineShape): JsonObject {
  return { format: format.name, columns: columns.map((name) => name ?? null), file };
}

/** Frames records by a format of an application's own. */
export function frameOwn(shape: LineShape, bounds: ReadBounds): Frame {
  return (bytes, last, place) => {
    const found = new LineReading(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), last, shape, bounds);
    const tokens = found.run();
    return framedTokens(bytes, tokens, place, bounds, 1, (good) => rowsText(found.rows, good, shape.columns));
  };
}

type Row = readonly (string | null)[];

class LineReading {
  /** By record; undefined for those that are faulty. */
  readonly rows: (Row | undefined)[] = [];
  readonly #bytes: Buffer;
  readonly #last: boolean;
  readonly #shape: LineShape;
  readonly #bounds: ReadBounds;
  readonly #table: RecordTable;
  readonly #hasNul: boolean;
  #start = 0;
  #line = 0;

  constructor(bytes: Buffer, last: boolean, shape: LineShape, bounds: ReadBounds) {
    this.#bytes = bytes;
    this.#last = last;
    this.#shape = shape;
    this.#bounds = bounds;
    this.#table = new RecordTable(bytes.length >> 7);
    this.#hasNul = bytes.includes(nul);
  }

  run(): Tokens {
    while (this.#start < this.#bytes.length && this.#table.count < this.#bounds.batchRecords) {
      const ends = this.#linesAhead();
      if (ends === undefined) break;
      if (ends.length > 0) this.#takeRecord(ends);
      else if (!this.#takeTooLong()) return this.#tokens(restOfLine);
    }
    return this.#tokens(undefined);
  }

  #tokens(rest: Tokens["rest"]): Tokens {
    return { table: this.#table, taken: this.#start, lines: this.#line, rest };
  }

  /**
   * Where the lines end that the format is shown: those within the bytes that a record may have, so that they are the
   * same wherever the bytes at hand end. Undefined when more bytes are needed to tell.
   */
  #linesAhead(): number[] | undefined {
    const { linesMax } = this.#shape.format;
    const most = this.#start + this.#bounds.recordBytes;
    const ends: number[] = [];
    for (let at = this.#start; ends.length < linesMax && at < this.#bytes.length; ) {
      const found = this.#bytes.indexOf(lf, at);
      if (found < 0 && !this.#last && this.#bytes.length <= most) return undefined;
      const end = found < 0 ? this.#bytes.length : found;
      if (end > most) return ends;
      ends.push(end);
      at = end + 1;
    }
    return ends.length < linesMax && !this.#last && this.#bytes.length <= most ? undefined : ends;
  }

  #takeRecord(ends: readonly number[]): void {
    const lines: string[] = [];
    for (let index = 0, start = this.#start; index < ends.length; index += 1) {
      const end = ends[index] as number;
      lines.push(this.#bytes.toString("utf8", start, this.#trimmed(start, end)));
      start = end + 1;
    }
    const found = readOne(this.#shape, lines);
    const end = ends[found.lines - 1] as number;
    const { values, fault: says } = found;
    if (values !== undefined || says !== undefined) this.#add(this.#trimmed(this.#start, end), values, says);
    this.#start = Math.min(end + 1, this.#bytes.length);
    this.#line += end < this.#bytes.length ? found.lines : found.lines - 1;
  }

  #add(end: number, values: Row | undefined, says: string | undefined): void {
    const hasNul = this.#hasNul && this.#bytes.subarray(this.#start, end).includes(nul);
    const faults = (says === undefined ? 0 : fault.own) | (hasNul ? fault.nul : 0);
    const record = this.#table.count;
    if (faults !== 0) this.#table.faulty.push({ record, faults, fields: 1, ...(says === undefined ? {} : { says }) });
    this.rows.push(faults === 0 ? values : undefined);
    this.#table.add(this.#start, end, this.#line);
  }

  /** One line that is longer than a record may be. False when it goes on behind the bytes. */
  #takeTooLong(): boolean {
    const found = this.#bytes.indexOf(lf, this.#start);
    const end = found < 0 ? this.#bytes.length : found;
    this.#table.faulty.push({ record: this.#table.count, faults: fault.tooLong, fields: 1 });
    this.rows.push(undefined);
    this.#table.add(this.#start, end, this.#line);
    this.#start = found < 0 ? end : end + 1;
    if (found >= 0) this.#line += 1;
    return found >= 0 || this.#last;
  }

  #trimmed(start: number, end: number): number {
    return end > start && this.#bytes[end - 1] === cr ? end - 1 : end;
  }
}

/** What the format says of the lines, checked. Throws PIPELINE_INVALID for an answer that is none. */
function readOne({ format, file }: LineShape, lines: readonly string[]): LineRecord {
  let found: LineRecord;
  try {
    found = format.read(lines, file);
  } catch (error) {
    // As with a function over rows: what it cannot take costs that record alone.
    return { lines: 1, fault: `the format "${format.name}" failed: ${error instanceof Error ? error.message : "?"}` };
  }
  const mistake = mistakeOf(found, format, lines.length);
  if (mistake === undefined) return found;
  throw new MillraceError("PIPELINE_INVALID", `The format "${format.name}" has a mistake: ${mistake}`, {
    remedy: "Let read return { lines, values } with a value or null for each column, { lines, fault } or { lines }.",
    at: { source: file },
  });
}

function mistakeOf({ lines, values }: LineRecord, { columns }: LineFormat, shown: number): string | undefined {
  if (!Number.isInteger(lines) || lines < 1 || lines > shown) return `it took ${lines} of ${shown} lines`;
  if (values === undefined) return undefined;
  if (values.length !== columns.length) return `it gave ${values.length} values for ${columns.length} columns`;
  const isValue = (value: unknown): boolean => value === null || typeof value === "string";
  return values.every(isValue) ? undefined : "it gave a value that is neither text nor null";
}

/** The rows of well-formed records as RFC 4180. */
function rowsText(
  rows: readonly (Row | undefined)[],
  good: readonly number[] | undefined,
  columns: LineShape["columns"],
): RecordText {
  const numbers = good ?? rows.keys();
  let text = "";
  for (const record of numbers) text += `${(rows[record] ?? []).map(fieldText).join()}\n`;
  const quoted = text.includes('"');
  return { kind: "delimited", text: Buffer.from(text), delimiter: ",", quote: '"', columns, quoted };
}

/** An empty text has quotes: without them it is missing; so is a line of one empty field none. */
function fieldText(value: string | null): string {
  if (value === null) return "";
  return value === "" || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
