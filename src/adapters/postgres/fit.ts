import type { Column } from "../../core/contract.ts";
import { MillraceError } from "../../core/error.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { SinkColumn } from "../../ports/rows.ts";
import type { Target } from "../../ports/sink.ts";
import type { TableColumn, TableInfo } from "./catalog.ts";
import { columnType, dataColumns } from "./ddl.ts";
import { columnList } from "./names.ts";

/** Throws TABLE_MISMATCH naming everything that keeps the target's rows from the table. */
export function checkFit(target: Target, table: TableInfo): void {
  const faults =
    table.kind === "other" ? ["it is no table"] : [...columnFaults(target, table), ...keyFaults(target, table)];
  if (faults.length === 0) return;
  throw new MillraceError(
    "TABLE_MISMATCH",
    `The table "${target.table}" does not fit the contract: ${faults.join("; ")}`,
    {
      remedy: remedyOf(target, table),
      at: { table: target.table },
    },
  );
}

function remedyOf(target: Target, table: TableInfo): string {
  if (columnFaults(target, table).length > 0)
    return "Change the contract or the table, or name another table with --table.";
  if (target.key.length === 0) return "Mark the key's columns in the contract, or use the mode append.";
  return `Create it: create unique index on "${target.table}" (${columnList(target.key)}).`;
}

function columnFaults(target: Target, table: TableInfo): string[] {
  const there = new Map(table.columns.map((column) => [column.name, column]));
  const wanted = dataColumns(target);
  const names = new Set(wanted.map((column) => column.name));
  const faults = wanted.flatMap((column) => columnFault(column, there.get(column.name), target));
  for (const column of table.columns) {
    if (names.has(column.name) || !column.required) continue;
    if (column.name === lineageColumn && target.lineage) continue;
    faults.push(`the column "${column.name}" must be filled (not null, no default) and is not in the contract`);
  }
  const lineage = there.get(lineageColumn);
  if (target.lineage && lineage !== undefined && lineage.type !== "int8") {
    faults.push(`the column "${lineageColumn}" is ${lineage.shown} and must be bigint`);
  }
  return faults;
}

function columnFault(column: SinkColumn, found: TableColumn | undefined, target: Target): string[] {
  if (found === undefined) return [`the column "${column.name}" is missing`];
  if (found.generated) return [`the column "${column.name}" is computed by the table`];
  if (found.alwaysIdentity && target.mode === "merge" && !target.key.includes(column.name)) {
    return [`the column "${column.name}" is an identity that the table never lets change`];
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
  const key = target.key.toSorted().join("\0");
  return table.uniques.filter((index) => index.columns.toSorted().join("\0") === key).map((index) => index.name);
}

const texts = ["text", "varchar", "bpchar", "citext"];
const wholeNumbers = ["int2", "int4", "int8"];

/**
 * Whether every value of the contract's column either arrives in the table's column as it is or is refused aloud.
 * What would be rounded, cut or reinterpreted without a word does not fit.
 */
export function holds(found: TableColumn, column: Column): boolean {
  const { type } = found;
  switch (column.type) {
    case "integer":
      return [...wholeNumbers, ...texts, "float8"].includes(type) || isWholeNumeric(found);
    case "bigint":
      return [...wholeNumbers, ...texts].includes(type) || isWholeNumeric(found);
    case "double":
      return ["float8", ...texts].includes(type) || (type === "numeric" && found.precision === undefined);
    case "decimal":
      return holdsDecimal(found, column.scale ?? 3);
    case "boolean":
      return ["bool", ...texts].includes(type);
    case "text":
      return (
        found.kind === "e" ||
        [...texts, "json", "jsonb", "xml", "uuid", "inet", "cidr", "macaddr", "ltree", "hstore"].includes(type)
      );
    case "date":
      return ["date", "timestamp", "timestamptz", ...texts].includes(type);
    case "timestamp":
      return texts.includes(type) || (["timestamp", "timestamptz"].includes(type) && found.fraction >= 6);
    case "uuid":
      return ["uuid", ...texts].includes(type);
    case "json":
      return ["json", "jsonb", ...texts].includes(type);
  }
}

function isWholeNumeric(found: TableColumn): boolean {
  return found.type === "numeric" && (found.scale === undefined || found.scale >= 0);
}

function holdsDecimal(found: TableColumn, scale: number): boolean {
  if (texts.includes(found.type)) return true;
  if (scale === 0 && wholeNumbers.includes(found.type)) return true;
  return found.type === "numeric" && (found.scale === undefined || found.scale >= scale);
}
