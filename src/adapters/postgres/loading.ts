import { DatabaseError, type PoolClient } from "pg";
import { MillraceError } from "../../core/error.ts";
import type { CsvRows } from "../../ports/rows.ts";
import type { TableInfo } from "./catalog.ts";
import { ask } from "./client.ts";
import { copyIn, copySql } from "./copy.ts";
import { isRowState } from "./errors.ts";
import { faultOf, type Refusal, type RowFault } from "./refusal.ts";
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
  readonly csv: CsvRows;
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

/** Runs `work` so that a refused row undoes it: gives the fault then, undefined when all went well. */
export async function attempt(loading: Loading, work: () => Promise<void>): Promise<RowFault | undefined> {
  await loading.savepoint.mark();
  try {
    await work();
    return undefined;
  } catch (error) {
    // 21000: a merge met one row twice, of keys that only the table holds for equal.
    if (!(error instanceof DatabaseError && (isRowState(error.code) || error.code === "21000"))) throw error;
    await loading.savepoint.back();
    return faultOf(error);
  }
}

/** Constraints that wait for the commit must speak while the row can still be found. */
export async function checkDeferred(loading: Loading): Promise<void> {
  if (loading.table.deferred)
    await ask(loading.client, "checking deferred constraints", "set constraints all immediate");
}

/** Copies rows into `into` (quoted); all of them arrive, or it throws. */
export async function copyRange(
  loading: Loading,
  into: string,
  columns: readonly string[],
  range: Range,
): Promise<void> {
  const { client, csv, table } = loading;
  const sql = copySql(into, columns, csv.delimiter);
  const counted = await copyIn(client, purpose, sql, bytesOf(loading, range));
  if (counted === range.to - range.from) return;
  const mark = columns.length === 1 ? findEndMark(loading, range) : undefined;
  if (mark !== undefined) {
    await copyIn(client, purpose, sql, quotedEndMark);
    await copyRange(loading, into, columns, { from: mark + 1, to: range.to });
    return;
  }
  // A trigger that runs before the insert may have taken the row itself, as hand-made partitions do.
  if (table.rowTriggers && into === loading.tableSql) return;
  throw new MillraceError("NOT_BALANCED", `The server took ${counted} of ${range.to - range.from} rows`, {
    remedy: "Something drops rows on their way into the table, such as a trigger on a partition: see what it does.",
    at: { table: table.name },
  });
}

export function bytesOf(loading: Loading, { from, to }: Range): Uint8Array {
  const { csv, count } = loading;
  if (from === 0 && to === count) return csv.bytes;
  return csv.bytes.subarray(csv.offsetOf(from), csv.offsetOf(to));
}

const quotedEndMark = Buffer.from('"\\."\n');

/** Until PostgreSQL 18 a line of `\.` ends a COPY; in a table of one column a row can be that. */
function findEndMark(loading: Loading, { from, to }: Range): number | undefined {
  for (let row = from; row < to; row += 1) {
    const text = Buffer.from(bytesOf(loading, { from: row, to: row + 1 })).toString("latin1");
    if (/^\\\.\r?\n?$/.test(text)) return row;
  }
  return undefined;
}
