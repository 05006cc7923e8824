import type { Column, Contract } from "./contract.ts";
import { MillraceError } from "./error.ts";
import type { Json, JsonObject } from "./json.ts";
import type { LineFormat } from "./line-format.ts";
import { contractToJson } from "./contract-json.ts";
import { checkOptions, sinkRules, sourceRules, viaRules } from "./pipeline-options.ts";
import { type ColumnBuilders, columnsOf, type RowOf } from "./table.ts";

/** How rows meet the table: append them, merge them by key, or replace all that is there in one transaction. */
export const modes = ["append", "merge", "replace"] as const;
export type Mode = (typeof modes)[number];

/** Settings of the record format; what is absent is found out from the file. */
export interface FormatOptions {
  /**
   * Of a file: `csv`, `json` (an array or values one after another), `ndjson`, `parquet` or `xlsx`; by the name's ending
   * when absent; or a text format of your own, made by `lineFormat`. Of a log: `json`, which it is when absent, or
   * `avro`, which needs a `registry`.
   */
  readonly format?: "csv" | "json" | "ndjson" | "parquet" | "xlsx" | "avro" | LineFormat;
  /** Of a workbook: the sheet to read; the first visible one when absent. */
  readonly sheet?: string;
  readonly header?: boolean;
  readonly delimiter?: string;
  readonly quote?: string;
  readonly encoding?: "utf-8" | "latin1" | "utf-16le" | "utf-16be";
  /** Unquoted text that means missing, besides the empty field. */
  readonly nullText?: string;
  /** Columns of the source that the contract lacks are an error unless this is true. */
  readonly ignoreExtra?: boolean;
}

export interface SourceOptions extends FormatOptions {
  /** Lanes a file is split into, and files read at once. */
  readonly parallel?: number;
  /** A whole file commits at once. */
  readonly atomic?: boolean;
  /** After commit: `keep` (default), `delete`, or `archive` into the folder `done` beside the file. */
  readonly settle?: "keep" | "delete" | "archive";
  /**
   * When a file is whole: as soon as it stays the same from one look to the next (default), when it has for `stableMs`,
   * when `NAME.done` is beside it, or when a ticket announces it, which is PROCESSED once the file is loaded.
   */
  readonly ready?: "ticket" | "done-file" | { readonly stableMs: number };
  /** How often a followed place is looked at, in ms: 1 000 when absent, 3 000 for one on a server. */
  readonly pollMs?: number;
  /** Other content under a name that was loaded before: read as a file of its own (default), or refused and told. */
  readonly sameName?: "append" | "refuse";
  /**
   * A cron pattern: a file is expected by each of these times, and told of when none has come since the time before.
   * Heeded where the pipeline is followed; counted from when that began.
   */
  readonly expectedBy?: string;
  /** Of a log: records of one batch at most. Default 20 000. */
  readonly batchRows?: number;
  /** Of a log: how long the first record of a batch waits for others, in ms. Default 200. */
  readonly lingerMs?: number;
  /** Of a log of Avro: URL of the schema registry, `http://host:8081`, with `user:password@` where it asks for them. */
  readonly registry?: string;
  /** Of a log: what to do about records that were trimmed before they were read. Default `fail`. */
  readonly whenGone?: "fail" | "skip";
}

export interface SinkOptions {
  readonly table?: string;
  /** `merge` when the contract has a key, else `append`. */
  readonly mode?: Mode;
  /** Adds the column `_millrace` to a table that Millrace creates. */
  readonly lineage?: boolean;
  /** Schema of the tables that Millrace keeps; the target table's own schema when absent. */
  readonly stateSchema?: string;
  /** Of a log: the sink that keeps position, rejects and ledger, as a URL; a file in the data folder when absent. */
  readonly state?: string;
  /** Of a log: what rows become, `json` when absent; `avro` needs a `registry`. */
  readonly format?: "json" | "avro";
  /** Of a log of Avro: URL of the schema registry, `http://host:8081`, with `user:password@` where it asks for them. */
  readonly registry?: string;
  /** Fails in `check` and at the start when the sink cannot give it. */
  readonly guarantee?: "exactly-once";
}

