import { sameName } from "./same-name.ts";
import type { EngineConnection } from "../../ports/engine.ts";
import { booleanCell, optionalText, textCell, textsCell } from "./cells.ts";
import type { Names } from "./location.ts";

export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  /** SQL of the default; undefined without one. */
  readonly default: string | undefined;
}

export interface ForeignKey {
  readonly columns: readonly string[];
  readonly table: string;
  readonly referenced: readonly string[];
}

/** What the database holds a table to. */
export interface TableFacts {
  readonly columns: readonly TableColumn[];
  /** Columns of the primary key and of unique constraints and indexes. */
  readonly uniques: readonly (readonly string[])[];
  /** SQL conditions of CHECK constraints. */
  readonly checks: readonly string[];
  readonly foreignKeys: readonly ForeignKey[];
}

/** Reads what a table is like; undefined when there is none of that name, or it is a view. */
export async function readTableFacts(
  connection: EngineConnection,
  names: Names,
  table: string,
): Promise<TableFacts | undefined> {
  const columns = await readColumns(connection, names, table);
  if (columns.length === 0) return undefined;
  const constraints = await connection.all(
    `select constraint_type, expression, constraint_column_names, referenced_table, referenced_column_names
     from duckdb_constraints() where ${isTable}`,
    tableParameters(names, table),
  );
  const of = (type: string): typeof constraints =>
    constraints.filter((row) => textCell(row, "constraint_type") === type);
  return {
    columns,
    uniques: [
      ...of("PRIMARY KEY").map((row) => textsCell(row, "constraint_column_names")),
      ...of("UNIQUE").map((row) => textsCell(row, "constraint_column_names")),
      ...(await readUniqueIndexes(connection, names, table, columns)),
    ],
    checks: of("CHECK").flatMap((row) => optionalText(row, "expression") ?? []),
    foreignKeys: of("FOREIGN KEY").map((row) => ({
      columns: textsCell(row, "constraint_column_names"),
      table: textCell(row, "referenced_table"),
      referenced: textsCell(row, "referenced_column_names"),
    })),
  };
}

const isTable = "database_name = $1 and schema_name = $2 and lower(table_name) = lower($3)";

function tableParameters(names: Names, table: string): string[] {
  return [names.database, names.schema, table];
}

async function readColumns(connection: EngineConnection, names: Names, table: string): Promise<TableColumn[]> {
  const rows = await connection.all(
    `select column_name, data_type, is_nullable, column_default from duckdb_columns()
     where ${isTable} and exists (select 1 from duckdb_tables() where ${isTable}) order by column_index`,
    tableParameters(names, table),
  );
  return rows.map((row) => ({
    name: textCell(row, "column_name"),
    type: textCell(row, "data_type"),
    nullable: booleanCell(row, "is_nullable"),
    default: optionalText(row, "column_default"),
  }));
}

/** Unique indexes on plain columns. One on an expression is left to the last resort, which finds its rows by trial. */
async function readUniqueIndexes(
  connection: EngineConnection,
  names: Names,
  table: string,
  columns: readonly TableColumn[],
): Promise<string[][]> {
  const rows = await connection.all(
    `select expressions from duckdb_indexes() where ${isTable} and is_unique and not is_primary`,
    tableParameters(names, table),
  );
  return rows.flatMap((row) => {
    const listed = (optionalText(row, "expressions") ?? "").replace(/^\[|\]$/g, "").split(", ");
    const found = listed.map((item) => columns.find((column) => sameName(column.name, unquote(item))));
    return found.every((column) => column !== undefined) ? [found.map((column) => column.name)] : [];
  });
}

/** `'"order id"'` and `id`, as DuckDB lists the expressions of an index. */
function unquote(listed: string): string {
  return listed
    .replace(/^'(.*)'$/, "$1")
    .replace(/^"(.*)"$/, "$1")
    .replaceAll('""', '"');
}

export async function isView(connection: EngineConnection, names: Names, table: string): Promise<boolean> {
  const rows = await connection.all(
    `select 1 from duckdb_views() where database_name = $1 and schema_name = $2 and lower(view_name) = lower($3)`,
    tableParameters(names, table),
  );
  return rows.length > 0;
}
