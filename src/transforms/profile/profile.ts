import type { Column } from "../../core/contract.ts";
import type { RowValue } from "../../core/json-value.ts";

/** What all values of one column show. */
export interface ColumnProfile {
  readonly name: string;
  /** As a contract would say it. */
  readonly type: Column["type"];
  readonly format?: string;
  /** The narrowest type of the engine that holds every value: `TINYINT`, `DECIMAL(9,2)`, `DATE`. */
  readonly narrowest: string;
  /** Bytes that its values take as they are read, and in the narrowest type. */
  readonly sizeBytes: number;
  readonly narrowBytes: number;
  readonly missing: number;
  /** Different values; an estimate of a few percent unless `distinctIsExact`. */
  readonly distinct: number;
  readonly distinctIsExact: boolean;
  readonly min: RowValue;
  readonly max: RowValue;
  /** Every row has this value. */
  readonly constant?: RowValue;
  /** The first column before it that has equal values in every row. */
  readonly duplicateOf?: string;
  /** The first values that differ from one another. */
  readonly examples: readonly RowValue[];
}

/** What all rows of a relation show. */
export interface Profile {
  readonly rows: number;
  readonly columns: readonly ColumnProfile[];
}

/** Columns that lack values, the fewest first. */
export function missingColumns({ columns }: Profile): ColumnProfile[] {
  return columns.filter(({ missing }) => missing > 0).toSorted((a, b) => a.missing - b.missing);
}

export function constantColumns({ columns }: Profile): ColumnProfile[] {
  return columns.filter(({ constant }) => constant !== undefined);
}

/** By column, the later ones that have equal values in every row. */
export function duplicatedColumns({ columns }: Profile): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { name, duplicateOf } of columns) {
    if (duplicateOf !== undefined) found.set(duplicateOf, [...(found.get(duplicateOf) ?? []), name]);
  }
  return found;
}
