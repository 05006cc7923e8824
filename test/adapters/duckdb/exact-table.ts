import { textCell } from "../../../src/adapters/duckdb/cells.ts";
import { quoteIdentifier } from "../../../src/core/identifier.ts";
import type { EngineConnection, EngineRow, EngineValue } from "../../../src/ports/engine.ts";

/** All rows of a table of the database in use. Text is read as bytes: the driver would drop a byte order mark. */
export async function readExactly(connection: EngineConnection, table: string): Promise<EngineRow[]> {
  const columns = await connection.all(
    "select column_name as name, data_type as type from duckdb_columns() where table_name = $1 and database_name = current_database()",
    [table],
  );
  if (columns.length === 0) return [];
  const selected = columns.map((column) => {
    const name = quoteIdentifier(textCell(column, "name"));
    return column["type"] === "VARCHAR" ? `encode(${name}) as ${name}` : name;
  });
  const rows = await connection.all(`select ${selected.join(", ")} from ${quoteIdentifier(table)}`);
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, decoded(value)])));
}

function decoded(value: EngineValue): EngineValue {
  return value instanceof Uint8Array ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(value) : value;
}
