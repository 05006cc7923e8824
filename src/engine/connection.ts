import type { DuckDBConnection, DuckDBResult, DuckDBValue } from "@duckdb/node-api";
import { blobValue } from "@duckdb/node-api";
import type { EngineConnection, EngineParameter, EngineRow } from "../ports/engine.ts";
import { type ValueReader, valueReader } from "./values.ts";

/** A DuckDB connection whose statements wait for one another. */
export class Connection implements EngineConnection {
  readonly #duckdb: DuckDBConnection;
  readonly #onClose: () => void;
  #last: Promise<unknown> = Promise.resolve();

  constructor(duckdb: DuckDBConnection, onClose: () => void) {
    this.#duckdb = duckdb;
    this.#onClose = onClose;
  }

  /** The driver's own connection, for the engine's appenders. */
  get duckdb(): DuckDBConnection {
    return this.#duckdb;
  }

  run(sql: string, parameters: readonly EngineParameter[] = []): Promise<number> {
    return this.#inTurn(async () => (await this.#duckdb.run(sql, bind(parameters))).rowsChanged);
  }

  all(sql: string, parameters: readonly EngineParameter[] = []): Promise<EngineRow[]> {
    return this.#inTurn(async () => {
      const result = await this.#duckdb.run(sql, bind(parameters));
      const read = rowReader(result);
      const rows: EngineRow[] = [];
      for (const chunk of await result.fetchAllChunks()) rows.push(...chunk.getRows().map(read));
      return rows;
    });
  }

  /** Holds the connection until the last row is read or the loop is left. */
  async *stream(sql: string, parameters: readonly EngineParameter[] = []): AsyncIterable<readonly EngineRow[]> {
    const { promise: done, resolve: release } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = done;
    await before.catch(() => undefined); // its own caller was told
    try {
      const result = await this.#duckdb.stream(sql, bind(parameters));
      const read = rowReader(result);
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) return;
        yield chunk.getRows().map(read);
      }
    } finally {
      release();
    }
  }

  close(): void {
    this.#duckdb.closeSync();
    this.#onClose();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined); // its own caller is told
    return turn;
  }
}

function bind(parameters: readonly EngineParameter[]): DuckDBValue[] {
  return parameters.map((value) => (value instanceof Uint8Array ? blobValue(value) : value));
}

function rowReader(result: DuckDBResult): (row: DuckDBValue[]) => EngineRow {
  const columns = result
    .deduplicatedColumnNames()
    .map((name, index): [string, ValueReader] => [name, valueReader(result.columnType(index))]);
  return (row) => Object.fromEntries(columns.map(([name, read], index) => [name, read(row[index] ?? null)]));
}
