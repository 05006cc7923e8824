import { type Compression, expand } from "./expand.ts";
import { type Encoding, loneReturnsToLf, toUtf8 } from "./transcode.ts";

/** How a file's bytes become UTF-8 text with lines that end in LF or CR LF. */
export interface Coding {
  readonly compression: Compression | undefined;
  readonly encoding: Encoding;
  /** Bytes of the byte order mark in front of the text (after decompression). */
  readonly bomBytes: number;
  /** Lines end in CR alone. */
  readonly loneReturns: boolean;
}

/** Whether decoded bytes are the file's bytes, so that reading can start at any of them. */
export function isSeekable(coding: Coding): boolean {
  return coding.compression === undefined && coding.encoding === "utf-8";
}

/** Reads a file's raw bytes from `start` on. */
export type ReadRaw = (start: number) => AsyncIterable<Uint8Array>;

/**
 * Where the decoded file is read from to begin at its byte `byte`, and how many bytes are to be dropped first. Bytes of
 * a seekable file count its byte order mark; those of another are counted behind it, and all before are decoded again.
 */
export function decodeFrom(
  read: ReadRaw,
  coding: Coding,
  byte: number,
  source: string,
): { readonly bytes: AsyncIterable<Uint8Array>; readonly drop: number } {
  if (isSeekable(coding)) {
    const bytes = read(byte);
    return { bytes: coding.loneReturns ? loneReturnsToLf(bytes) : bytes, drop: 0 };
  }
  const raw = read(0);
  const expanded = coding.compression === undefined ? raw : expand(raw, coding.compression, source);
  const text = without(expanded, coding.bomBytes);
  const utf8 = coding.encoding === "utf-8" ? text : toUtf8(text, coding.encoding);
  return { bytes: coding.loneReturns ? loneReturnsToLf(utf8) : utf8, drop: byte };
}

async function* without(input: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array, void> {
  let left = count;
  for await (const bytes of input) {
    if (left < bytes.length) yield left === 0 ? bytes : bytes.subarray(left);
    left = Math.max(0, left - bytes.length);
  }
}
