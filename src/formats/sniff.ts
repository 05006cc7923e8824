import { isUtf8 } from "node:buffer";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { isLineFormat } from "../core/line-format.ts";
import type { FormatOptions } from "../core/pipeline.ts";
import { byteOf } from "./csv/dialect.ts";
import { type Coding, decodeFrom, isSeekable, type ReadRaw } from "./decode.ts";
import type { Encoding } from "./transcode.ts";
import { ByteWindow } from "./window.ts";
import { encrypted, isEncryptedContainer } from "./xlsx/protection.ts";

/** `own`: one that an application defines. */
export type Format = "csv" | "json" | "ndjson" | "parquet" | "xlsx" | "own";

/** What the first bytes of a file tell. */
export interface Sniffed {
  readonly format: Format;
  readonly coding: Coding;
  /** The decoded text from its first byte on, without byte order mark, at most `limit.sniffBytes`. */
  readonly head: Uint8Array;
  /** The head is all there is. */
  readonly whole: boolean;
  /** Position of the head's first byte. */
  readonly headByte: number;
}

const rawHeadBytes = 16;

/**
 * Finds out format, compression and encoding of a file from its name and first bytes; options win over both. Throws
 * FILE_FORMAT for what cannot be read as any of them, and what decompressing throws when nothing could be decoded.
 */
export async function sniff(read: ReadRaw, source: string, options: FormatOptions): Promise<Sniffed> {
  if (options.format === "avro") throw unreadable(source, "messages of logs are read as avro, and files are not");
  const raw = await headOf(read(0), rawHeadBytes);
  const compression = startsWith(raw.bytes, [0x1f, 0x8b])
    ? "gzip"
    : startsWith(raw.bytes, [0x28, 0xb5, 0x2f, 0xfd])
      ? "zstd"
      : undefined;
  const isParquet = startsWith(raw.bytes, [...Buffer.from("PAR1")]);
  const wanted = isLineFormat(options.format) ? "own" : options.format;
  const format = wanted ?? (isParquet ? "parquet" : formatByName(source));
  const plain: Coding = { compression, encoding: "utf-8", bomBytes: 0, loneReturns: false };
  if (format === "xlsx") return workbook(raw.bytes, read, source, plain);
  if (format === "parquet") return parquet(raw.bytes, source, isParquet, plain);
  refuseForeign(raw.bytes, source);

  const undecoded = decodeFrom(read, plain, 0, source);
  const first = await headOf(undecoded.bytes, limit.sniffBytes);
  const { encoding, bomBytes } = encodingOf(first.bytes, options.encoding);
  const coding = { ...plain, encoding, bomBytes };
  const text = isUtf8Text(coding)
    ? { ...first, bytes: first.bytes.subarray(bomBytes) }
    : await decodedHead(read, coding, source);
  const loneReturns = text.bytes.includes(byteOf.cr) && !text.bytes.includes(byteOf.lf);
  const head = loneReturns ? returnsToLf(text.bytes) : text.bytes;
  return {
    format: format ?? formatByContent(head),
    coding: { ...coding, loneReturns },
    head,
    whole: text.whole,
    headByte: isSeekable(coding) ? bomBytes : 0,
  };
}

const isUtf8Text = (coding: Coding): boolean => coding.encoding === "utf-8";

function decodedHead(read: ReadRaw, coding: Coding, source: string): Promise<Head> {
  return headOf(decodeFrom(read, coding, 0, source).bytes, limit.sniffBytes);
}

interface Head {
  readonly bytes: Uint8Array;
  readonly whole: boolean;
}

async function headOf(stream: AsyncIterable<Uint8Array>, size: number): Promise<Head> {
  const window = new ByteWindow(stream);
  try {
    await window.fill(size);
    // A fault further on is told when reading gets there.
    if (window.failure !== undefined && window.bytes.length === 0) throw window.failure.error;
    return { bytes: window.bytes, whole: window.ended };
  } finally {
    await window.close();
  }
}

const startsWith = (bytes: Uint8Array, magic: readonly number[]): boolean =>
  bytes.length >= magic.length && magic.every((byte, index) => bytes[index] === byte);

function formatByName(source: string): Format | undefined {
  const name = source.toLowerCase().replace(/\.(gz|gzip|zst|zstd)$/, "");
  const ending = /\.([a-z0-9]+)$/.exec(name)?.[1] ?? "";
  const formats: Readonly<Record<string, Format>> = {
    csv: "csv",
    tsv: "csv",
    txt: "csv",
    json: "json",
    ndjson: "ndjson",
    jsonl: "ndjson",
    parquet: "parquet",
    xlsx: "xlsx",
    xlsm: "xlsx",
  };
  return Object.hasOwn(formats, ending) ? formats[ending] : undefined;
}

