import { MillraceError } from "../../core/error.ts";
import { isJsonObject, type JsonObject } from "../../core/json.ts";
import type { EngineRow, EngineValue } from "../../ports/engine.ts";

/** Reads the cells of rows that this adapter asked for itself; another type than expected is a fault of it. */
export function textCell(row: EngineRow, name: string): string {
  const value = cell(row, name);
  if (typeof value !== "string") throw fault(name, value);
  return value;
}

export function optionalText(row: EngineRow, name: string): string | undefined {
  return cell(row, name) === null ? undefined : textCell(row, name);
}

export function numberCell(row: EngineRow, name: string): number {
  const value = cell(row, name);
  if (typeof value !== "number" && typeof value !== "bigint") throw fault(name, value);
  return Number(value);
}

export function optionalNumber(row: EngineRow, name: string): number | undefined {
  return cell(row, name) === null ? undefined : numberCell(row, name);
}

export function bigintCell(row: EngineRow, name: string): bigint {
  const value = cell(row, name);
  if (typeof value !== "number" && typeof value !== "bigint") throw fault(name, value);
  return BigInt(value);
}

export function booleanCell(row: EngineRow, name: string): boolean {
  const value = cell(row, name);
  if (typeof value !== "boolean") throw fault(name, value);
  return value;
}

export function bytesCell(row: EngineRow, name: string): Uint8Array {
  const value = cell(row, name);
  if (!(value instanceof Uint8Array)) throw fault(name, value);
  return value;
}

export function textsCell(row: EngineRow, name: string): string[] {
  const value = cell(row, name);
  if (!Array.isArray(value)) throw fault(name, value);
  return value.map(String);
}

/** JSON selected as text. */
export function jsonCell(row: EngineRow, name: string): JsonObject {
  const value: unknown = JSON.parse(textCell(row, name));
  if (!isJsonObject(value)) throw fault(name, textCell(row, name));
  return value;
}

function cell(row: EngineRow, name: string): EngineValue {
  const value = row[name];
  return value === undefined ? null : value;
}

function fault(name: string, value: EngineValue): MillraceError {
  return new MillraceError("INTERNAL", `The sink's column ${name} holds a ${typeof value} that is not expected`, {
    remedy: "Do not alter the tables named millrace_; restore them from a backup.",
  });
}
