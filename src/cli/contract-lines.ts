import type { Column, Contract } from "../core/contract.ts";
import { gridLines } from "./grid.ts";
import { safeText } from "./shown.ts";

/** A contract as a table: column, type, and what else is asked of it. */
export function contractLines(contract: Contract, columnsMax: number | undefined): string[] {
  const rows = Object.entries(contract.columns).map(([name, column]) => [
    safeText(name),
    typeText(column),
    rulesText(column),
  ]);
  const checks = contract.checks.map((check) => ["check", safeText(check.name), safeText(check.sql)]);
  return gridLines([{ name: "column" }, { name: "type" }, { name: "rules" }], [...rows, ...checks], columnsMax);
}

function typeText(column: Column): string {
  if (column.type === "decimal") return `decimal(${column.precision ?? 18},${column.scale ?? 3})`;
  return column.format === undefined ? column.type : `${column.type} ${safeText(column.format)}`;
}

function rulesText(column: Column): string {
  const { key, nullable, min, max, minLength, maxLength, pattern, oneOf } = column;
  const rules = [
    key === true ? "key" : nullable === true ? "may be missing" : "not null",
    ...Object.entries({ min, max, minLength, maxLength, pattern })
      .filter(([, value]) => value !== undefined)
      .map(([rule, value]) => `${rule} ${String(value)}`),
    ...(oneOf === undefined ? [] : [`one of ${oneOf.join(", ")}`]),
  ];
  return safeText(rules.join(", "));
}
