import type { EngineRow } from "../ports/engine.ts";
import type { Rows, SinkColumn } from "../ports/rows.ts";
import type { Sink } from "../ports/sink.ts";

/** What a suite needs of a test runner. Those of Vitest and Jest fit as they are. */
export interface TestApi {
  describe(name: string, body: () => void): unknown;
  readonly it: TestRegistrar;
  expect(actual: unknown): Expectation;
}

export interface TestRegistrar {
  (name: string, body: () => Promise<void>, timeoutMs?: number): unknown;
  skip(name: string, body: () => Promise<void>): unknown;
}

export interface Expectation {
  /** Deep equality; throws when it does not hold. */
  toEqual(expected: unknown): unknown;
}

/** A fresh, empty place for one behaviour. The suite opens and closes the sinks; `dispose` removes the place. */
export interface SinkPlace {
  /** Not yet opened. */
  readonly sink: Sink;
  /** A further, independent sink on the same place, as another process would have it. */
  other(): Promise<Sink>;
  /**
   * All committed rows of a table, in any order, read by other means than the sink's own. Values as in core/table's row
   * types: bigint a bigint, decimal its digits as text, date and timestamp ISO 8601 text, json the value. Columns as the
   * table has them. A table that does not exist has no rows.
   */
  readTable(table: string): Promise<readonly EngineRow[]>;
  /** Removes a table as its owner might, behind Millrace's back; what Millrace keeps stays. */
  dropTable(table: string): Promise<void>;
  dispose(): Promise<void>;
}

export interface SinkHarness {
  /** What the suite is run against, for people: `duckdb`, `postgres 15`. */
  readonly name: string;
  readonly api: TestApi;
  create(): Promise<SinkPlace>;
  /** Rows as the engine makes them: row `n` is `objects[n]` and comes from record `n`. */
  makeRows(columns: readonly SinkColumn[], objects: readonly EngineRow[]): Promise<Rows>;
  /** Behaviours, by name, that the place cannot have, each with the reason. An unknown name or an empty reason fails. */
  readonly skips: Readonly<Record<string, string>>;
  /** For one behaviour; 60 000 when absent. */
  readonly timeoutMs?: number;
}
