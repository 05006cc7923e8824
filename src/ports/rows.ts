import type { Column } from "../core/contract.ts";
import type { EngineRow } from "./engine.ts";

/** A column that reaches the sink: the contract's, those that steps added, and `_millrace` when lineage is asked for. */
export interface SinkColumn extends Column {
  readonly name: string;
}

/**
 * The good rows of one batch, in record order: row 0 to `count - 1`. Valid until the batch is released by the runner,
 * which is after the unit that it is written to has ended. Everything here may be called again with the same result.
 */
export interface Rows {
  readonly columns: readonly SinkColumn[];
  readonly count: number;
  /** 0-based number, within the batch, of the record that row `row` came from. */
  recordOf(row: number): number;
  /** The rows as one CSV text in memory, about as large as the batch. */
  csv(): Promise<CsvRows>;
  /**
   * SQL of a SELECT in the engine that yields the rows with their columns in order, preceded by one more column
   * `_row` (bigint, the row's number). For adapters that read from the engine itself.
   */
  select(): Promise<string>;
  /** The rows as objects, in pieces. Values as in core/table's row types. */
  objects(): AsyncIterable<readonly EngineRow[]>;
  /** Writes all rows to a new file. `csv` has a header line. */
  write(path: string, format: "parquet" | "csv" | "ndjson"): Promise<void>;
}

/**
 * CSV without header: fields parted by `delimiter`, quoted by `"` where needed, `""` for a quote in quotes; an unquoted
 * empty field is null, a quoted one the empty text; records end in LF or CRLF. Dates and timestamps are ISO 8601,
 * numbers as SQL writes them, booleans true or false, json its text. UTF-8 without NUL.
 */
export interface CsvRows {
  readonly bytes: Uint8Array;
  readonly delimiter: string;
  /** Byte at which row `row` starts; `offsetOf(count)` is the length. */
  offsetOf(row: number): number;
}
