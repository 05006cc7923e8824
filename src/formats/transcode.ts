import { byteOf } from "./csv/dialect.ts";

export type Encoding = "utf-8" | "latin1" | "utf-16le" | "utf-16be";

/**
 * Text of another encoding as UTF-8. What UTF-16 cannot mean (half a surrogate pair, half a unit at the end) becomes
 * bytes that are no UTF-8, so that the record is rejected rather than mended in silence.
 */
export async function* toUtf8(
  input: AsyncIterable<Uint8Array>,
  encoding: Exclude<Encoding, "utf-8">,
): AsyncGenerator<Uint8Array, void> {
  if (encoding === "latin1") {
    for await (const bytes of input) yield Buffer.from(viewOf(bytes).toString("latin1"), "utf8");
    return;
  }
  let held = Buffer.alloc(0);
  for await (const bytes of input) {
    const joined = Buffer.concat([held, bytes]);
    const whole = wholeUnits(joined, encoding);
    held = joined.subarray(whole);
    if (whole > 0) yield utf16ToUtf8(joined.subarray(0, whole), encoding);
  }
  if (held.length >= 2) yield utf16ToUtf8(held.subarray(0, held.length & ~1), encoding);
  if (held.length % 2 === 1) yield Buffer.from([0xff]);
}

/** The length of the bytes up to the last whole character: not half a unit, not half a pair. */
function wholeUnits(bytes: Buffer, encoding: "utf-16le" | "utf-16be"): number {
  const whole = bytes.length & ~1;
  if (whole < 2) return whole;
  const high = bytes[encoding === "utf-16le" ? whole - 1 : whole - 2] as number;
  return high >= 0xd8 && high < 0xdc ? whole - 2 : whole;
}

function utf16ToUtf8(bytes: Buffer, encoding: "utf-16le" | "utf-16be"): Buffer {
  // swap16 works in place, so on a copy.
  const text = (encoding === "utf-16le" ? bytes : Buffer.from(bytes).swap16()).toString("utf16le");
  if (text.isWellFormed()) return Buffer.from(text, "utf8");
  const pieces = text.split(/((?<![\uD800-\uDBFF])[\uDC00-\uDFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF]))/);
  return Buffer.concat(pieces.map((piece) => (piece.isWellFormed() ? Buffer.from(piece, "utf8") : surrogate(piece))));
}

function surrogate(half: string): Buffer {
  const unit = half.charCodeAt(0);
  return Buffer.from([0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)]);
}

/** Lines that end in CR alone, as LF: byte for byte, so that positions stay. */
export async function* loneReturnsToLf(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const bytes of input) {
    const copy = Buffer.from(bytes);
    for (let at = copy.indexOf(byteOf.cr); at >= 0; at = copy.indexOf(byteOf.cr, at + 1)) copy[at] = byteOf.lf;
    yield copy;
  }
}

const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
