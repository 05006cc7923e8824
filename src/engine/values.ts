import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBTimestampValue,
  type DuckDBType,
  type DuckDBValue,
} from "@duckdb/node-api";
import accessors from "@duckdb/node-api/lib/vectors/dataAccessors.js";
import type { EngineValue } from "../ports/engine.ts";

// The driver's decoder takes U+FEFF at the start of a text for a byte order mark and drops it: the value would change
// without a word. Replaced by one that keeps it; a test reads such a text back.
(accessors as { textDecoder: InstanceType<typeof TextDecoder> }).textDecoder = new TextDecoder("utf-8", {
  ignoreBOM: true,
});

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
