import { setImmediate as turn } from "node:timers/promises";
import { quoteIdentifier } from "../core/identifier.ts";
import { encodeLineage } from "../core/lineage.ts";
import type { EngineConnection } from "../ports/engine.ts";
import type { CsvRows } from "../ports/rows.ts";
import type { RawBatch, RecordText } from "../ports/source.ts";
import { type BadRecord, badRecords, type Check } from "./checked.ts";
import { CountedDigits } from "./counted-digits.ts";
import { csvRows } from "./csv-rows.ts";
import { PlainJson } from "./plain-json.ts";
import { sourceSql } from "./source-sql.ts";
import { tableRows } from "./table-rows.ts";

/** Where more of a batch than this share is in doubt, reading it twice would cost more than it spares. */
const doubtfulShareMax = 0.25;
/** Bytes that are read without a turn for others: one or two milliseconds. */
const sliceBytes = 256 * 1024;
/** Digits of the largest lineage, and the comma before it. */
const lineageBytesMax = 20;

const [newline, comma] = [10, 44];

type JsonRecords = Extract<RecordText, { kind: "json" }>;

/** A batch of JSON read from its bytes. */
export interface PlainBatch {
  readonly bad: readonly BadRecord[];
  /** The good rows. */
  readonly csv: CsvRows;
}

/**
 * Reads batches of JSON without the engine, but for the records that are in doubt: these go the engine's way, and their rows are
 * put where they belong. Finds what the engine alone would find.
 */
export class PlainBatches {
  readonly #check: Check;
  readonly #readers = new Map<boolean, PlainJson | undefined>();

  constructor(check: Check) {
    this.#check = check;
  }

  /** Undefined where the engine is to read the whole batch. With the number of a batch each row ends with its `_millrace`. */
  async read(raw: RawBatch, connection: EngineConnection, batch: bigint | undefined): Promise<PlainBatch | undefined> {
    const { records, count } = raw;
    if (records.kind !== "json" || records.times === true) return undefined;
    const reader = this.#readerFor(records.ignoreExtra === true);
    if (reader === undefined || records.text.at(-1) !== newline) return undefined;
    const lines = await new LineReading(reader, raw, records.text, batch).run(Math.floor(count * doubtfulShareMax));
    if (lines === undefined) return undefined;
    const { csv, doubtful } = lines;
    if (doubtful.length === 0) return { bad: [], csv: csvRows(csv, ",") };
    const others = await this.#engineRows(records, doubtful, connection);
    const lineage = (index: number): string =>
      batch === undefined ? "" : `,${encodeLineage(batch, raw.recordOf(index))}`;
    return { bad: others.bad, csv: csvRows(spliced(csv, others.rows, lineage), ",") };
  }

