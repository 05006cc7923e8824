import { createHash } from "node:crypto";
import type { Column, Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { jsonValue } from "../core/json-value.ts";
import { operandOf } from "../core/row-query.ts";
import type { RowKey, RowOperand } from "../core/row-selection.ts";
import type { Reason } from "../core/reject.ts";
import type { EngineRow, EngineValue } from "../ports/engine.ts";

/** A row as callers send it: values by column, absent ones null. */
export type GivenRow = Readonly<Record<string, unknown>>;

/** What is wrong with a row; `row` counts from 0 among those that were sent together. */
export interface RowFault {
  readonly row: number;
  readonly reasons: readonly Reason[];
}

/** Rows that the contract, or the table, refuses: nothing of what they came with was written. */
export class RowsRefused extends MillraceError {
  readonly faults: readonly RowFault[];
  constructor(table: string, faults: readonly RowFault[]) {
    super("ROW_INVALID", `${faults.length} rows do not fit the contract of "${table}"`, {
      remedy: "Mend what the reasons name, and send all of it again.",
      at: { table },
    });
    this.faults = faults;
  }
}

/**
 * Rows as the CSV that a contract is checked against: null is the empty field, everything else stands in quotes. Throws
 * RowsRefused for columns that there are not, and for values that are no text, number or truth where none but json may be.
 */
export function rowsCsv(contract: Contract, rows: readonly GivenRow[]): Buffer {
  const faults: RowFault[] = [];
  const lines = rows.map((row, index) => {
    const reasons: Reason[] = [...unknownColumns(contract, row)];
    const fields = Object.entries(contract.columns).map(([name, column]) => {
      const text = fieldText(column, Object.hasOwn(row, name) ? row[name] : null);
      if (typeof text === "string") return text;
      reasons.push({ code: "type", column: name, message: text.fault });
      return "";
    });
    const line = fields.join(",");
    // An empty line is no record: the row of one column that is null.
    if (line === "" && reasons.length === 0) reasons.push({ code: "missing", message: "the row has no value at all" });
    if (reasons.length > 0) faults.push({ row: index, reasons });
    return line;
  });
  if (faults.length > 0) throw new RowsRefused(contract.table, faults);
  return Buffer.from(`${lines.join("\n")}\n`);
}

function unknownColumns({ columns }: Contract, row: GivenRow): Reason[] {
  const unknown = Object.keys(row).filter((name) => !Object.hasOwn(columns, name));
  return unknown.map((column) => ({ code: "columns", column, message: "there is no column of that name" }));
}

function fieldText({ type }: Column, value: unknown): string | { readonly fault: string } {
  if (value === null || value === undefined) return "";
  if (type === "json") return quoted(JSON.stringify(value));
  if (typeof value === "string") {
    if (value.includes("\0")) return { fault: "the text has a NUL, which databases do not keep" };
    return value.isWellFormed() ? quoted(value) : { fault: "the text has half a character" };
  }
  if (typeof value === "boolean") return quoted(String(value));
  if (typeof value !== "number") return { fault: `a list or an object is no ${type}` };
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && type !== "double") {
    return { fault: "a number of more than 15 digits may have been rounded on its way: write it as text" };
  }
  return quoted(String(value));
}

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** The row's key; undefined when a value of it is none of its column, which the contract then says. */
export function keyOfRow(contract: Contract, key: readonly string[], row: GivenRow): RowKey | undefined {
  const values = key.map((name): readonly [string, RowOperand | undefined] => {
    const [column, value] = [contract.columns[name], row[name]];
    const isPlain =
      typeof value === "string" || typeof value === "number" || typeof value === "boolean" || typeof value === "bigint";
    return [name, column === undefined || !isPlain ? undefined : operandOf(column, String(value))];
  });
  if (values.some(([, value]) => value === undefined)) return undefined;
  return Object.fromEntries(values) as RowKey;
}

/** The row with its times in one form, whichever the place gave: fractions of a second without zeros at their end. */
export function plainRow(times: readonly string[], row: EngineRow): EngineRow {
  let plain = row;
  for (const name of times) {
    const value = row[name];
    if (typeof value !== "string" || !value.endsWith("0") || !value.includes(".")) continue;
    plain = { ...plain, [name]: value.replace(/\.?0+$/, "") };
  }
  return plain;
}

/** Tells a row of these values from one with others. */
export function rowTag(columns: readonly string[], row: EngineRow): string {
  const text = JSON.stringify(columns.map((name) => jsonValue(row[name] ?? null)));
  return `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
}

/** A row of a table as one that might have been sent. */
export function givenRow(columns: readonly string[], row: EngineRow): GivenRow {
  const sent = (value: EngineValue): unknown => (typeof value === "bigint" ? String(value) : value);
  return Object.fromEntries(columns.map((name) => [name, sent(row[name] ?? null)]));
}
