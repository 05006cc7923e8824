import { jsonValue } from "../../core/json-value.ts";
import { safeCell, safeValueCell } from "../../formats/csv/safe-cell.ts";
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
  const options = { raw: keepsFormulas };
  yield `${columns.map((name) => safeCell(name, options)).join(",")}\r\n`;
  for await (const piece of pieces) {
    const lines = piece.map((row) => columns.map((name) => safeValueCell(row[name] ?? null, options)).join(","));
    if (lines.length > 0) yield `${lines.join("\r\n")}\r\n`;
  }
}
