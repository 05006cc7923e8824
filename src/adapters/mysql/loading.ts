import { MillraceError } from "../../core/error.ts";
import type { CsvRows, SinkColumn } from "../../ports/rows.ts";
import type { TableInfo } from "./catalog.ts";
import { isRowError } from "./errors.ts";
import { faultOf, type Refusal, type RowFault } from "./refusal.ts";
import type { Session } from "./session.ts";

/** The rows of one batch on their way into the table. */
export interface Loading {
  readonly session: Session;
  readonly table: TableInfo;
  /** The table's name, quoted and with its database. */
  readonly tableSql: string;
  /** Key to merge by; undefined appends. */
  readonly mergeKey: readonly string[] | undefined;
  /** Names of unique indexes on the key. */
  readonly keyIndexes: ReadonlySet<string>;
  /** Whether a row may meet another one by a unique index that is not on the key. */
  readonly otherUniques: boolean;
  readonly columns: readonly SinkColumn[];
  readonly csv: CsvRows;
  readonly count: number;
  /** Whether the server takes LOAD DATA LOCAL INFILE. */
  readonly takesFiles: boolean;
  /** Rows refused so far. */
  readonly refusals: Refusal[];
  /** Rows that are new in the table. */
  fresh: number;
}

/** Rows from `low` up to, not including, `high`. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

export const purpose = "writing rows";

/** Does `work`; gives the fault when a row was refused, undefined when all went well. The statement that failed has done nothing. */
export async function attempt(work: () => Promise<RowFault | undefined>): Promise<RowFault | undefined> {
  try {
    return await work();
  } catch (error) {
    const fault = isRowError(error) ? faultOf(error) : undefined;
    if (fault === undefined) throw error;
    return fault;
  }
}

/** Parts that a range is taken into when a row of it is refused and nobody knows which. */
const partsOfRange = 16;

/**
 * Does `work` for all rows of `range`, in order; where a row of a part is refused the part is taken apart, down to the row,
 * which is then refused. `work` must have done nothing when it gives a fault.
 */
export async function isolate(
  loading: Loading,
  range: Range,
  work: (part: Range) => Promise<RowFault | undefined>,
): Promise<void> {
  const pending: Range[] = [range];
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    const { low, high } = part;
    if (low >= high) continue;
    const current = part;
    const fault = await attempt(() => work(current));
    if (fault === undefined) continue;
    if (high - low === 1) loading.refusals.push({ row: low, fault });
    else pending.push(...partsOf(part, fault).toReversed());
  }
}

/** The row that the fault names stands alone, if it names one; otherwise the parts are of one size. */
function partsOf({ low, high }: Range, fault: RowFault): readonly Range[] {
  const row = fault.row === undefined ? undefined : low + fault.row - 1;
  if (row !== undefined && row >= low && row < high) {
    return [
      { low, high: row },
      { low: row, high: row + 1 },
      { low: row + 1, high },
    ];
  }
  const step = Math.ceil((high - low) / partsOfRange);
  const starts = Array.from({ length: Math.ceil((high - low) / step) }, (_, index) => low + index * step);
  return starts.map((start) => ({ low: start, high: Math.min(start + step, high) }));
}

/** Nobody said why rows are missing or which, so they can neither be counted as loaded nor become rejects. */
export function notStored({ table }: Loading, stored: number, wanted: number): MillraceError {
  return new MillraceError(
    "NOT_BALANCED",
    `"${table.name}" stored ${stored} rows of ${wanted} that it did not refuse`,
    {
      remedy: "Look for triggers on the table, and at the server's log. Nothing of the batch was written.",
      at: { table: table.name },
    },
  );
}
