import type { Column } from "../core/contract.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { TransformStep } from "../core/pipeline.ts";
import type { EngineConnection } from "./engine.ts";
import type { ReadColumn } from "./relation.ts";
import type { SinkColumn } from "./rows.ts";

/** All rows that stand before a step, in a relation of the engine, which spills it. */
export interface Whole {
  readonly connection: EngineConnection;
  /** A table with `columns` by name, and two more that say where a row came from: `laneColumn` and `recordColumn`. */
  readonly relation: string;
  readonly laneColumn: string;
  readonly recordColumn: string;
  readonly columns: readonly SinkColumn[];
  readonly rows: number;
  /** ISO 8601, UTC. */
  readonly now: string;
  /** A name for a table that lives as long as the run. */
  readonly tableName: () => string;
  /** The columns as values to look at; with `narrow` texts by the narrowest type that holds every value. */
  read(names: readonly string[], narrow: boolean): Promise<ReadColumn[]>;
}

/** What a transform may refer to in its SQL over the relation `batch`. */
export interface BatchPlace {
  /** Of the lane, as in `Whole.laneColumn`. */
  readonly lane: string;
  /** SQL of a row's record, as in `Whole.recordColumn`. */
  readonly record: string;
  /** SQL of the value of a text in a column's type; null where it is not exactly one. */
  readonly typed: (column: Column, text: string) => string;
}

/** What a step does to the rows of a batch, as SQL over the relation `batch`. */
export interface Compiled {
  /** Values that `values` name, computed once: by a name that starts with `_millrace_`. */
  readonly asides?: Readonly<Record<string, string>>;
  /** By column: its new value, and the column where it becomes another one. */
  readonly values?: Readonly<Record<string, { readonly sql: string; readonly column?: Column }>>;
  /** Texts that SQL cannot change: those for which `needs` is true are given to `change`, each different one once. */
  readonly texts?: readonly TextChange[];
  /** A condition on the rows that are handed on, windows allowed; the others are filtered. */
  readonly keeps?: string;
  /** Rows that it fails on are rejects with this reason. */
  readonly fails?: readonly { readonly column: string; readonly condition: string; readonly message: string }[];
  /** Whether changed values are counted and shown. Default true. */
  readonly isReported?: boolean;
}

export interface TextChange {
  readonly column: string;
  readonly needs: string;
  /** Undefined for a text that stays as it is since it cannot be changed: these are counted. */
  readonly change: (text: string) => string | undefined;
}

/** A kind of step that comes with Millrace: SQL made from options and, where it needs them, from measured parameters. */
export interface Transform {
  readonly name: string;
  /** What it looks at all rows for; absent where it never does. */
  readonly whole?: WholeLook;
  /** Without parameters, where nothing is known yet, it only says what becomes of the columns. */
  compile(step: TransformStep, columns: readonly SinkColumn[], place: BatchPlace): Compiled;
}

/** What a transform looks at all rows for. */
export interface WholeLook {
  /** Whether it must, with these options. Throws PIPELINE_INVALID for options that do not fit the columns. */
  isNeeded(options: JsonObject, columns: readonly SinkColumn[]): boolean;
  /** Its parameters hold for these rows alone: they are measured in every run, and are `ofRun`. */
  readonly isOfRun?: boolean;
  /** Where there is no end of rows to look at, it looks at those of a batch. */
  readonly worksByBatch?: boolean;
  /** The parameters, from all rows. */
  measure(options: JsonObject, whole: Whole): Promise<Json>;
}

/** Finds a transform by its name. */
export type Transforms = (name: string) => Transform | undefined;

/** What a step changed: count, and the first examples. */
export interface Change {
  readonly step: string;
  readonly column: string;
  /** `changed`; `kept` for values that it could not change. */
  readonly what: "changed" | "kept";
  readonly count: number;
  readonly examples: readonly { readonly from: string | null; readonly to: string | null }[];
}
