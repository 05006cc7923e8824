import type { Column } from "../core/contract.ts";
import type { EngineRow, EngineValue } from "../ports/engine.ts";
import type { SinkColumn } from "../ports/rows.ts";

/**
 * Rows made comparable: in one order, with the fields of each in one order, and values in one notation where the row
 * types leave a choice (the fraction of a timestamp, the order of fields in json).
 */
export function canonicalRows(columns: readonly SinkColumn[], rows: readonly EngineRow[]): readonly EngineRow[] {
  const types = new Map(columns.map((column) => [column.name, column]));
  const canonical = rows.map((row) => {
    const names = Object.keys(row).toSorted();
    return Object.fromEntries(names.map((name) => [name, canonicalValue(types.get(name), row[name] ?? null)]));
  });
  return canonical
    .map((row) => [sortText(row), row] as const)
    .toSorted(byText)
    .map(([, row]) => row);
}

function byText(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  if (a[0] === b[0]) return 0;
  return a[0] < b[0] ? -1 : 1;
}

function sortText(row: EngineRow): string {
  return JSON.stringify(row, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}

function canonicalValue(column: Column | undefined, value: EngineValue): EngineValue {
  if (value === null || column === undefined) return value;
  if (column.type === "timestamp" && typeof value === "string") return canonicalTimestamp(value);
  if (column.type === "json") return sortFields(value);
  return value;
}

const timestampPattern = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z?$/;

function canonicalTimestamp(text: string): string {
  const [, day, time, fraction = ""] = timestampPattern.exec(text) ?? [];
  return day === undefined || time === undefined ? text : `${day}T${time}.${fraction.padEnd(6, "0")}`;
}

function sortFields(value: EngineValue): EngineValue {
  if (Array.isArray(value)) return value.map((item: EngineValue) => sortFields(item));
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  const fields = Object.entries(value).toSorted(byText);
  return Object.fromEntries(fields.map(([name, field]) => [name, sortFields(field)]));
}
