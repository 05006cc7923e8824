import type { Reason } from "../core/reject.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { BatchPlace, Change } from "../ports/transform.ts";

/**
 * Rows between two steps: a table in the engine with the columns by name and `_millrace`, the record each row came
 * from (0-based in the batch). A step that does not hand `_millrace` on leaves rows that cannot be traced (null).
 */
export interface Flow {
  readonly table: string;
  readonly columns: readonly SinkColumn[];
  readonly count: number;
}

/** A record that a step failed on. */
export interface StepFailure {
  readonly record: number;
  readonly reasons: readonly Reason[];
}

export interface StepResult {
  readonly flow: Flow;
  readonly failures: readonly StepFailure[];
  readonly changes?: readonly Change[];
}

/** Where the rows of a batch come from, as far as steps may ask. */
export type StepPlace = Pick<BatchPlace, "lane" | "record">;
