import { MillraceError } from "./error.ts";
import { lineageColumn } from "./lineage.ts";
import { limit } from "./limit.ts";

export const columnTypes = [
  "integer",
  "bigint",
  "double",
  "decimal",
  "boolean",
  "text",
  "date",
  "timestamp",
  "uuid",
  "json",
] as const;

/** integer 32 bits, bigint 64 bits, double IEEE 754, decimal(precision, scale) exact, timestamp to the microsecond. */
export type ColumnType = (typeof columnTypes)[number];

/** One column of a contract. Not null unless `nullable`. */
export interface Column {
  readonly type: ColumnType;
  readonly key?: boolean;
  readonly nullable?: boolean;
  /** strptime format of a `date` or `timestamp` as it stands in the source; ISO 8601 when absent. */
  readonly format?: string;
  /** Digits of a `decimal` in all (1–38) and after the point. */
  readonly precision?: number;
  readonly scale?: number;
  /** Bounds, included. Numbers for numeric columns; ISO 8601 text for dates and timestamps. */
  readonly min?: number | string;
  readonly max?: number | string;
  /** Length of a `text` in characters (Unicode code points). */
  readonly minLength?: number;
  readonly maxLength?: number;
  /** Regular expression (RE2 syntax) that the whole text must match. */
  readonly pattern?: string;
  readonly oneOf?: readonly (string | number | boolean)[];
}

/** A row-level rule: an SQL expression over the columns that must not be false. */
export interface RowCheck {
  readonly name: string;
  readonly sql: string;
}

/** A table's columns, types, keys and rules. `Row` is the TypeScript type of one of its rows. */
export interface Contract<Row = Record<string, unknown>> {
  readonly table: string;
  readonly columns: Readonly<Record<string, Column>>;
  readonly checks: readonly RowCheck[];
  /** A column of whole numbers that the table itself fills, one more for each new row, and its primary key. */
  readonly serial?: string;
  /** Only for the compiler: the type of a row. Never present at run time. */
  readonly row?: Row;
}

export function keyColumns(contract: Contract): string[] {
  return Object.keys(contract.columns).filter((name) => contract.columns[name]?.key === true);
}

export function columnOf(contract: Contract, name: string): Column {
  const column = contract.columns[name];
  if (column === undefined) throw invalid(contract.table, `it has no column "${name}"`, "Check the column's name.");
  return column;
}

/** Which rules suit which types; a rule on another type is a mistake in the contract, said at once. */
const ruleTypes: Readonly<Record<string, readonly ColumnType[]>> = {
  format: ["date", "timestamp"],
  precision: ["decimal"],
  scale: ["decimal"],
  min: ["integer", "bigint", "double", "decimal", "date", "timestamp"],
  max: ["integer", "bigint", "double", "decimal", "date", "timestamp"],
  minLength: ["text"],
  maxLength: ["text"],
  pattern: ["text"],
  oneOf: ["integer", "bigint", "double", "decimal", "boolean", "text", "date", "uuid"],
};

/** Checks a contract's own sense and returns it unchanged. Throws CONTRACT_INVALID naming table, column and rule. */
export function validateContract<C extends Contract>(contract: C): C {
  const { table } = contract;
  validateName(table, "table", table);
  const names = Object.keys(contract.columns);
  if (names.length === 0) throw invalid(table, "it has no column", "Give it at least one column.");
  if (names.length > limit.columns) {
    throw invalid(table, `it has ${names.length} columns`, `At most ${limit.columns} are possible.`);
  }
  const seen = new Map<string, string>();
  for (const name of names) {
    validateName(table, "column", name);
    const twin = seen.get(name.toLowerCase());
    if (twin !== undefined) {
      throw invalid(table, `the columns "${twin}" and "${name}" differ only in case`, "Rename one of them.");
    }
    seen.set(name.toLowerCase(), name);
    validateColumn(table, name, columnOf(contract, name));
  }
  validateSerial(contract, seen);
  for (const check of contract.checks) {
    if (check.sql.trim() === "") throw invalid(table, `the check "${check.name}" is empty`, "Write an SQL condition.");
  }
  return contract;
}

function validateSerial({ table, serial }: Contract, columns: ReadonlyMap<string, string>): void {
  if (serial === undefined) return;
  validateName(table, "column", serial);
  if (!columns.has(serial.toLowerCase())) return;
  throw invalid(
    table,
    `the column "${serial}" is filled by the table and cannot come from records`,
    "Rename one of them.",
  );
}

function validateName(table: string, kind: "table" | "column", name: string): void {
  if (name === "" || name.includes("\0") || [...name].length > limit.identifierChars) {
    throw invalid(
      table,
      `${JSON.stringify(name)} cannot be the name of a ${kind}`,
      `Use 1 to ${limit.identifierChars} characters, none of them NUL.`,
    );
  }
  if (kind === "column" && name.toLowerCase().startsWith(lineageColumn)) {
    throw invalid(table, `column names that start with ${lineageColumn} are kept for Millrace`, "Rename the column.");
  }
}

function validateColumn(table: string, name: string, column: Column): void {
  if (!columnTypes.includes(column.type)) {
    throw invalid(
      table,
      `column "${name}" has the unknown type ${JSON.stringify(column.type)}`,
      `Types are ${columnTypes.join(", ")}.`,
    );
  }
  for (const [rule, types] of Object.entries(ruleTypes)) {
    if (column[rule as keyof Column] !== undefined && !types.includes(column.type)) {
      throw invalid(
        table,
        `column "${name}" is ${column.type} and cannot have ${rule}`,
        `${rule} goes with ${types.join(", ")}.`,
      );
    }
  }
  if (column.key === true && column.nullable === true) {
    throw invalid(table, `the key column "${name}" cannot be nullable`, "Drop one of the two.");
  }
  if (column.key === true && column.type === "json") {
    throw invalid(table, `column "${name}" is json and cannot be a key`, "Use a column of another type as the key.");
  }
  validateDecimal(table, name, column);
  validateBounds(table, name, column);
  if (column.pattern !== undefined && column.pattern === "") {
    throw invalid(table, `column "${name}" has an empty pattern`, "Write a regular expression.");
  }
  if (column.oneOf?.length === 0) {
    throw invalid(table, `column "${name}" has an empty oneOf`, "List at least one value.");
  }
}

function validateDecimal(table: string, name: string, column: Column): void {
  const { precision = 18, scale = 3 } = column;
  if (column.type !== "decimal") return;
  if (
    !Number.isInteger(precision) ||
    precision < 1 ||
    precision > 38 ||
    !Number.isInteger(scale) ||
    scale < 0 ||
    scale > precision
  ) {
    throw invalid(
      table,
      `column "${name}" is decimal(${precision},${scale})`,
      "Precision is 1 to 38, scale 0 to the precision.",
    );
  }
}

const numberText = /^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$/;
const dayText = /^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+)?$/;

function validateBounds(table: string, name: string, column: Column): void {
  const { type, min, max } = column;
  const isTime = type === "date" || type === "timestamp";
  for (const bound of [min, max]) {
    if (bound === undefined || (isTime ? dayText : numberText).test(String(bound))) continue;
    const remedy = isTime ? "Write it as 2021-11-07 or 2021-11-07T02:48:42." : "Write a number.";
    throw invalid(table, `${JSON.stringify(bound)} is no bound for column "${name}", which is ${type}`, remedy);
  }
}

function invalid(table: string, what: string, remedy: string): MillraceError {
  return new MillraceError("CONTRACT_INVALID", `The contract of ${JSON.stringify(table)} has a mistake: ${what}`, {
    remedy,
    at: { table },
  });
}
