import type { DuckDBConnection, DuckDBResult, DuckDBValue } from "@duckdb/node-api";
import { blobValue } from "@duckdb/node-api";
import type { EngineConnection, EngineParameter, EngineRow } from "../ports/engine.ts";
import { MillraceError } from "../core/error.ts";
import { type ValueReader, valueReader } from "./values.ts";

/** A DuckDB connection whose statements wait for one another. */
export class Connection implements EngineConnection {
  readonly #duckdb: DuckDBConnection;
  readonly #onClose: () => void;
  #last: Promise<unknown> = Promise.resolve();
  #isInTransaction = false;

  constructor(duckdb: DuckDBConnection, onClose: () => void) {
    this.#duckdb = duckdb;
    this.#onClose = onClose;
  }

  /** The driver's own connection, for the engine's appenders. */
  get duckdb(): DuckDBConnection {
    return this.#duckdb;
  }

  run(sql: string, parameters: readonly EngineParameter[] = []): Promise<number> {
    return this.#inTurn(async () => {
      const { rowsChanged } = await this.#duckdb.run(sql, bind(parameters)).finally(() => this.#noteEnd(sql));
      if (/^\s*begin\b/i.test(sql)) this.#isInTransaction = true;
      return rowsChanged;
    });
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
    const release = await this.#takeTurn();
    try {
      const isOurs = await this.#begin();
      try {
        yield* this.#pieces(sql, parameters);
        await this.#checkWhole(sql, parameters, isOurs);
      } finally {
        if (isOurs) await this.#duckdb.run("rollback");
      }
    } catch (error) {
      throw explained(error);
    } finally {
      release();
    }
  }

  /** Holds the connection until the last row is read or the loop is left. */
  async *scan(sql: string): AsyncIterable<readonly EngineRow[]> {
    const release = await this.#takeTurn();
    try {
      yield* this.#pieces(sql, []);
    } catch (error) {
      throw explained(error);
    } finally {
      release();
    }
  }

  async #takeTurn(): Promise<() => void> {
    const { promise: done, resolve: release } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = done;
    await before.catch(() => undefined); // its own caller was told
    return release;
  }

  async *#pieces(sql: string, parameters: readonly EngineParameter[]): AsyncIterable<readonly EngineRow[]> {
    const result = await this.#duckdb.stream(sql, bind(parameters));
    const read = rowReader(result);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      yield chunk.getRows().map(read);
    }
  }

  /** False when a transaction is open already: a second beginning would be the end of it. */
  async #begin(): Promise<boolean> {
    if (this.#isInTransaction) return false;
    await this.#duckdb.run("begin transaction");
    return true;
  }

  /** A COMMIT that fails is the end of the transaction as well. */
  #noteEnd(sql: string): void {
    if (/^\s*(commit|rollback)\b/i.test(sql)) this.#isInTransaction = false;
  }

  /**
   * The driver hands an error behind the first rows over as the end of the rows. The transaction is over with it,
   * though, and says so. Done once more without its rows, the statement tells what it was.
   */
  async #checkWhole(sql: string, parameters: readonly EngineParameter[], isOurs: boolean): Promise<void> {
    try {
      await this.#duckdb.run("select 1");
    } catch (cause) {
      if (!isOurs) throw cause;
      await this.#duckdb.run("rollback");
      await this.#duckdb.run("begin transaction");
      await this.#duckdb.run(`explain analyze ${sql}`, bind(parameters));
      throw cause;
    }
  }

  close(): void {
    this.#duckdb.closeSync();
    this.#onClose();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work, work).catch((error: unknown) => {
      throw explained(error);
    });
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

/** The budget is the user's to raise, so running out of it is told as such; all else is for the caller to judge. */
function explained(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.startsWith("Out of Memory Error")) return error;
  const [what = ""] = error.message.split("\n");
  return new MillraceError("MEMORY", `The engine needs more memory than the budget leaves it: ${what}`, {
    remedy: "Raise --memory: many columns need it, and so does the primary key of a DuckDB table that is written to.",
    cause: error,
  });
}
