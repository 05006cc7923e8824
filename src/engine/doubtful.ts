import type { EngineConnection } from "../ports/engine.ts";
import type { RawBatch, RecordText } from "../ports/source.ts";
import { type BadRecord, badRecords, type Check } from "./checked.ts";
import { doubtfulLines, type LineShape, lineShape } from "./line-shape.ts";
import { lineEnd } from "./pass-through.ts";
import { type PlainJudge, plainJudge } from "./plain-judge.ts";
import { sourceSql } from "./source-sql.ts";

/** Where the engine is to look at more of a batch than this share, looking twice would cost more than it spares. */
const unsureShareMax = 0.25;

type Delimited = Extract<RecordText, { kind: "delimited" }>;
type StartOf = (index: number) => number;

/** What looks at lines parted by one delimiter. */
interface Look {
  readonly shape: LineShape;
  readonly judge: PlainJudge;
}

/**
 * Finds the bad records of delimited batches with a look at their bytes: what is good for sure is passed over, what is
 * bad for a plain reason is given it, and only lines still in doubt go through the engine. Nearly always there are none,
 * which spares a small batch nearly all of its time: the engine plans a batch for some milliseconds whatever its size.
 * Finds what the engine alone would find.
 */
export class DoubtfulRecords {
  readonly #check: Check;
  readonly #looks = new Map<string, Look | undefined>();

  constructor(check: Check) {
    this.#check = check;
  }

  /** The bad records, in order; undefined where the bytes do not tell and the engine is to look at all of them. */
  async bad(raw: RawBatch, connection: EngineConnection): Promise<readonly BadRecord[] | undefined> {
    const { records, count } = raw;
    if (records.kind !== "delimited" || records.quoted || records.startOf === undefined) return undefined;
    const { startOf } = records;
    const look = this.#lookFor(records.delimiter);
    const doubtful = look === undefined ? undefined : doubtfulLines(look.shape, records.text, count);
    if (look === undefined || doubtful === undefined) return undefined;
    const { bad, unsure } = judged(look.judge, doubtful, records.text, startOf);
    if (unsure.length > count * unsureShareMax) return undefined;
    if (unsure.length === 0) return bad;
    const source = await sourceSql(only(records, startOf, unsure), this.#check.contract, connection);
    try {
      const found = await badRecords(connection, this.#check, `(${this.#check.checkedSql(source.sql)})`);
      const others = found.map(({ index, reasons }) => ({ index: unsure[index] as number, reasons }));
      return [...bad, ...others].sort((a, b) => a.index - b.index);
    } finally {
      await source.dispose();
    }
  }

  #lookFor(delimiter: string): Look | undefined {
    if (!this.#looks.has(delimiter)) this.#looks.set(delimiter, lookOf(this.#check, delimiter));
    return this.#looks.get(delimiter);
  }
}

function lookOf(check: Check, delimiter: string): Look | undefined {
  const { columns, checks } = check.contract;
  const shape = checks.length > 0 ? undefined : lineShape(Object.values(columns), delimiter);
  return shape === undefined ? undefined : { shape, judge: plainJudge(check, delimiter) };
}

/** Of the lines in doubt those that are bad for a plain reason, and the indexes of those that stay in doubt. */
function judged(
  judge: PlainJudge,
  doubtful: readonly number[],
  text: Uint8Array,
  startOf: StartOf,
): { readonly bad: readonly BadRecord[]; readonly unsure: readonly number[] } {
  const bad: BadRecord[] = [];
  const unsure: number[] = [];
  for (const index of doubtful) {
    const reasons = judge.reasonsOf(text.subarray(startOf(index), lineEnd(text, startOf(index + 1))));
    if (reasons === undefined) unsure.push(index);
    else if (reasons.length > 0) bad.push({ index, reasons });
  }
  return { bad, unsure };
}

/** The records of these ascending indexes. */
function only(records: Delimited, startOf: StartOf, indexes: readonly number[]): Delimited {
  const { startOf: _, ...rest } = records;
  const pieces = indexes.map((index) => records.text.subarray(startOf(index), startOf(index + 1)));
  return { ...rest, text: Buffer.concat(pieces) };
}
