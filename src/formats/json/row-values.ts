import { jsonValue } from "../../core/json-value.ts";
import type { EngineValue } from "../../ports/engine.ts";
import type { ValueFormat } from "../../ports/messages.ts";
import type { SinkColumn } from "../../ports/rows.ts";

/** Rows as JSON objects, by the names of their columns; numbers that a reader of JSON could change are text. */
export function jsonRowValues(columns: readonly SinkColumn[]): ValueFormat {
  const keys = columns.map(({ name }) => JSON.stringify(name));
  return {
    encode: async (rows) =>
      rows.map((row) => {
        const fields = columns.map((column, index) => `${keys[index]}:${jsonText(row[column.name] ?? null, column)}`);
        return Buffer.from(`{${fields.join(",")}}`);
      }),
  };
}

function jsonText(value: EngineValue, { type }: SinkColumn): string {
  if (type === "json" && typeof value === "string") return value;
  // JSON has a negative zero; JSON.stringify has none.
  return Object.is(value, -0) ? "-0.0" : JSON.stringify(jsonValue(value));
}
