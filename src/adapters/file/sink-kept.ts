import { quoteIdentifier } from "../../core/identifier.ts";
import { limit } from "../../core/limit.ts";
import type { EngineConnection } from "../../ports/engine.ts";
import type { Catalog, CatalogRow } from "./catalog.ts";

type KeptType = "VARCHAR" | "BIGINT" | "BOOLEAN" | "BLOB" | "JSON" | "TIMESTAMP";

/** What of the catalog can be queried, with the types that the columns have in a DuckDB sink. */
const keptTables: Readonly<Record<string, Readonly<Record<string, KeptType>>>> = {
  millrace_checkpoint: {
    ...{ pipeline: "VARCHAR", lane: "VARCHAR", epoch: "BIGINT", position: "JSON", source: "VARCHAR" },
    ...{ claimed_at: "TIMESTAMP", moved_at: "TIMESTAMP" },
  },
  millrace_reject: {
    ...{ id: "BIGINT", pipeline: "VARCHAR", lane: "VARCHAR", batch: "BIGINT", source: "VARCHAR", record: "BIGINT" },
    ...{ line: "BIGINT", record_offset: "BIGINT", bytes: "BLOB", truncated: "BOOLEAN", reasons: "JSON" },
    ...{ format: "JSON", state: "VARCHAR", attempts: "BIGINT", rejected_at: "TIMESTAMP" },
  },
  millrace_ledger: {
    ...{ batch: "BIGINT", pipeline: "VARCHAR", lane: "VARCHAR", epoch: "BIGINT", run: "VARCHAR", version: "VARCHAR" },
    ...{ source: "VARCHAR", table_name: "VARCHAR", start_position: "JSON", end_position: "JSON" },
    ...{ read: "BIGINT", loaded: "BIGINT", merged: "BIGINT", filtered: "BIGINT", rejected: "BIGINT" },
    ...{ started_at: "TIMESTAMP", committed_at: "TIMESTAMP" },
  },
};

/**
 * Copies the tables of the catalog that the query names into temporary ones of the connection, a page at a time: the
 * engine does not read SQLite, and spills what its memory does not hold. A name of `own` is another table's.
 */
export async function copyKeptTables(
  connection: EngineConnection,
  catalog: Catalog,
  sql: string,
  own: readonly string[],
): Promise<void> {
  for (const [table, columns] of Object.entries(keptTables)) {
    if (!own.includes(table) && new RegExp(`\\b${table}\\b`, "i").test(sql))
      await copyTable(connection, catalog, table, columns);
  }
}

async function copyTable(
  connection: EngineConnection,
  catalog: Catalog,
  table: string,
  columns: Readonly<Record<string, KeptType>>,
): Promise<void> {
  const names = Object.keys(columns);
  const typed = Object.entries(columns).map(([name, type]) => `${quoteIdentifier(name)} ${type}`);
  await connection.run(`create temp table ${table} (${typed.join(", ")})`);
  const values = Object.entries(columns).map(([name, type]) => valueSql(quoteIdentifier(name), type));
  const texts = JSON.stringify([Object.fromEntries(names.map((name) => [name, "VARCHAR"]))]);
  const insert = `insert into ${table} select ${values.join(", ")}
    from (select unnest(from_json($1::json, '${texts}'), recursive := true))`;
  const selected = names.map(quoteIdentifier).join(", ");
  for (let after: CatalogRow[string] = -1; ; ) {
    const page = catalog.all(
      `select rowid as "_rowid", ${selected} from ${table} where rowid > ? order by rowid limit ?`,
      after,
      limit.rejectsPage,
    );
    const last = page.at(-1)?.["_rowid"];
    if (last === undefined) return;
    await connection.run(insert, [JSON.stringify(page.map((row) => textsOf(row, names)))]);
    after = last;
  }
}

function valueSql(name: string, type: KeptType): string {
  return type === "BLOB" ? `from_base64(${name})` : `cast(${name} as ${type})`;
}

function textsOf(row: CatalogRow, names: readonly string[]): Record<string, string | null> {
  return Object.fromEntries(names.map((name) => [name, textOf(row[name])]));
}

function textOf(value: CatalogRow[string]): string | null {
  if (value === null || value === undefined) return null;
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : String(value);
}
