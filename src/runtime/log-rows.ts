import { createHash } from "node:crypto";
import { quoteIdentifier } from "../core/identifier.ts";
import { jsonValue } from "../core/json-value.ts";
import type { EngineHost, EngineRow } from "../ports/engine.ts";
import type { ValueFormat } from "../ports/messages.ts";
import type { Rows } from "../ports/rows.ts";

const keyBytesMax = 1024;

/** A row as it goes into a log. */
export interface LogRow {
  readonly row: number;
  /** The values of the key columns: rows of one key keep their order. */
  readonly key: Buffer | undefined;
  readonly value: Uint8Array;
}

/**
 * The rows as values by their numbers, in pieces. A contract reads back exactly what they held, a json value as its own
 * text. Only a json value that is null itself comes out as missing.
 */
export async function* logRows(
  rows: Rows,
  {
    key,
    values,
    engine,
  }: { readonly key: readonly string[]; readonly values: ValueFormat; readonly engine: EngineHost },
): AsyncIterable<LogRow[]> {
  const names = rows.columns.map(({ name, type }) => {
    const quoted = quoteIdentifier(name);
    return type === "json" ? `cast(to_json(${quoted}) as varchar) as ${quoted}` : quoted;
  });
  const connection = await engine.connect();
  try {
    const pieces = connection.stream(`select _row, ${names.join(", ")} from (${await rows.select()})`);
    for await (const piece of pieces) {
      const encoded = await values.encode(piece);
      yield piece.map((row, index) => logRow(row, encoded[index] as Uint8Array, key));
    }
  } finally {
    connection.close();
  }
}

function logRow(of: EngineRow, value: Uint8Array, key: readonly string[]): LogRow {
  const row = Number(of["_row"]);
  if (key.length === 0) return { row, key: undefined, value };
  return { row, key: keyBytes(JSON.stringify(key.map((name) => jsonValue(of[name] ?? null)))), value };
}

/** A key decides on a lane and no more: of a long one its hash does as well, and every log takes it. */
function keyBytes(text: string): Buffer {
  const bytes = Buffer.from(text);
  return bytes.length <= keyBytesMax ? bytes : createHash("sha256").update(bytes).digest();
}
