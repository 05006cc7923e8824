import { jsonValue } from "../../core/json-value.ts";
import type { EngineRow, EngineValue } from "../../ports/engine.ts";

export type Pieces = AsyncIterable<readonly EngineRow[]> | Iterable<readonly EngineRow[]>;

/** A row as an object of JSON, its columns in their order. */
export type RowJson = (row: EngineRow) => string;

/** Writes rows of these columns. A column of numbers and texts costs no copy of the row. */
export function rowJson(columns: readonly string[]): RowJson {
  const heads = columns.map((name, index) => `${index === 0 ? "{" : ","}${JSON.stringify(name)}:`);
  return (row) => {
    let text = "";
    for (const [index, name] of columns.entries()) text += heads[index] + valueJson(row[name] ?? null);
    return `${text}}`;
  };
}

function valueJson(value: EngineValue): string {
  return typeof value === "string" ? JSON.stringify(value) : JSON.stringify(jsonValue(value));
}

export async function* jsonPieces(pieces: Pieces, toJson: RowJson): AsyncGenerator<string> {
  let isFirst = true;
  for await (const piece of pieces) {
    if (piece.length === 0) continue;
    yield `${isFirst ? "[" : ","}${piece.map(toJson).join(",")}`;
    isFirst = false;
  }
  yield isFirst ? "[]" : "]";
}

export async function* ndjsonPieces(pieces: Pieces, toJson: RowJson): AsyncGenerator<string> {
  for await (const piece of pieces) if (piece.length > 0) yield `${piece.map(toJson).join("\n")}\n`;
}

/** With a header, lines end in CRLF (RFC 4180). */
export async function* csvPieces(
  pieces: Pieces,
  columns: readonly string[],
  keepsFormulas: boolean,
): AsyncGenerator<string> {
  const field = (text: string): string => csvField(keepsFormulas ? text : withoutFormula(text));
  yield `${columns.map(field).join(",")}\r\n`;
  for await (const piece of pieces) {
    const lines = piece.map((row) => columns.map((name) => csvValue(row[name] ?? null, field)).join(","));
    if (lines.length > 0) yield `${lines.join("\r\n")}\r\n`;
  }
}

function csvValue(value: EngineValue, field: (text: string) => string): string {
  if (value === null) return "";
  // A number may begin with a sign, and is none of a spreadsheet's formulas.
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (typeof value === "string") return value === "" ? '""' : field(value);
  return field(JSON.stringify(jsonValue(value)));
}

const number = /^[+-]?\d+(\.\d+)?$/;

/** A text that a spreadsheet would take for a formula, told from one by an apostrophe (OWASP, CSV injection). */
function withoutFormula(text: string): string {
  return /^[=+\-@\t\r\n]/.test(text) && !number.test(text) ? `'${text}` : text;
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