  #readerFor(ignoreExtra: boolean): PlainJson | undefined {
    if (!this.#readers.has(ignoreExtra)) {
      this.#readers.set(ignoreExtra, PlainJson.of(this.#check.contract, ignoreExtra));
    }
    return this.#readers.get(ignoreExtra);
  }

  async #engineRows(
    records: JsonRecords,
    doubtful: readonly DoubtfulLine[],
    connection: EngineConnection,
  ): Promise<{ readonly bad: readonly BadRecord[]; readonly rows: readonly PlacedRow[] }> {
    const text = Buffer.concat(doubtful.map(({ start, end }) => records.text.subarray(start, end)));
    const source = await sourceSql({ ...records, text }, this.#check.contract, connection);
    try {
      const checked = `(${this.#check.checkedSql(source.sql)})`;
      const found = await badRecords(connection, this.#check, checked);
      const bad = new Set(found.map(({ index }) => index));
      const good = doubtful.filter((_, index) => !bad.has(index));
      const columns = Object.entries(this.#check.contract.columns).map(([name, column]) => ({ name, ...column }));
      const names = columns.map(({ name }) => quoteIdentifier(name)).join(", ");
      const sql = async (): Promise<string> => `select ${names} from ${checked} where ${this.#check.goodSql}`;
      const csv = await tableRows({
        ...{ connection, sql, columns, count: good.length },
        recordOf: (row) => row,
      }).csv();
      return {
        bad: found.map(({ index, reasons }) => ({ index: (doubtful[index] as DoubtfulLine).index, reasons })),
        rows: good.map(({ index, at }, row) => ({
          index,
          at,
          bytes: csv.bytes.subarray(csv.offsetOf(row), csv.offsetOf(row + 1)),
        })),
      };
    } finally {
      await source.dispose();
    }
  }
}

/** A record in doubt: its index, its bytes with the line end, and where among the CSV of the others its row belongs. */
interface DoubtfulLine {
  readonly index: number;
  readonly start: number;
  readonly end: number;
  readonly at: number;
}

/** A row of the engine, its line end included. */
interface PlacedRow {
  readonly index: number;
  readonly at: number;
  readonly bytes: Uint8Array;
}

interface ReadLines {
  readonly csv: Uint8Array;
  readonly doubtful: readonly DoubtfulLine[];
}

/** One text on its way to CSV, in slices. */
class LineReading {
  readonly #reader: PlainJson;
  readonly #raw: RawBatch;
  readonly #text: Buffer;
  readonly #csv: Buffer;
  readonly #lineage: CountedDigits | undefined;
  readonly #doubtful: DoubtfulLine[] = [];
  #line = 0;
  #from = 0;
  #to = 0;

  constructor(reader: PlainJson, raw: RawBatch, text: Uint8Array, batch: bigint | undefined) {
    this.#reader = reader;
    this.#raw = raw;
    this.#text = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
    this.#csv = Buffer.allocUnsafeSlow(text.byteLength + raw.count * (reader.marksMax + lineageBytesMax));
    this.#lineage = batch === undefined ? undefined : new CountedDigits(encodeLineage(batch, 0));
  }

  /** Undefined when there are more lines in doubt than `doubtfulMax`, or not as many lines as records. */
  async run(doubtfulMax: number): Promise<ReadLines | undefined> {
    while (this.#from < this.#text.length) {
      if (this.#from > 0) await turn();
      this.#slice(this.#from + sliceBytes);
      if (this.#doubtful.length > doubtfulMax || this.#line > this.#raw.count) return undefined;
    }
    if (this.#line !== this.#raw.count) return undefined;
    return { csv: this.#csv.subarray(0, this.#to), doubtful: this.#doubtful };
  }

  #slice(until: number): void {
    const last = Math.min(until, this.#text.length);
    while (this.#from < last && this.#line < this.#raw.count) this.#readLine();
    // A line too many, which `run` sees.
    if (this.#from < last) this.#line += 1;
  }

  #readLine(): void {
    const end = this.#reader.read(this.#text, this.#from);
    if (end < 0) this.#leave(this.#text.indexOf(newline, this.#from) + 1);
    else this.#take(end);
    this.#line += 1;
  }

  #leave(end: number): void {
    this.#doubtful.push({ index: this.#line, start: this.#from, end, at: this.#to });
    this.#from = end;
  }

  #take(end: number): void {
    let to = this.#reader.write(this.#text, this.#csv, this.#to);
    if (this.#lineage !== undefined) {
      this.#csv[to] = comma;
      to = this.#lineage.write(this.#raw.recordOf(this.#line), this.#csv, to + 1);
    }
    this.#csv[to] = newline;
    this.#to = to + 1;
    this.#from = end;
  }
}

/** The text with these rows put into it. */
function spliced(csv: Uint8Array, rows: readonly PlacedRow[], lineage: (index: number) => string): Uint8Array {
  const pieces: Uint8Array[] = [];
  let next = 0;
  for (const { index, at, bytes } of rows) {
    const row = bytes.at(-1) === newline ? bytes.subarray(0, -1) : bytes;
    pieces.push(csv.subarray(next, at), row, Buffer.from(`${lineage(index)}\n`));
    next = at;
  }
  return Buffer.concat([...pieces, csv.subarray(next)]);
}
