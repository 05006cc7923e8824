import { MillraceError } from "../../core/error.ts";
import { quoteIdentifier } from "../../core/identifier.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { EngineConnection, EngineHost, EngineParameter, EngineRow } from "../../ports/engine.ts";
import type { Catalog } from "./catalog.ts";
import { engineTypeOf } from "./sink-column.ts";
import { copyKeptTables } from "./sink-kept.ts";
import { type FileTable, hasLineage, listParts, listTables, readTable } from "./sink-table.ts";
import { tableSql } from "./sink-view.ts";

/** Reads committed rows with the engine. */
export class FileQuery {
  readonly #catalog: Catalog;
  readonly #root: string;
  readonly #engine: EngineHost;

  constructor(catalog: Catalog, root: string, engine: EngineHost) {
    this.#catalog = catalog;
    this.#root = root;
    this.#engine = engine;
  }

  /** Every table is a view, and what Millrace keeps is copied where the query names it. What is not a query cannot stand where a table can, so nothing is written. */
  async *query(sql: string, parameters: readonly EngineParameter[]): AsyncIterable<readonly EngineRow[]> {
    const connection = await this.#engine.connect();
    try {
      const tables = listTables(this.#catalog);
      const own = tables.map(({ name }) => name.toLowerCase());
      await copyKeptTables(connection, this.#catalog, sql, own);
      for (const table of tables) {
        const rows = tableSql(this.#root, table, listParts(this.#catalog, table.name));
        await connection.run(`create or replace temp view ${quoteIdentifier(table.name)} as ${rows}`);
      }
      yield* connection.stream(`select * from (${sql.replace(/;\s*$/, "")}\n)`, parameters);
    } finally {
      connection.close();
    }
  }

  async lineageOf(name: string, key: Readonly<Record<string, string>>): Promise<(bigint | undefined)[]> {
    const table = this.#table(name);
    const types = new Map(table.columns.map((column) => [column.name, engineTypeOf(column)]));
    const names = Object.keys(key);
    const conditions = names.map((column, n) => {
      const type = types.get(column);
      if (type === undefined) throw missingColumn(name, column);
      return `${quoteIdentifier(column)} = try_cast($${n + 1} as ${type})`;
    });
    const value = hasLineage(table) ? lineageColumn : `null as ${lineageColumn}`;
    const where = conditions.length === 0 ? "true" : conditions.join(" and ");
    const rows = await this.#all(table, `select ${value} from`, `where ${where}`, Object.values(key));
    return rows.map((row) => {
      const lineage = row[lineageColumn];
      return typeof lineage === "bigint" ? lineage : undefined;
    });
  }

  async rowsByLineage(name: string, from: bigint, to: bigint, limit: number): Promise<EngineRow[]> {
    const table = this.#table(name);
    if (!hasLineage(table)) return [];
    const where = `where ${lineageColumn} between $1 and $2 order by ${lineageColumn} limit ${limit}`;
    return this.#all(table, "select * from", where, [from, to]);
  }

  async #all(
    table: FileTable,
    select: string,
    rest: string,
    parameters: readonly EngineParameter[],
  ): Promise<EngineRow[]> {
    const rows = tableSql(this.#root, table, listParts(this.#catalog, table.name));
    const connection: EngineConnection = await this.#engine.connect();
    try {
      return await connection.all(`${select} (${rows}) ${rest}`, parameters);
    } finally {
      connection.close();
    }
  }

  #table(name: string): FileTable {
    const table = readTable(this.#catalog, name);
    if (table !== undefined) return table;
    throw new MillraceError("SINK_REFUSED", `There is no table ${JSON.stringify(name)} in the folder`, {
      remedy: "Check the name of the table.",
      at: { table: name },
    });
  }
}

function missingColumn(table: string, column: string): MillraceError {
  return new MillraceError(
    "SINK_REFUSED",
    `The table ${JSON.stringify(table)} has no column ${JSON.stringify(column)}`,
    {
      remedy: "Check the names of the key columns.",
      at: { table, column },
    },
  );
}
