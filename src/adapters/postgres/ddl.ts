import type { Column } from "../../core/contract.ts";
import { quoteIdentifier } from "../../core/identifier.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { SinkColumn } from "../../ports/rows.ts";
import type { Target } from "../../ports/sink.ts";
import { columnList, qualifiedName } from "./names.ts";

export function columnType(column: Column): string {
  switch (column.type) {
    case "double":
      return "double precision";
    case "decimal":
      return `numeric(${column.precision ?? 18},${column.scale ?? 3})`;
    case "json":
      return "jsonb";
    default:
      return column.type;
  }
}

/** The target's columns without lineage, which follows from `target.lineage`. */
export function dataColumns(target: Target): readonly SinkColumn[] {
  return target.columns.filter((column) => column.name !== lineageColumn);
}

/** The statements that create the target table. */
export function targetDdl(schema: string | undefined, target: Target): readonly string[] {
  const table = qualifiedName(schema, target.table);
  const lines = dataColumns(target).map(
    (column) => `${quoteIdentifier(column.name)} ${columnType(column)}${column.nullable === true ? "" : " not null"}`,
  );
  if (target.lineage) lines.push(`${quoteIdentifier(lineageColumn)} bigint`);
  if (target.key.length > 0) lines.push(`primary key (${columnList(target.key)})`);
  const create = `create table ${table} (\n  ${lines.join(",\n  ")}\n)`;
  return target.lineage ? [create, `create index on ${table} (${quoteIdentifier(lineageColumn)})`] : [create];
}

export function ddlText(statements: readonly string[]): string {
  return statements.map((statement) => `${statement};\n`).join("");
}
