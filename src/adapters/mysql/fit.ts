import type { Column } from "../../core/contract.ts";
import { MillraceError } from "../../core/error.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { SinkColumn } from "../../ports/rows.ts";
import type { Target } from "../../ports/sink.ts";
import type { TableColumn, TableInfo } from "./catalog.ts";
import { columnType, dataColumns } from "./ddl.ts";
import { columnList, foldName } from "./names.ts";

/** Throws TABLE_MISMATCH naming everything that keeps the target's rows from the table. */
export function checkFit(target: Target, table: TableInfo): void {
  const faults = [...kindFaults(table), ...columnFaults(target, table), ...keyFaults(target, table)];
  if (faults.length === 0) return;
  throw new MillraceError(
    "TABLE_MISMATCH",
    `The table "${target.table}" does not fit the contract: ${faults.join("; ")}`,
    { remedy: remedyOf(target, table), at: { table: target.table } },
  );
}

function remedyOf(target: Target, table: TableInfo): string {
  if (table.kind !== "table") return "Name a table: of a view, the one that it shows.";
  if (kindFaults(table).length > 0) return `Change it: alter table \`${target.table}\` engine=InnoDB.`;
  if (columnFaults(target, table).length > 0)
    return "Change the contract or the table, or name another table with --table.";
  if (target.key.length === 0) return "Mark the key's columns in the contract, or use the mode append.";
  return `Create it: alter table \`${target.table}\` add unique (${columnList(target.key)}).`;
}

function kindFaults(table: TableInfo): string[] {
  if (table.kind !== "table") return [table.kind === "view" ? "it is a view" : "it is no table"];
  return table.transactional ? [] : [`its engine, ${table.engine}, has no transactions`];
}

function columnFaults(target: Target, table: TableInfo): string[] {
  const there = new Map(table.columns.map((column) => [foldName(column.name), column]));
  const wanted = dataColumns(target);
  const names = new Set(wanted.map((column) => foldName(column.name)));
  const faults = wanted.flatMap((column) => columnFault(column, there.get(foldName(column.name))));
  for (const column of table.columns) {
    if (names.has(foldName(column.name)) || !column.required) continue;
    if (column.name === lineageColumn && target.lineage) continue;
    faults.push(`the column "${column.name}" must be filled (not null, no default) and is not in the contract`);
  }
  const lineage = there.get(lineageColumn);
  if (target.lineage && lineage !== undefined && lineage.type !== "bigint") {
    faults.push(`the column "${lineageColumn}" is ${lineage.shown} and must be bigint`);
  }
  return faults;
}

function columnFault(column: SinkColumn, found: TableColumn | undefined): string[] {
  if (found === undefined) return [`the column "${column.name}" is missing`];
  if (found.generated) return [`the column "${column.name}" is computed by the table`];
  if (found.serial && column.nullable === true) {
    return [`the column "${column.name}" is filled by the table where it is null, and the contract lets it be null`];
  }
  if (holds(found, column)) return [];
  return [`the column "${column.name}" is ${found.shown}, the contract says ${columnType(column)}`];
}

function keyFaults(target: Target, table: TableInfo): string[] {
  if (target.mode !== "merge") return [];
  if (target.key.length === 0) return ["merging needs a key, and the contract has none"];
  if (keyIndexes(target, table).length > 0) return [];
  return [`no unique index is on exactly the key (${target.key.map((name) => `"${name}"`).join(", ")})`];
}

/** Unique indexes over exactly the target's key, in any order. */
export function keyIndexes(target: Target, table: TableInfo): string[] {
  const keyOf = (names: readonly string[]): string => names.map(foldName).toSorted().join("\0");
  const key = keyOf(target.key);
  return table.uniques.filter((index) => keyOf(index.columns) === key).map((index) => index.name);
}

const texts = ["varchar", "tinytext", "text", "mediumtext", "longtext"];
const wholeNumbers = ["tinyint", "smallint", "mediumint", "int", "bigint"];

/**
 * Whether every value of the contract's column either arrives in the table's column as it is or is refused aloud.
 * What would be rounded, cut or reinterpreted without a word does not fit.
 */
function holds(found: TableColumn, column: Column): boolean {
  const { type } = found;
  if (texts.includes(type)) return true;
  switch (column.type) {
    case "integer":
      return [...wholeNumbers, "decimal", "double"].includes(type);
    case "bigint":
      return [...wholeNumbers, "decimal"].includes(type);
    case "double":
      return type === "double";
    case "decimal":
      return holdsDecimal(found, column.scale ?? 3);
    case "boolean":
      return ["tinyint", "bit"].includes(type);
    case "text":
      return ["char", "enum", "json", "uuid", "inet4", "inet6"].includes(type);
    case "date":
      return ["date", "datetime", "timestamp"].includes(type);
    case "timestamp":
      return ["datetime", "timestamp"].includes(type) && found.fraction >= 6;
    case "uuid":
      return type === "uuid" || (type === "char" && /\b(3[6-9]|[4-9]\d|\d{3})\b/.test(found.shown));
    case "json":
      return type === "json";
  }
}

function holdsDecimal(found: TableColumn, scale: number): boolean {
  if (scale === 0 && wholeNumbers.includes(found.type)) return true;
  return found.type === "decimal" && (found.scale ?? 0) >= scale;
}