export interface SqlStep {
  readonly kind: "sql";
  /** A `SELECT` over the relation `batch`. */
  readonly sql: string;
  readonly columns: Readonly<Record<string, Column>>;
}

export interface MapStep {
  readonly kind: "map";
  /** Returns the new row, or undefined to filter it out. What it throws makes the record a reject. */
  readonly map: (row: never) => unknown;
  readonly columns: Readonly<Record<string, Column>>;
}

/** A step that comes with Millrace, such as `impute(…)`: data, which the engine computes. */
export interface TransformStep {
  readonly kind: "transform";
  readonly name: string;
  readonly options: JsonObject;
  /** What it measured of all rows; absent while it has not, and where it need not. */
  readonly parameters?: Json;
  /** The same where it holds for the records of one run alone: no part of the definition. */
  readonly ofRun?: Json;
}

export type Step = SqlStep | MapStep | TransformStep;

/** How a stage reads the log that it begins with, and where the one that ends there keeps its position. */
export interface ViaOptions extends Pick<SourceOptions, "batchRows" | "lingerMs" | "whenGone"> {
  /** The sink that keeps position, rejects and ledger of the stage that ends here, as a URL; the pipeline's own when absent. */
  readonly state?: string;
}

/** Where a pipeline is cut: one stage ends in the log, the next begins with it. */
export interface Via {
  readonly url: string;
  /** Steps of the pipeline that lie before it. */
  readonly steps: number;
  readonly options: ViaOptions;
}

/** source → contract → steps → sink, as data. */
export interface Pipeline {
  readonly kind: "pipeline";
  readonly name: string;
  readonly from: string;
  readonly source: SourceOptions;
  readonly contract: Contract | undefined;
  readonly steps: readonly Step[];
  /** Logs that part the steps into stages, in order; see core/stage. Not cut when absent. */
  readonly via?: readonly Via[];
  readonly to: string;
  readonly sink: SinkOptions;
}

type Simplify<T> = { [K in keyof T]: T[K] };
type Merge<Before, After> = Simplify<Omit<Before, keyof After> & After>;

/** A pipeline with source and contract; `Row` is what flows at this point. */
export interface PipelineFlow<Row> {
  /** SQL over the relation `batch`; declare the columns it adds or changes as `Added`, so that later steps know them. */
  sql<Added extends object = object>(
    strings: TemplateStringsArray,
    ...values: readonly never[]
  ): PipelineFlow<Merge<Row, Added>>;
  /** A TypeScript function over each row. Columns that it adds or retypes are declared in `columns`. */
  map(fn: (row: Row) => Row | undefined): PipelineFlow<Row>;
  map<const Builders extends ColumnBuilders>(
    columns: Builders,
    fn: (row: Row) => Merge<Row, RowOf<Builders>> | undefined,
  ): PipelineFlow<Merge<Row, RowOf<Builders>>>;
  /**
   * Cuts the pipeline: rows go into the log at `url`, and what follows reads them from there, in this process or in
   * others, each stage scaled on its own. Rows come out as they went in.
   */
  via(url: string, options?: ViaOptions): PipelineFlow<Row>;
  /** A step that comes with Millrace. Declare the columns that it retypes as `Changed`. */
  with<Changed extends object = object>(step: TransformStep): PipelineFlow<Merge<Row, Changed>>;
  to(url: string, options?: SinkOptions): Pipeline;
}

export interface PipelineSource {
  /** The contract that every record must meet. */
  check<Row>(contract: Contract<Row>): PipelineFlow<Row>;
}

export interface PipelineStart {
  /** Where records come from: a path, a glob or a URL. */
  from(url: string, options?: SourceOptions): PipelineSource;
}

const namePattern = /^[\p{L}\p{N}][\p{L}\p{N} ._:-]{0,99}$/u;

