import { DatabaseError, type PoolClient } from "pg";
import { MillraceError } from "../../core/error.ts";
import type { CsvRows } from "../../ports/rows.ts";
import type { TableInfo } from "./catalog.ts";
import { ask } from "./client.ts";
import { copyIn, copySql } from "./copy.ts";
import { isRowState } from "./errors.ts";
import { faultOf, lineOf, type Refusal, type RowFault } from "./refusal.ts";
import { withEvenLineEnds } from "./line-ends.ts";
import type { Savepoint } from "./savepoint.ts";

/** The rows of one batch on their way into the table. */
export interface Loading {
  readonly client: PoolClient;
  readonly savepoint: Savepoint;
  readonly table: TableInfo;
  /** The table's name, quoted and with its schema. */
  readonly tableSql: string;
  /** Key to merge by; undefined appends. */
  readonly mergeKey: readonly string[] | undefined;
  /** Names of unique indexes that are not on the key. */
  readonly otherUniques: ReadonlySet<string>;
  /** Columns of the rows, in order. */
  readonly columns: readonly string[];
  csv: CsvRows;
  readonly count: number;
  /** Rows refused so far, and rows that changed or repeated one that was there. */
  readonly refusals: Refusal[];
  merged: number;
}

/** Consecutive rows: from `from` up to, not including, `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export const purpose = "writing rows";

/**
 * Runs `work`, which must start its first statement with `savepoint.begin()`, so that a refused row undoes it: gives
 * the fault then, undefined when all went well.
 */
export async function attempt(loading: Loading, work: () => Promise<void>): Promise<RowFault | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    // 21000: a merge met one row twice, of keys that only the table holds for equal.
    if (!(error instanceof DatabaseError && (isRowState(error.code) || error.code === "21000"))) throw error;
    loading.savepoint.broken();
    if (error.code === "22P04") {
      const even = withEvenLineEnds(loading.csv, loading.count);
      loading.csv = even ?? loading.csv;
      if (even !== undefined) return attempt(loading, work);
    }
    return faultOf(error);
  }
}

/** Constraints that wait for the commit must speak while the row can still be found. */
export async function checkDeferred(loading: Loading): Promise<void> {
  if (loading.table.deferred)
    await ask(loading.client, "checking deferred constraints", "set constraints all immediate");
}

/** What is left of `range` without the rows of `without`, which ascend. */
export function rangesWithout({ from, to }: Range, without: readonly number[]): readonly Range[] {
  const starts = [from, ...without.map((row) => row + 1)];
  return starts
    .map((start, index) => ({ from: start, to: without[index] ?? to }))
    .filter((part) => part.from < part.to);
}

function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0);
}

/** Copies rows into `into` (quoted) by one COPY, under the savepoint; all of them arrive, or it throws. */
export async function copyRanges(
  loading: Loading,
  into: string,
  columns: readonly string[],
  ranges: readonly Range[],
): Promise<void> {
  const { client, csv, savepoint } = loading;
  const sql = copySql(into, columns, csv.delimiter);
  const count = countOf(ranges);
  const counted = await copyIn(
    client,
    purpose,
    `${savepoint.begin()}${sql}`,
    piecesOf(loading, ranges, columns.length),
  );
  if (counted < count) throw notStored(loading, count - counted);
}

/** Nobody said why rows are missing or which, so they can neither be counted as loaded nor become rejects. */
export function notStored({ table }: Loading, count: number): MillraceError {
  return new MillraceError(
    "NOT_BALANCED",
    `"${table.name}" did not store ${count} rows that it did not refuse either`,
    {
      remedy:
        "Most likely a BEFORE trigger returns NULL, or a rule drops rows. Let it raise an exception, and such rows become rejects; or load into the table that it moves them to.",
      at: { table: table.name },
    },
  );
}

export function bytesOf(loading: Loading, { from, to }: Range): Uint8Array {
  const { csv, count } = loading;
  if (from === 0 && to === count) return csv.bytes;
  return csv.bytes.subarray(csv.offsetOf(from), csv.offsetOf(to));
}

/**
 * Until PostgreSQL 18 a line of `\.` ends a COPY, unless it is quoted, and in a table of one column a row can be that:
 * the rows behind it would be dropped without a word. Gives the ranges' bytes with such rows quoted.
 */
function piecesOf(loading: Loading, ranges: readonly Range[], columns: number): readonly Uint8Array[] {
  const plain = ranges.map((range) => bytesOf(loading, range));
  if (columns > 1 || !plain.some((piece) => viewOf(piece).includes(endMark))) return plain;
  const isMark = (row: number): boolean =>
    /^\\\.\r?\n?$/.test(viewOf(bytesOf(loading, rangeAt(row))).toString("latin1"));
  return ranges.flatMap((range) => {
    const marks = rowsOf(range).filter(isMark);
    const between = [range.from, ...marks.map((row) => row + 1)].map((from, index) => ({
      from,
      to: marks[index] ?? range.to,
    }));
    return between.flatMap((part, index) => {
      const bytes = bytesOf(loading, part);
      return index < marks.length ? [bytes, quotedEndMark] : [bytes];
    });
  });
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function rowsOf({ from, to }: Range): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

const rangeAt = (row: number): Range => ({ from: row, to: row + 1 });

const endMark = "\\.";
const quotedEndMark = Buffer.from('"\\."\n');
const carriageReturn = 13;
const newline = 10;

/**
 * The row that a fault is about, of a COPY of these ranges; undefined when the database does not say, as for foreign
 * keys. `into` is the table copied to, unquoted.
 */
export function faultyRow(
  loading: Loading,
  fault: RowFault,
  into: string,
  ranges: readonly Range[],
): number | undefined {
  const line = lineOf(fault, into);
  if (line === undefined) return undefined;
  let seen = 0;
  // Until the first record has ended the server does not know yet which character ends a line.
  let lineEnd = carriageReturn;
  for (const { from, to } of ranges) {
    for (let row = from; row < to; row += 1) {
      const bytes = bytesOf(loading, rangeAt(row));
      const isDos = bytes.at(-1) === newline && bytes.at(-2) === carriageReturn;
      seen += 1 + countIn(bytes, lineEnd, bytes.length - (isDos ? 2 : 1));
      if (seen >= line) return row;
      lineEnd = isDos ? carriageReturn : newline;
    }
  }
  return undefined;
}

function countIn(bytes: Uint8Array, wanted: number, end: number): number {
  let count = 0;
  for (let at = 0; at < end; at += 1) if (bytes[at] === wanted) count += 1;
  return count;
}
