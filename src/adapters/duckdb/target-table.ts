import { MillraceError } from "../../core/error.ts";
import { quoteIdentifier } from "../../core/identifier.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { EngineConnection } from "../../ports/engine.ts";
import type { SinkColumn } from "../../ports/rows.ts";
import type { PreparedTarget, Target } from "../../ports/sink.ts";
import { forgetLanes, forgetMessages } from "./checkpoints.ts";
import { columnTypeOf, fitOf } from "./fit.ts";
import { type Location, Names } from "./location.ts";
import { sameName } from "./same-name.ts";
import { isView, readTableFacts, type TableFacts } from "./table-facts.ts";

export interface PreparedTable extends PreparedTarget {
  readonly facts: TableFacts;
}

/** DDL of the target as people would run it, with the file open as the only one. */
export function targetDdl(target: Target, location: Location): string {
  return ddlOf(target, new Names("", location).tableInSchema(target.table));
}

/** DDL of the target, for a table named `table`. */
function ddlOf(target: Target, table: string): string {
  const columns = target.columns.filter((column) => !sameName(column.name, lineageColumn));
  const lines = columns.map(
    (column) => `${quoteIdentifier(column.name)} ${columnTypeOf(column)}${isNullable(column) ? "" : " NOT NULL"}`,
  );
  if (target.lineage) lines.push(`${quoteIdentifier(lineageColumn)} BIGINT`);
  const { serial } = target;
  if (serial !== undefined) lines.unshift(`${quoteIdentifier(serial)} BIGINT PRIMARY KEY`);
  const key = serial === undefined ? "PRIMARY KEY" : "UNIQUE";
  if (target.key.length > 0) lines.push(`${key} (${target.key.map(quoteIdentifier).join(", ")})`);
  return `CREATE TABLE ${table} (\n  ${lines.join(",\n  ")}\n)`;
}

function isNullable(column: SinkColumn): boolean {
  return column.nullable === true;
}

/** Creates the table or checks it. Call it in turn; durable on return. */
export async function prepareTable(
  connection: EngineConnection,
  names: Names,
  target: Target,
  ddl: string,
): Promise<PreparedTable> {
  if (await isView(connection, names, target.table)) throw mismatch(target, ["it is a view, which takes no rows"]);
  const existing = await readTableFacts(connection, names, target.table);
  if (existing === undefined) return createTable(connection, names, target, ddl);
  const misfits = misfitsOf(target, existing);
  if (misfits.length > 0) throw mismatch(target, misfits);
  const lineage = target.lineage && existing.columns.some((column) => isLineage(column.name, column.type));
  return { created: false, lineage, ddl, facts: existing };
}

async function createTable(
  connection: EngineConnection,
  names: Names,
  target: Target,
  ddl: string,
): Promise<PreparedTable> {
  await connection.run("begin");
  await connection.run(ddlOf(target, names.table(target.table)));
  // Positions of this pipeline belong to a table that is gone: with them nothing would be loaded again.
  await forgetLanes(connection, names, target.pipeline, []);
  await forgetMessages(connection, names, target.pipeline);
  await connection.run("commit");
  const facts = await readTableFacts(connection, names, target.table);
  if (facts === undefined) throw mismatch(target, ["it was removed while it was created"]);
  return { created: true, lineage: target.lineage, ddl, facts };
}

function isLineage(name: string, type: string): boolean {
  return sameName(name, lineageColumn) && type === "BIGINT";
}

/** What keeps the contract's rows out of the table, a sentence for each column. */
function misfitsOf(target: Target, table: TableFacts): string[] {
  const wanted = target.columns.filter((column) => !sameName(column.name, lineageColumn));
  const misfits = wanted.flatMap((column) => {
    const found = table.columns.find(({ name }) => sameName(name, column.name));
    if (found === undefined) return [`column "${column.name}" is missing`];
    if (fitOf(column, found.type) !== "none") return [];
    return [`column "${column.name}" is ${found.type} where the contract has ${columnTypeOf(column)}`];
  });
  for (const column of table.columns) {
    const isSerial = target.serial !== undefined && sameName(column.name, target.serial);
    const known = isSerial || wanted.some(({ name }) => sameName(name, column.name));
    if (!known && !column.nullable && column.default === undefined) {
      misfits.push(`column "${column.name}" is not in the contract, and required`);
    }
  }
  if (target.mode === "merge" && !hasKey(target, table)) {
    misfits.push(`it has no primary key or unique constraint on (${target.key.join(", ")}) to merge by`);
  }
  return misfits;
}

function hasKey(target: Target, table: TableFacts): boolean {
  const key = target.key.map((name) => name.toLowerCase()).toSorted();
  return table.uniques.some((columns) => {
    const found = columns.map((name) => name.toLowerCase()).toSorted();
    return found.length === key.length && found.every((name, index) => name === key[index]);
  });
}

function mismatch(target: Target, misfits: readonly string[]): MillraceError {
  return new MillraceError(
    "TABLE_MISMATCH",
    `The table "${target.table}" does not fit the contract: ${misfits.join("; ")}`,
    {
      remedy: "Change the contract or the table, or name another table; Millrace never alters a table.",
      at: { table: target.table },
    },
  );
}
