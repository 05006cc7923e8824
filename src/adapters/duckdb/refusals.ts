import { quoteIdentifier, quoteLiteral } from "../../core/identifier.ts";
import { limit } from "../../core/limit.ts";
import type { Reason } from "../../core/reject.ts";
import type { EngineConnection } from "../../ports/engine.ts";
import type { SinkColumn } from "../../ports/rows.ts";
import { numberCell, optionalText } from "./cells.ts";
import { fitOf } from "./fit.ts";
import { chosenRows, excludedParameter, type Insertion } from "./insert-rows.ts";
import type { Names } from "./location.ts";
import { sameName } from "./same-name.ts";
import type { ForeignKey, TableColumn, TableFacts } from "./table-facts.ts";
import type { ReadableRows } from "./copied-rows.ts";

/** Row → why the table refuses it. */
export type Refusals = Map<number, Reason>;

/**
 * What the table is held to beyond keys, checked for all rows at once: a value that does not fit, NOT NULL, CHECK.
 * Reads only the rows, so it runs beside the unit's transaction, which an error of a CHECK would end.
 */
export async function findUnfitRows(
  connection: EngineConnection,
  rows: ReadableRows,
  facts: TableFacts,
): Promise<Refusals> {
  const refusals: Refusals = new Map();
  const select = await rows.select();
  for (const column of rows.columns) {
    const found = facts.columns.find(({ name }) => sameName(name, column.name));
    if (found === undefined) continue;
    if (fitOf(column, found.type) !== "exact") await findMisfits(connection, select, column, found, refusals);
    if (!found.nullable && column.nullable === true) await findNulls(connection, select, column, refusals);
  }
  for (const check of facts.checks) await findUnchecked(connection, select, rows, facts, check, refusals);
  return refusals;
}

async function findMisfits(
  connection: EngineConnection,
  select: string,
  column: SinkColumn,
  found: TableColumn,
  refusals: Refusals,
): Promise<void> {
  const name = quoteIdentifier(column.name);
  const sql = `select _row, ${shown(name)} as value from (${select}) where ${name} is not null and try_cast(${name} as ${found.type}) is null`;
  await collect(connection, sql, [], refusals, (value = "") => ({
    code: "refused",
    column: column.name,
    value,
    message: `${value} does not fit the table's column of type ${found.type}`,
  }));
}

async function findNulls(
  connection: EngineConnection,
  select: string,
  column: SinkColumn,
  refusals: Refusals,
): Promise<void> {
  const sql = `select _row, null as value from (${select}) where ${quoteIdentifier(column.name)} is null`;
  const message = "the table's column cannot be null";
  await collect(connection, sql, [], refusals, () => ({ code: "refused", column: column.name, message }));
}

/** The condition sees the row as the table would hold it: with the table's types, and defaults for what is not given. */
async function findUnchecked(
  connection: EngineConnection,
  select: string,
  rows: ReadableRows,
  facts: TableFacts,
  check: string,
  refusals: Refusals,
): Promise<void> {
  const columns = facts.columns.map((column) => {
    const given = rows.columns.find(({ name }) => sameName(name, column.name));
    const value = given === undefined ? (column.default ?? "null") : quoteIdentifier(given.name);
    return `try_cast(${value} as ${column.type}) as ${quoteIdentifier(column.name)}`;
  });
  const sql = `select _row, null as value from (select _row, ${columns.join(", ")} from (${select})) where not (${check})`;
  const message = `the table's condition ${check} is not met`;
  await collect(connection, sql, [], refusals, () => ({ code: "refused", message }));
}

/** Rows that refer to a row that is not there. Runs in the unit's transaction, which sees what it wrote. */
export async function findUnreferenced(
  insertion: Insertion,
  names: Names,
  facts: TableFacts,
  refusals: Refusals,
): Promise<void> {
  for (const foreignKey of facts.foreignKeys) {
    // A row may refer to another of its batch; the engine itself decides then.
    if (sameName(foreignKey.table, insertion.target.table)) continue;
    if (!isGiven(insertion.rows, foreignKey.columns)) continue;
    const excluded = new Set(refusals.keys());
    const sql = unreferenced(await chosenRows(insertion.rows, excluded), names, foreignKey);
    await collect(insertion.connection, sql, excludedParameter(excluded), refusals, (value = "") => ({
      code: "reference",
      ...onlyColumn(foreignKey.columns),
      value,
      message: `${value} is not in (${foreignKey.referenced.join(", ")}) of the table ${foreignKey.table}`,
    }));
  }
}

function unreferenced(chosen: string, names: Names, { columns, table, referenced }: ForeignKey): string {
  const given = columns.map((name) => `r.${quoteIdentifier(name)}`);
  const equal = given.map((name, index) => `t.${quoteIdentifier(referenced[index] ?? "")} = ${name}`);
  return `select r._row, ${shownKey(given)} as value from (${chosen}) r
    where ${given.map((name) => `${name} is not null`).join(" and ")}
    and not exists (select 1 from ${names.table(table)} t where ${equal.join(" and ")})`;
}

/** Adds what the query finds, a row and its value each, unless the row is refused already. */
export async function collect(
  connection: EngineConnection,
  sql: string,
  parameters: readonly string[],
  refusals: Refusals,
  reasonOf: (value: string | undefined) => Reason,
): Promise<void> {
  for await (const rows of connection.stream(sql, parameters)) {
    for (const row of rows) {
      const number = numberCell(row, "_row");
      if (!refusals.has(number)) refusals.set(number, reasonOf(optionalText(row, "value")));
    }
  }
}

export function isGiven(rows: ReadableRows, columns: readonly string[]): boolean {
  return columns.every((name) => rows.columns.some((column) => sameName(column.name, name)));
}

export function onlyColumn(columns: readonly string[]): { readonly column: string } | Record<string, never> {
  const [column] = columns;
  return column !== undefined && columns.length === 1 ? { column } : {};
}

/** SQL of a value as a reason shows it. */
export function shown(expression: string): string {
  const text = `cast(${expression} as varchar)`;
  const max = limit.reasonValueChars;
  return `case when length(${text}) <= ${max} then ${text}
    else left(${text}, ${max}) || '… (' || length(${text}) || ' characters)' end`;
}

/** Several values as one text: `1, Lima`. */
export function shownKey(expressions: readonly string[]): string {
  return expressions.map((expression) => `(${shown(expression)})`).join(` || ${quoteLiteral(", ")} || `);
}
