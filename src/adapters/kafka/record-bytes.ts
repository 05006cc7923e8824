/**
 * Numbers of Kafka's record format: zigzag varints as in Protocol Buffers
 * (https://kafka.apache.org/documentation/#record). Numbers up to 2^52 are exact.
 */

/** Bytes that the longest varint of a number takes. */
export const varintBytesMax = 10;

/** Writes at `at` and returns where it ends. */
export function writeVarint(into: Buffer, at: number, value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let end = at;
  while (rest > 0x7f) {
    into[end] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
    end += 1;
  }
  into[end] = rest;
  return end + 1;
}

/** Writes the length, then the bytes; -1 alone for undefined. */
export function writeBytes(into: Buffer, at: number, bytes: Uint8Array | undefined): number {
  if (bytes === undefined) return writeVarint(into, at, -1);
  const start = writeVarint(into, at, bytes.length);
  into.set(bytes, start);
  return start + bytes.length;
}

/** Bytes that `writeBytes` takes at most. */
export function bytesRoom(bytes: Uint8Array | undefined): number {
  return varintBytesMax + (bytes?.length ?? 0);
}

/** Reads records one after another. Reading behind the end throws RangeError. */
export class RecordBytes {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  varint(): number {
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = this.bytes.readUInt8(this.at);
      this.at += 1;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      unit *= 0x80;
    }
  }

  /** A length, and as many bytes of the same memory; undefined for null. */
  sized(): Buffer | undefined {
    const length = this.varint();
    if (length < 0) return undefined;
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError("the bytes end within a field");
    const found = this.bytes.subarray(this.at, end);
    this.at = end;
    return found;
  }
}
