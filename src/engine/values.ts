import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBTimestampValue,
  type DuckDBType,
  type DuckDBValue,
} from "@duckdb/node-api";
import type { EngineValue } from "../ports/engine.ts";

/** Turns one value of a result column into what rows hold in TypeScript. */
export type ValueReader = (value: DuckDBValue) => EngineValue;

/** The reader of a column: json is parsed, dates and timestamps are ISO 8601 text, decimals and uuids text. */
export function valueReader(type: DuckDBType): ValueReader {
  if (type.alias === "JSON") return (value) => (value === null ? null : (JSON.parse(String(value)) as EngineValue));
  return readValue;
}

function readValue(value: DuckDBValue): EngineValue {
  if (value === null || typeof value !== "object") return value;
  if (value instanceof DuckDBBlobValue) return value.bytes;
  if (value instanceof DuckDBTimestampValue) return value.toString().replace(" ", "T");
  if (value instanceof DuckDBDateValue) return value.toString();
  if (value instanceof DuckDBListValue) return value.items.map(readValue);
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, entry]) => [name, readValue(entry)]));
  }
  return value.toString();
}
