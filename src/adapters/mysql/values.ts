import type { TypeCastField } from "mysql2";
import type { EngineValue } from "../../ports/engine.ts";

/** How values of a result are read: bigint for bigint, exact text for decimals and times, never a Date. */
export function readValue(field: TypeCastField, next: () => unknown): EngineValue {
  const { type, length, extendedFormat } = field;
  if (type === "JSON" || extendedFormat === "json") return parsed(field.string("utf8"));
  switch (type) {
    case "TINY":
      return length === 1 ? truth(field.string()) : numeric(field.string());
    case "SHORT":
    case "INT24":
    case "LONG":
    case "YEAR":
    case "FLOAT":
    case "DOUBLE":
      return numeric(field.string());
    case "LONGLONG":
      return big(field.string());
    case "DECIMAL":
    case "NEWDECIMAL":
    case "TIME":
    case "DATE":
    case "NEWDATE":
      return field.string();
    case "DATETIME":
      return isoTime(field.string());
    case "TIMESTAMP":
      return instant(field.string());
    case "BIT":
      return bits(field.buffer(), length);
    default:
      return textOrBytes(next());
  }
}

function truth(text: string | null): EngineValue {
  if (text === null) return null;
  return text === "0" || text === "1" ? text === "1" : Number(text);
}

function numeric(text: string | null): EngineValue {
  return text === null ? null : Number(text);
}

function big(text: string | null): EngineValue {
  return text === null ? null : BigInt(text);
}

function isoTime(text: string | null): string | null {
  return text === null ? null : text.replace(" ", "T");
}

/** A moment, of a session in UTC. */
function instant(text: string | null): EngineValue {
  return text === null ? null : `${isoTime(text)}Z`;
}

function bits(bytes: Uint8Array | null, length: number): EngineValue {
  if (bytes === null) return null;
  if (length === 1) return bytes[0] === 1;
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

function parsed(text: string | null): EngineValue {
  return text === null ? null : (JSON.parse(text) as EngineValue);
}

function textOrBytes(value: unknown): EngineValue {
  return typeof value === "string" || value instanceof Uint8Array ? value : null;
}
