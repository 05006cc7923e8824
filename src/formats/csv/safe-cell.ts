import { jsonValue, type RowValue } from "../../core/json-value.ts";

// CSV that is written for people, who open it in a spreadsheet: https://owasp.org/www-community/attacks/CSV_Injection

/** Signs by which a spreadsheet takes a cell for a formula, those of full width too. */
const formula = /^[=+\-@\t\r\n＝＋－＠]/;
const signedNumber = /^[+-]\d+(\.\d+)?$/;

export interface SafeCellOptions {
  /** Text stays as it is, for programs that read it exactly. */
  readonly raw?: boolean;
}

/** A cell of text, quoted where CSV needs it. One that would be a formula gets an apostrophe in front, which makes it text. */
export function safeCell(text: string, { raw = false }: SafeCellOptions = {}): string {
  const safe = !raw && formula.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * A cell of a value as rows hold it: nothing is an empty cell, and empty text is `""`. Numbers stay numbers; decimals, which
 * are text in a row, too.
 */
export function safeValueCell(value: RowValue, options: SafeCellOptions = {}): string {
  const plain = jsonValue(value);
  if (plain === null) return "";
  if (plain === "") return '""';
  const text = typeof plain === "string" ? plain : JSON.stringify(plain);
  const isNumber = typeof value !== "string" || signedNumber.test(text);
  return isNumber && typeof value !== "object" ? text : safeCell(text, options);
}

/** A line of cells that are cells already. */
export function csvLine(cells: readonly string[]): string {
  return `${cells.join(",")}\n`;
}
