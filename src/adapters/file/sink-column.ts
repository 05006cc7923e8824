import type { Column } from "../../core/contract.ts";
import { quoteIdentifier } from "../../core/identifier.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { SinkColumn } from "../../ports/rows.ts";
import type { Target } from "../../ports/sink.ts";

/** What makes two columns the same for a table: rules belong to the contract, not to the files. */
export interface TableColumn {
  readonly name: string;
  readonly type: Column["type"];
  readonly nullable: boolean;
  /** Of decimals. */
  readonly precision?: number;
  readonly scale?: number;
}

export function tableColumnOf(column: SinkColumn): TableColumn {
  const { name, type, nullable = false } = column;
  if (type !== "decimal") return { name, type, nullable };
  return { name, type, nullable, precision: column.precision ?? 18, scale: column.scale ?? 3 };
}

/** The columns of a table that is created for the target. */
export function tableColumnsOf(target: Target): TableColumn[] {
  const columns = target.columns.map(tableColumnOf);
  return target.lineage ? [...columns, { name: lineageColumn, type: "bigint", nullable: true }] : columns;
}

/** The type as the engine writes it. */
export function engineTypeOf(column: TableColumn): string {
  if (column.type === "decimal") return `DECIMAL(${column.precision ?? 18},${column.scale ?? 3})`;
  return column.type === "text" ? "VARCHAR" : column.type.toUpperCase();
}

/** Why rows with the target's columns cannot go into a table with these; each names its column. Empty: they can. */
export function misfits(there: readonly TableColumn[], target: Target): string[] {
  const known = new Map(there.map((column) => [column.name, column]));
  const found: string[] = [];
  for (const column of target.columns.map(tableColumnOf)) {
    const twin = known.get(column.name);
    known.delete(column.name);
    if (twin === undefined) found.push(`${quoteIdentifier(column.name)} is not in the table`);
    else found.push(...misfitsOf(twin, column));
  }
  for (const column of known.values()) {
    if (!column.nullable)
      found.push(`${quoteIdentifier(column.name)} is required by the table and not in the contract`);
  }
  return found;
}

function misfitsOf(there: TableColumn, wanted: TableColumn): string[] {
  const name = quoteIdentifier(there.name);
  const [type, wantedType] = [engineTypeOf(there), engineTypeOf(wanted)];
  if (type !== wantedType)
    return [`${name} is ${type.toLowerCase()} in the table and ${wantedType.toLowerCase()} in the contract`];
  return wanted.nullable && !there.nullable ? [`${name} is never null in the table and nullable in the contract`] : [];
}
