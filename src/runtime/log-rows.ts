import { createHash } from "node:crypto";
import { quoteIdentifier } from "../core/identifier.ts";
import { jsonValue } from "../core/json-value.ts";
import type { EngineHost, EngineRow, EngineValue } from "../ports/engine.ts";
import type { Rows, SinkColumn } from "../ports/rows.ts";

const keyBytesMax = 1024;

/** A row as it goes into a log. */
export interface LogRow {
  readonly row: number;
  /** The values of the key columns: rows of one key keep their order. */
  readonly key: Buffer | undefined;
  /** One JSON object. */
  readonly value: Buffer;
}

/**
 * The rows as JSON objects by their numbers, in pieces. A contract reads back exactly what they held: numbers that a reader
 * of JSON could change, dates and times are text, and a json value is its own text. Only a json value that is null itself
 * comes out as missing.
 */
export async function* logRows(rows: Rows, key: readonly string[], engine: EngineHost): AsyncIterable<LogRow[]> {
  const { columns } = rows;
  const names = columns.map(({ name, type }) => {
    const quoted = quoteIdentifier(name);
    return type === "json" ? `cast(to_json(${quoted}) as varchar) as ${quoted}` : quoted;
  });
  const connection = await engine.connect();
  try {
    const pieces = connection.stream(`select _row, ${names.join(", ")} from (${await rows.select()})`);
    for await (const piece of pieces) yield piece.map((row) => logRow(row, columns, key));
  } finally {
    connection.close();
  }
}

function logRow(of: EngineRow, columns: readonly SinkColumn[], key: readonly string[]): LogRow {
  const fields = columns.map((column) => `${JSON.stringify(column.name)}:${jsonText(of[column.name], column)}`);
  const value = Buffer.from(`{${fields.join(",")}}`);
  const row = Number(of["_row"]);
  if (key.length === 0) return { row, key: undefined, value };
  return { row, key: keyBytes(JSON.stringify(key.map((name) => jsonValue(of[name] ?? null)))), value };
}

/** A key decides on a lane and no more: of a long one its hash does as well, and every log takes it. */
function keyBytes(text: string): Buffer {
  const bytes = Buffer.from(text);
  return bytes.length <= keyBytesMax ? bytes : createHash("sha256").update(bytes).digest();
}

function jsonText(value: EngineValue | undefined, { type }: SinkColumn): string {
  if (value === null || value === undefined) return "null";
  if (type === "json" && typeof value === "string") return value;
  return JSON.stringify(jsonValue(value));
}
