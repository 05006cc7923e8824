import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import type { EngineRow, EngineValue } from "../../src/ports/engine.ts";

/** `_manifest.json` as any reader finds it. */
export interface Manifest {
  readonly table: string;
  readonly rows: number;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];
  readonly parts: readonly {
    readonly file: string;
    readonly format: string;
    readonly batch: number;
    readonly rows: number;
  }[];
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "_manifest.json"), "utf8")) as Manifest;
}

/** The rows of a table's folder as its manifest says, read without anything of Millrace or DuckDB. */
export async function readFolder(folder: string): Promise<EngineRow[]> {
  if (!existsSync(folder)) return [];
  const manifest = readManifest(folder);
  const types = new Map(manifest.columns.map((column) => [column.name, column.type]));
  const rows: EngineRow[] = [];
  for (const { file, format, rows: count } of manifest.parts) {
    const found = await readPart(join(folder, file), format, types);
    if (found.length !== count) throw new Error(`${file} holds ${found.length} rows, its manifest says ${count}`);
    rows.push(...found);
  }
  return rows;
}

function readPart(
  path: string,
  format: string,
  types: ReadonlyMap<string, string>,
): Promise<EngineRow[]> | EngineRow[] {
  if (format === "parquet") return readParquet(path);
  const text = readFileSync(path, "utf8");
  return format === "csv" ? readCsv(text, types) : readNdjson(text, types);
}

async function readParquet(path: string): Promise<EngineRow[]> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const scales = new Map<string, number>();
  for (const element of metadata.schema) {
    if (element.converted_type !== "DECIMAL") continue;
    // The reader would make them inexact numbers; undeclared they stay digits.
    scales.set(element.name, element.scale ?? 0);
    delete element.converted_type;
    delete element.logical_type;
  }
  const rows = await parquetReadObjects({
    file,
    metadata,
    compressors: { ZSTD: (input) => zstdDecompressSync(input) },
    parsers: {
      timestampFromMicroseconds: (micros: bigint) => isoTimestamp(micros),
      dateFromDays: (days: number) =>
        days === undefined ? days : isoTimestamp(BigInt(days) * 86_400_000_000n).slice(0, 10),
      stringFromBytes: (bytes: Uint8Array) => bytes && Buffer.from(bytes).toString("utf8"),
    },
  });
  return rows.map((row) => {
    const values = Object.entries(row).map(([name, value]: [string, unknown]) => {
      const scale = scales.get(name);
      return [name, scale === undefined || value == null ? (value ?? null) : decimalText(value, scale)] as const;
    });
    return Object.fromEntries(values) as EngineRow;
  });
}

function isoTimestamp(micros: bigint): string {
  if (micros === undefined) return micros;
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - fraction) / 1000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(fraction).padStart(6, "0")}`;
}

function decimalText(value: unknown, scale: number): string {
  const units = value instanceof Uint8Array ? signedBigEndian(value) : BigInt(value as bigint);
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, "0");
  const point = digits.length - scale;
  return `${units < 0n ? "-" : ""}${digits.slice(0, point)}${scale === 0 ? "" : `.${digits.slice(point)}`}`;
}

function signedBigEndian(bytes: Uint8Array): bigint {
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
}

function readNdjson(text: string, types: ReadonlyMap<string, string>): EngineRow[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    // Numbers stay digits, so that none of them is rounded before its type is known.
    const reviver = (_: string, value: unknown, context?: { source?: string }): unknown =>
      typeof value === "number" ? new NumberText(context?.source ?? "") : value;
    const row = JSON.parse(line, reviver) as Record<string, unknown>;
    return Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, fromJson(types.get(name) ?? "", value)]),
    );
  });
}

class NumberText {
  readonly digits: string;
  constructor(digits: string) {
    this.digits = digits;
  }
}

function fromJson(type: string, value: unknown): EngineValue {
  if (value === null) return null;
  if (type === "JSON") return plain(value);
  if (value instanceof NumberText) return typed(type, value.digits);
  return typed(type, typeof value === "string" ? value : JSON.stringify(value));
}

function plain(value: unknown): EngineValue {
  if (value instanceof NumberText) return Number(value.digits);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value as EngineValue;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

function readCsv(text: string, types: ReadonlyMap<string, string>): EngineRow[] {
  const [header = [], ...records] = parseCsv(text);
  return records.map((fields) => {
    const values = header.map((name, n) => [name, fromField(types.get(name ?? "") ?? "", fields[n] ?? null)] as const);
    return Object.fromEntries(values) as EngineRow;
  });
}

/** A plain reader of RFC 4180 with LF or CRLF, by which an unquoted empty field is null. */
function parseCsv(text: string): (string | null)[][] {
  const records: (string | null)[][] = [];
  let record: (string | null)[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (field.lastIndex < text.length) {
    const match = field.exec(text);
    if (match === null) throw new Error(`no CSV at character ${field.lastIndex}`);
    const [, quoted, bare, end] = match;
    record.push(quoted === undefined ? bare || null : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    records.push(record);
    record = [];
  }
  return records;
}

function fromField(type: string, text: string | null): EngineValue {
  if (text === null) return null;
  return type === "JSON" ? (JSON.parse(text) as EngineValue) : typed(type, text);
}

function typed(type: string, text: string): EngineValue {
  if (type === "INTEGER" || type === "DOUBLE") return Number(text);
  if (type === "BIGINT") return BigInt(text);
  return type === "BOOLEAN" ? text === "true" : text;
}
