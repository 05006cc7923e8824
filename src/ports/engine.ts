import type { RowValue } from "../core/json-value.ts";

export type EngineValue = RowValue;
export type EngineRow = Readonly<Record<string, EngineValue>>;

/** What may be bound to a statement's `$1`, `$2`, … */
export type EngineParameter = null | boolean | number | bigint | string | Uint8Array;

/**
 * One connection to the engine, DuckDB. Statements of one connection run one at a time, in order of the calls, off the
 * event loop. Errors are rejected promises holding the engine's own error, unclassified.
 */
export interface EngineConnection {
  /** Runs one or more statements; resolves with the number of rows changed by the last one. */
  run(sql: string, parameters?: readonly EngineParameter[]): Promise<number>;
  /** Runs a statement and holds its whole result: only for results known to be small. */
  all(sql: string, parameters?: readonly EngineParameter[]): Promise<EngineRow[]>;
  /** Runs a statement and gives its rows in pieces; memory stays flat. Throws when it fails behind its first rows too. */
  stream(sql: string, parameters?: readonly EngineParameter[]): AsyncIterable<readonly EngineRow[]>;
  /** The same for less, where nothing can fail once it has begun: columns of a table as they are. */
  scan(sql: string): AsyncIterable<readonly EngineRow[]>;
  close(): void;
}

/** The engine of this process. An adapter whose place DuckDB reads or writes itself attaches it here. */
export interface EngineHost {
  connect(): Promise<EngineConnection>;
  /** A name for a table or attached database that nothing else in this process uses. */
  uniqueName(prefix: string): string;
}
