import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import { textColumn } from "./own-columns.ts";

/**
 * Rows of text on their way into the engine: a line of CSV for each, `+` and then for every column a comma and the
 * value's text in quotes, or nothing where it is null. `+` keeps the row of one null from being an empty line.
 */
export type RowTexts = readonly (string | null)[];

export function lineOf(texts: RowTexts): string {
  let line = "+";
  for (const text of texts)
    line += text === null ? "," : `,"${text.includes('"') ? text.replaceAll('"', '""') : text}"`;
  return line;
}

/** PostgreSQL passes at most 100 arguments to a function. */
const argumentsMax = 90;

/**
 * An expression that makes such a line of a table's columns, in SQL that DuckDB and PostgreSQL read alike. One text for
 * a row is fetched twice as fast as its values, and no value passes through a type of the client.
 */
export function lineSql(names: readonly string[]): string {
  return concatSql(["'+'", ...names.map((name) => fieldSql(quoteIdentifier(name)))]);
}

function fieldSql(column: string): string {
  return `coalesce(',"' || replace(cast(${column} as varchar), '"', '""') || '"', ',')`;
}

/** Texts one behind another, in as few levels as the arguments of a function allow: expressions nest a thousand deep at most. */
export function concatSql(parts: readonly string[]): string {
  if (parts.length <= argumentsMax) return `concat(${parts.join(", ")})`;
  const groups: string[] = [];
  for (let at = 0; at < parts.length; at += argumentsMax) groups.push(concatSql(parts.slice(at, at + argumentsMax)));
  return concatSql(groups);
}

/** A SELECT of the engine that yields the lines of a file as text columns: `textColumn(0)` and on. */
export function linesSql(path: string, columns: number, fileBytes: number): string {
  const names = ["mark", ...Array.from({ length: columns }, (_, index) => textColumn(index))];
  const fields = names.map((name) => `${quoteLiteral(name)}: 'VARCHAR'`).join(", ");
  // A line may be as long as the file: the bound on lines and the read buffer are made to fit.
  const lineBytes = fileBytes + 16;
  const sizes = `max_line_size = ${lineBytes}, buffer_size = ${Math.max(lineBytes, 64 * 1024)}`;
  return `select * exclude (mark) from read_csv(${quoteLiteral(path)}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', columns = {${fields}}, nullstr = '', allow_quoted_nulls = false, new_line = '\\n', ${sizes})`;
}
