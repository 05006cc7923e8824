import { join } from "node:path";
import { quoteIdentifier, quoteLiteral } from "../../core/identifier.ts";
import { limit } from "../../core/limit.ts";
import { engineTypeOf, type TableColumn } from "./sink-column.ts";
import { type PartFormat, partFormatOf } from "./sink-part-name.ts";
import type { FileTable, Part } from "./sink-table.ts";

/** SQL of a SELECT in the engine that yields the table's rows from its committed parts. */
export function tableSql(root: string, table: FileTable, parts: readonly Part[]): string {
  const folder = join(root, table.folder);
  const groups = Map.groupBy(parts, (part) => `${partFormatOf(part.file)} ${JSON.stringify(part.columns)}`);
  const selects = [...groups.values()].map((group) => groupSql(folder, table, group));
  return selects.length === 0 ? emptySql(table.columns) : selects.join(" union all ");
}

/** Parts of one format with the same columns in the same order. */
function groupSql(folder: string, table: FileTable, group: readonly Part[]): string {
  const [first] = group;
  if (first === undefined) return emptySql(table.columns);
  const types = new Map(table.columns.map((column) => [column.name, engineTypeOf(column)]));
  const here = new Set(first.columns);
  const values = table.columns.map((column) => {
    const value = here.has(column.name) ? quoteIdentifier(column.name) : "null";
    return `cast(${value} as ${engineTypeOf(column)}) as ${quoteIdentifier(column.name)}`;
  });
  const paths = group.map((part) => quoteLiteral(escapeGlob(join(folder, part.file))));
  const columns = first.columns.map((name) => `${quoteLiteral(name)}: ${quoteLiteral(types.get(name) ?? "VARCHAR")}`);
  const reader = readers[partFormatOf(first.file)];
  return `select ${values.join(", ")} from ${reader(`[${paths.join(", ")}]`, `{${columns.join(", ")}}`)}`;
}

/** The longest record of a source, with room for the quotes and escapes that a line adds. */
const lineBytesMax = 2 * limit.recordBytes;

/** As the engine writes them: nothing is left to be guessed from the contents. */
const readers: Readonly<Record<PartFormat, (paths: string, columns: string) => string>> = {
  parquet: (paths) => `read_parquet(${paths})`,
  csv: (paths, columns) =>
    `read_csv(${paths}, columns = ${columns}, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, parallel = false, max_line_size = ${lineBytesMax}, buffer_size = ${lineBytesMax})`,
  ndjson: (paths, columns) =>
    `read_json(${paths}, columns = ${columns}, format = 'newline_delimited', maximum_object_size = ${lineBytesMax})`,
};

function emptySql(columns: readonly TableColumn[]): string {
  const values = columns.map((column) => `cast(null as ${engineTypeOf(column)}) as ${quoteIdentifier(column.name)}`);
  return `select ${values.join(", ")} where false`;
}

/** The engine takes every path for a pattern; a class of one character stands for that character. */
function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, "[$&]");
}

/** How people read the table in DuckDB: what stands in for DDL, as a folder of files has none. */
export function viewDdl(root: string, table: FileTable, format: PartFormat): string {
  const pattern = `${escapeGlob(join(root, table.folder))}/part-*.${format}`;
  const columns = table.columns.map((column) => {
    return `  cast(${quoteIdentifier(column.name)} as ${engineTypeOf(column)}) as ${quoteIdentifier(column.name)}`;
  });
  const reader = format === "ndjson" ? "read_json" : `read_${format}`;
  return `create view ${quoteIdentifier(table.name)} as select\n${columns.join(",\n")}\nfrom ${reader}(${quoteLiteral(pattern)});`;
}