/** The format of a text whose name says nothing: JSON starts with a bracket, all else is delimited text. */
function formatByContent(head: Uint8Array): Format {
  const text = Buffer.from(head.subarray(0, 64 * 1024))
    .toString("utf8")
    .trimStart();
  if (text.startsWith("[")) return "json";
  if (!text.startsWith("{")) return "csv";
  return isJson(text.split("\n", 1)[0] ?? "") ? "ndjson" : "json";
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // Not being JSON is an answer here, not a fault.
    return false;
  }
}

function encodingOf(head: Uint8Array, wanted: Encoding | undefined): { encoding: Encoding; bomBytes: number } {
  if (startsWith(head, [0xef, 0xbb, 0xbf]) && (wanted ?? "utf-8") === "utf-8")
    return { encoding: "utf-8", bomBytes: 3 };
  if (startsWith(head, [0xff, 0xfe]) && (wanted ?? "utf-16le") === "utf-16le")
    return { encoding: "utf-16le", bomBytes: 2 };
  if (startsWith(head, [0xfe, 0xff]) && (wanted ?? "utf-16be") === "utf-16be")
    return { encoding: "utf-16be", bomBytes: 2 };
  return { encoding: wanted ?? utf16ByZeros(head) ?? "utf-8", bomBytes: 0 };
}

/** UTF-16 without byte order mark: in text of mostly Latin letters every other byte is zero. */
function utf16ByZeros(head: Uint8Array): Encoding | undefined {
  const size = Math.min(head.length, 4096) & ~1;
  const zeros = [0, 0];
  for (let at = 0; at < size; at += 1) if (head[at] === 0) zeros[at % 2] = (zeros[at % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  const many = size * 0.3;
  const few = size * 0.02;
  if (odd > many && even <= few) return "utf-16le";
  return even > many && odd <= few ? "utf-16be" : undefined;
}

function returnsToLf(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => (byte === byteOf.cr ? byteOf.lf : byte));
}

function parquet(raw: Uint8Array, source: string, isParquet: boolean, coding: Coding): Sniffed {
  if (!isParquet) throw unreadable(source, "it is no Parquet file: it does not start with PAR1");
  return { format: "parquet", coding, head: raw, whole: false, headByte: 0 };
}

const zipMagic = [0x50, 0x4b, 0x03, 0x04];
/** The container of old workbooks, and of new ones that are protected by a password. */
const containerMagic = [0xd0, 0xcf, 0x11, 0xe0];

async function workbook(raw: Uint8Array, read: ReadRaw, source: string, coding: Coding): Promise<Sniffed> {
  if (startsWith(raw, zipMagic)) return { format: "xlsx", coding, head: raw, whole: false, headByte: 0 };
  if (!startsWith(raw, containerMagic))
    throw unreadable(source, "it is no XLSX workbook: it does not start as a ZIP file does");
  const { bytes } = await headOf(read(0), limit.sniffBytes);
  if (isEncryptedContainer(bytes)) throw encrypted(source);
  throw unreadable(source, "it is an old Excel workbook (.xls)");
}

const foreign: readonly (readonly [string, readonly number[]])[] = [
  ["a ZIP archive, perhaps an Excel workbook", zipMagic],
  ["an old Excel workbook", containerMagic],
  ["a PDF document", [0x25, 0x50, 0x44, 0x46, 0x2d]],
  ["an Avro file", [0x4f, 0x62, 0x6a, 0x01]],
  ["an SQLite database", [...Buffer.from("SQLite format 3\0")]],
  ["a bzip2 archive", [0x42, 0x5a, 0x68]],
  ["an xz archive", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

function refuseForeign(raw: Uint8Array, source: string): void {
  const found = foreign.find(([, magic]) => startsWith(raw, magic));
  // "BZh" may also be how a text begins.
  if (found === undefined || (found[0] === "a bzip2 archive" && isUtf8(raw) && !raw.includes(0))) return;
  throw unreadable(source, `it is ${found[0]}`);
}

function unreadable(source: string, why: string): MillraceError {
  return new MillraceError("FILE_FORMAT", `${source} cannot be read: ${why}`, {
    remedy:
      "Give CSV, JSON, NDJSON, Parquet or XLSX, text as it is or compressed by gzip or zstd; or say what it is with --format.",
    at: { source },
  });
}
