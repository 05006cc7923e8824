import type { Contract } from "../core/contract.ts";
import type { EngineConnection } from "../ports/engine.ts";
import type { RawBatch, RecordText } from "../ports/source.ts";
import { type BadRecord, badRecords, type Check } from "./checked.ts";
import { doubtfulLines, type LineShape, lineShape } from "./line-shape.ts";
import { sourceSql } from "./source-sql.ts";

/** Where more of a batch is in doubt than this share, looking twice would cost more than it spares. */
const doubtfulShareMax = 0.25;

type Delimited = Extract<RecordText, { kind: "delimited" }>;

/**
 * Finds the bad records of delimited batches with a look at their bytes, so that only lines in doubt go through the
 * engine. Finds what the engine alone would find: the look accepts, it never refuses.
 */
export class DoubtfulRecords {
  readonly #contract: Contract;
  readonly #check: Check;
  readonly #shapes = new Map<string, LineShape | undefined>();

  constructor(contract: Contract, check: Check) {
    this.#contract = contract;
    this.#check = check;
  }

  /** The bad records, in order; undefined where the bytes do not tell and the engine is to look at all of them. */
  async bad(raw: RawBatch, connection: EngineConnection): Promise<readonly BadRecord[] | undefined> {
    const { records, count } = raw;
    if (records.kind !== "delimited" || records.quoted || records.startOf === undefined) return undefined;
    const shape = this.#shapeOf(records.delimiter);
    const doubtful = shape === undefined ? undefined : doubtfulLines(shape, records.text, count);
    if (doubtful === undefined || doubtful.length > count * doubtfulShareMax) return undefined;
    if (doubtful.length === 0) return [];
    const source = await sourceSql(only(records, records.startOf, doubtful), this.#contract, connection);
    try {
      const bad = await badRecords(connection, this.#check, `(${this.#check.checkedSql(source.sql)})`);
      return bad.map(({ index, reasons }) => ({ index: doubtful[index] as number, reasons }));
    } finally {
      await source.dispose();
    }
  }

  #shapeOf(delimiter: string): LineShape | undefined {
    if (!this.#shapes.has(delimiter)) this.#shapes.set(delimiter, shapeOf(this.#contract, delimiter));
    return this.#shapes.get(delimiter);
  }
}

function shapeOf({ columns, checks }: Contract, delimiter: string): LineShape | undefined {
  return checks.length > 0 ? undefined : lineShape(Object.values(columns), delimiter);
}

/** The records of these ascending indexes. */
function only(records: Delimited, startOf: (index: number) => number, indexes: readonly number[]): Delimited {
  const { startOf: _, ...rest } = records;
  const pieces = indexes.map((index) => records.text.subarray(startOf(index), startOf(index + 1)));
  return { ...rest, text: Buffer.concat(pieces) };
}
