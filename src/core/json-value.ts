/** A value of a row as the engine and the sinks give it to TypeScript: see `Row` in core/table for the types. */
export type RowValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly RowValue[]
  | { readonly [name: string]: RowValue };

/**
 * A value of a row as JSON: whole numbers beyond 2^53 as text, as no reader of JSON would keep them; decimals, dates and
 * timestamps are text already; bytes in base64.
 */
export function jsonValue(value: RowValue): unknown {
  if (typeof value === "bigint") {
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value);
  }
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  if (Array.isArray(value)) return (value as readonly RowValue[]).map(jsonValue);
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, jsonValue(entry)]));
}