/** Starts a pipeline. The name identifies its positions in the sink: changing it starts anew. */
export function pipeline(name: string): PipelineStart {
  if (!namePattern.test(name)) {
    throw new MillraceError("PIPELINE_INVALID", `${JSON.stringify(name)} cannot be the name of a pipeline`, {
      remedy: "Use up to 100 letters, digits, spaces and . _ : - and start with a letter or digit.",
    });
  }
  return {
    from: (from, source = {}) => {
      checkOptions(name, source, sourceRules);
      const start = { kind: "pipeline", name, from, source, steps: [], to: "", sink: {} } as const;
      return {
        check: <Row>(contract: Contract<Row>) => flow<Row>({ ...start, contract: contract as Contract }),
      };
    },
  };
}

function flow<Row>(so: Pipeline): PipelineFlow<Row> {
  const withStep = <Next>(step: Step): PipelineFlow<Next> => flow<Next>({ ...so, steps: [...so.steps, step] });
  return {
    sql: <Added extends object>(strings: TemplateStringsArray, ...values: readonly unknown[]) => {
      if (values.length > 0) throw stepMistake(so.name, "an SQL step holds ${…}", "Write the SQL without values.");
      return withStep<Merge<Row, Added>>({ kind: "sql", sql: strings.join(""), columns: {} });
    },
    map: (first: unknown, second?: unknown) => {
      const map = second ?? first;
      if (typeof map !== "function")
        throw stepMistake(so.name, "a map step has no function", "Write .map((row) => …).");
      const columns = second === undefined ? {} : columnsOf(first as ColumnBuilders);
      return withStep<never>({ kind: "map", map: map as MapStep["map"], columns });
    },
    via: (url, options = {}) => {
      checkOptions(so.name, options, viaRules);
      checkCut(so, url);
      return flow<Row>({ ...so, via: [...(so.via ?? []), { url, steps: so.steps.length, options }] });
    },
    with: <Changed extends object>(step: TransformStep) => {
      const { kind } = step as { readonly kind?: unknown };
      if (kind !== "transform")
        throw stepMistake(so.name, "with() has no step", 'Write .with(impute({ age: "median" })) and the like.');
      return withStep<Merge<Row, Changed>>(step);
    },
    to: (to, sink = {}) => {
      checkOptions(so.name, sink, sinkRules);
      if (so.via !== undefined) checkCut(so, to);
      if (so.via !== undefined && sink.mode === "replace")
        throw stepMistake(
          so.name,
          "it is cut and replaces",
          "Let it append or merge: the log it is read from has no end.",
        );
      return { ...so, to, sink };
    },
  };
}

/** A stage that wrote into a log that it, or one before it, reads would never come to an end. */
function checkCut({ name, from, via = [] }: Pipeline, url: string): void {
  if (url !== from && !via.some((one) => one.url === url)) return;
  throw stepMistake(name, "two of its places are the same log", "Give each .via(URL) and .to(URL) a log of its own.");
}

/** TypeScript says these too; a module that runs with its types stripped may not have been checked. */
function stepMistake(pipeline: string, what: string, remedy: string): MillraceError {
  return new MillraceError("PIPELINE_INVALID", `The pipeline "${pipeline}" has a mistake: ${what}`, { remedy });
}

export function isPipeline(value: unknown): value is Pipeline {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "pipeline";
}

function jsonOf({ columns }: MapStep): JsonObject {
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, { ...column }]));
}

/** What a batch was made by, as kept in the sink: contract and steps; functions by their text and declared columns. */
export function definitionOf(so: Pick<Pipeline, "contract" | "steps">): JsonObject {
  const steps = so.steps.map(stepJson);
  return { contract: so.contract === undefined ? null : contractToJson(so.contract), steps };
}

function stepJson(step: Step): JsonObject {
  switch (step.kind) {
    case "sql":
      return { kind: "sql", sql: step.sql };
    case "map": {
      const columns = Object.keys(step.columns).length > 0 ? { columns: jsonOf(step) } : {};
      return { kind: "map", map: String(step.map), ...columns };
    }
    case "transform": {
      const { kind, name, options, parameters } = step;
      return { kind, name, options, ...(parameters === undefined ? {} : { parameters }) };
    }
  }
}
