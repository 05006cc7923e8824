import type { Column } from "../../core/contract.ts";

/** The type of a column in a table that Millrace creates. */
export function columnTypeOf(column: Column): string {
  switch (column.type) {
    case "integer":
      return "INTEGER";
    case "bigint":
      return "BIGINT";
    case "double":
      return "DOUBLE";
    case "decimal":
      return `DECIMAL(${column.precision ?? 18},${column.scale ?? 3})`;
    case "boolean":
      return "BOOLEAN";
    case "text":
      return "VARCHAR";
    case "date":
      return "DATE";
    case "timestamp":
      return "TIMESTAMP";
    case "uuid":
      return "UUID";
    case "json":
      return "JSON";
  }
}

/**
 * `exact`: every value of the column fits. `checked`: a value that does not is refused by DuckDB, none is changed.
 * `none`: values would be changed silently, or never fit.
 */
export type Fit = "exact" | "checked" | "none";

/** Whole numbers by their decimal digits, so that they compare with DECIMAL and with one another. */
const wholeTypes: Readonly<Record<string, { readonly min: bigint; readonly max: bigint }>> = {
  TINYINT: signed(8),
  SMALLINT: signed(16),
  INTEGER: signed(32),
  BIGINT: signed(64),
  HUGEINT: signed(128),
  UTINYINT: unsigned(8),
  USMALLINT: unsigned(16),
  UINTEGER: unsigned(32),
  UBIGINT: unsigned(64),
  UHUGEINT: unsigned(128),
};

/** Types that take every value of a contract's type, besides its own. */
const widerTypes: Readonly<Record<Column["type"], readonly string[]>> = {
  integer: ["DOUBLE"],
  bigint: [],
  double: [],
  decimal: [],
  boolean: [],
  text: [],
  date: ["TIMESTAMP"],
  timestamp: [],
  uuid: ["VARCHAR"],
  json: ["VARCHAR"],
};

export function fitOf(column: Column, tableType: string): Fit {
  if (tableType === columnTypeOf(column) || widerTypes[column.type].includes(tableType)) return "exact";
  switch (column.type) {
    case "integer":
    case "bigint":
      return wholeFit(column.type === "integer" ? signed(32) : signed(64), tableType);
    case "decimal":
      return decimalFit(column.precision ?? 18, column.scale ?? 3, tableType);
    case "text":
      return tableType.startsWith("ENUM(") ? "checked" : "none";
    case "timestamp":
      return tableType === "TIMESTAMP_NS" ? "checked" : "none";
    case "double":
    case "boolean":
    case "date":
    case "uuid":
    case "json":
      return "none";
  }
}

function wholeFit(values: { readonly min: bigint; readonly max: bigint }, tableType: string): Fit {
  const whole = wholeTypes[tableType];
  if (whole !== undefined) return whole.min <= values.min && values.max <= whole.max ? "exact" : "checked";
  const decimal = parseDecimal(tableType);
  if (decimal === undefined) return "none";
  return 10n ** BigInt(decimal.precision - decimal.scale) > -values.min ? "exact" : "checked";
}

function decimalFit(precision: number, scale: number, tableType: string): Fit {
  const decimal = parseDecimal(tableType);
  // Fewer digits after the point would round without a word.
  if (decimal === undefined || decimal.scale < scale) return "none";
  return decimal.precision - decimal.scale >= precision - scale ? "exact" : "checked";
}

function parseDecimal(type: string): { readonly precision: number; readonly scale: number } | undefined {
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? [];
  return precision === undefined || scale === undefined
    ? undefined
    : { precision: Number(precision), scale: Number(scale) };
}

function signed(bits: number): { readonly min: bigint; readonly max: bigint } {
  return { min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n };
}

function unsigned(bits: number): { readonly min: bigint; readonly max: bigint } {
  return { min: 0n, max: 2n ** BigInt(bits) - 1n };
}
