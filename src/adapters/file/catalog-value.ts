import type { JsonObject } from "../../core/json.ts";
import type { CatalogRow } from "./catalog.ts";

/** Fields of catalog rows as what they are. A field of another kind means that the catalog is damaged. */
export function textOf(row: CatalogRow, name: string): string {
  const value = row[name];
  if (typeof value !== "string") throw damaged(name, "text");
  return value;
}

export function bigintOf(row: CatalogRow, name: string): bigint {
  const value = row[name];
  if (typeof value !== "bigint") throw damaged(name, "a whole number");
  return value;
}

export function numberOf(row: CatalogRow, name: string): number {
  return Number(bigintOf(row, name));
}

export function bytesOf(row: CatalogRow, name: string): Uint8Array {
  const value = row[name];
  if (!(value instanceof Uint8Array)) throw damaged(name, "bytes");
  return value;
}

/** JSON that this adapter wrote itself. */
export function jsonOf<Value = JsonObject>(row: CatalogRow, name: string): Value {
  return JSON.parse(textOf(row, name)) as Value;
}

function damaged(name: string, kind: string): Error {
  return new Error(`The catalog is damaged: ${name} is not ${kind}`);
}
