import type { Column } from "./contract.ts";
import { MillraceError } from "./error.ts";

/** A value that a row is compared with: of the column's type, dates and times as ISO 8601 text, decimals as their digits. */
export type RowOperand = string | number | bigint | boolean;

export const rowComparisons = ["eq", "neq", "lt", "lte", "gt", "gte", "like", "ilike", "in", "is"] as const;
export type RowComparison = (typeof rowComparisons)[number];

/** One condition on a column. `like` and `ilike` have `*` for any text; `is` has no operand and means null. */
export interface RowCondition {
  readonly column: string;
  readonly comparison: RowComparison;
  readonly operands: readonly RowOperand[];
  readonly negated: boolean;
}

export interface RowOrder {
  readonly column: string;
  readonly descending: boolean;
}

/** Which rows of a table, and what of them. */
export interface RowSelection {
  readonly table: string;
  /** All columns of the table that are known, by name. */
  readonly columns: Readonly<Record<string, Column>>;
  /** Those that are wanted, in this order. */
  readonly wanted: readonly string[];
  readonly conditions: readonly RowCondition[];
  /** Nulls come last. */
  readonly order: readonly RowOrder[];
  /** Only rows behind the one with these values in the columns of `order`. */
  readonly after?: readonly (RowOperand | null)[];
  readonly skip: number;
  /** At most so many rows; all when absent. */
  readonly take?: number;
}

/** The values of a row's key columns, by their names. */
export type RowKey = Readonly<Record<string, RowOperand>>;

/** Of a row that is to be removed and is not there. */
export function noSuchRow(table: string): MillraceError {
  return new MillraceError("ROW_UNKNOWN", `There is no row of that key in "${table}"`, {
    remedy: "Look which rows there are; another caller may have removed it.",
    at: { table },
  });
}
