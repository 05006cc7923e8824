import { quoteIdentifier } from "../../src/core/identifier.ts";
import { Engine } from "../../src/engine/engine.ts";
import { tableRows } from "../../src/engine/table-rows.ts";
import { engineType } from "../../src/engine/typed-sql.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { EngineConnection, EngineRow, EngineValue } from "../../src/ports/engine.ts";
import type { Rows, SinkColumn } from "../../src/ports/rows.ts";

const rowsPerStatement = 100;

/** The real engine, with a way to make it hold rows that no source delivered. */
export class RowEngine implements AsyncDisposable {
  readonly engine: Engine;
  readonly #connection: EngineConnection;
  readonly notices: string[] = [];

  private constructor(engine: Engine, connection: EngineConnection) {
    this.engine = engine;
    this.#connection = connection;
  }

  static async open(): Promise<RowEngine> {
    const engine = await Engine.open({ memoryBytes: 256 * 2 ** 20, threads: 2 });
    return new RowEngine(engine, await engine.connect());
  }

  get context(): AdapterContext {
    return {
      engine: this.engine,
      now: () => Date.now(),
      pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      notice: (text) => this.notices.push(text),
    };
  }

  /** Row `n` is `objects[n]`, of record `n`. */
  async makeRows(columns: readonly SinkColumn[], objects: readonly EngineRow[]): Promise<Rows> {
    const table = this.engine.tableName("rows");
    const typed = columns.map((column) => `${quoteIdentifier(column.name)} ${engineType(column)}`);
    await this.#connection.run(`create table ${table} (${typed.join(", ")})`);
    for (let start = 0; start < objects.length; start += rowsPerStatement) {
      await this.#insert(table, columns, objects.slice(start, start + rowsPerStatement));
    }
    const names = columns.map((column) => quoteIdentifier(column.name)).join(", ");
    return tableRows({
      connection: this.#connection,
      sql: async () => `select ${names} from ${table}`,
      columns,
      count: objects.length,
      recordOf: (row) => row,
    });
  }

  async #insert(table: string, columns: readonly SinkColumn[], objects: readonly EngineRow[]): Promise<void> {
    const parameters: (string | null)[] = [];
    const tuples = objects.map((object) => {
      const values = columns.map((column) => {
        parameters.push(textOf(column, object[column.name] ?? null));
        return `$${parameters.length}::varchar::${engineType(column)}`;
      });
      return `(${values.join(", ")})`;
    });
    await this.#connection.run(`insert into ${table} values ${tuples.join(", ")}`, parameters);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
    await this.engine.close();
  }
}

function textOf(column: SinkColumn, value: EngineValue): string | null {
  if (value === null) return null;
  return column.type === "json" || typeof value === "object" ? JSON.stringify(value) : String(value);
}
