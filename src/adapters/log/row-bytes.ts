import { crc32 } from "node:zlib";
import { limit } from "../../core/limit.ts";
import type { KeptRecord, LogRecord } from "../../ports/log.ts";

/**
 * The bytes of a row: consecutive records of one lane. All numbers are little-endian:
 *
 *     CRC-32 of all that follows (4)
 *     and for each record: time in ms since 1970 as a double (8), length of the key (4), of the id (4), of the value (4),
 *     key, id, value
 *
 * The length of a key or an id that is not there is -1. An id is UTF-8; one that has no UTF-8, as half of a surrogate
 * pair stands in it, is UTF-16 with the length -2 - bytes.
 */
const checkBytes = 4;
const headBytes = 20;
const absent = -1;

/** What a record takes of a row at most. */
export function rowBytesOf({ key, value, id }: LogRecord): number {
  return headBytes + (key?.length ?? 0) + 3 * (id?.length ?? 0) + value.length;
}

/** A row that is being filled. */
export class RowWriter {
  #bytes = Buffer.allocUnsafeSlow(4_096);
  #length = checkBytes;
  records = 0;

  get isFull(): boolean {
    return this.#length >= limit.embeddedRowBytes;
  }

  add(record: LogRecord): void {
    const { key, value, id, timeMs } = record;
    this.#reserve(rowBytesOf(record));
    const bytes = this.#bytes;
    const head = this.#length;
    let at = head + headBytes;
    if (key !== undefined) {
      bytes.set(key, at);
      at += key.length;
    }
    const idLength = id === undefined ? absent : this.#addId(id, at);
    if (idLength !== absent) at += idLength < absent ? absent - 1 - idLength : idLength;
    bytes.set(value, at);
    bytes.writeDoubleLE(timeMs, head);
    bytes.writeInt32LE(key?.length ?? absent, head + 8);
    bytes.writeInt32LE(idLength, head + 12);
    bytes.writeInt32LE(value.length, head + 16);
    this.#length = at + value.length;
    this.records += 1;
  }

  /** The row; its memory is its own. */
  finish(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes.subarray(0, this.#length);
    bytes.writeUInt32LE(crc32(bytes.subarray(checkBytes)), 0);
    return bytes;
  }

  #addId(id: string, at: number): number {
    return id.isWellFormed() ? this.#bytes.write(id, at, "utf8") : absent - 1 - this.#bytes.write(id, at, "utf16le");
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** A row that is not what was written. */
export class RowDamaged extends Error {}

/**
 * The records of a row whose first one has the offset `base`, without those before `from`. Keys and values are parts of
 * the row's memory. Throws RowDamaged.
 */
export function recordsOf(row: Uint8Array, count: number, base: bigint, from: bigint): KeptRecord[] {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  if (bytes.length < checkBytes || crc32(bytes.subarray(checkBytes)) !== bytes.readUInt32LE(0)) {
    throw new RowDamaged(`the bytes of the records from ${base} on are not those that were written`);
  }
  const records: KeptRecord[] = [];
  let at = checkBytes;
  for (let index = 0; index < count; index += 1) {
    const offset = base + BigInt(index);
    const end = endOf(bytes, at);
    if (offset >= from) records.push(recordAt(bytes, at, offset));
    at = end;
  }
  return records;
}

function endOf(bytes: Buffer, at: number): number {
  return at + headBytes + sizeOf(bytes, at + 8) + sizeOf(bytes, at + 12) + sizeOf(bytes, at + 16);
}

function sizeOf(bytes: Buffer, at: number): number {
  const length = bytes.readInt32LE(at);
  if (length >= 0) return length;
  return length === absent ? 0 : absent - 1 - length;
}

function recordAt(bytes: Buffer, at: number, offset: bigint): KeptRecord {
  const keyAt = at + headBytes;
  const idAt = keyAt + sizeOf(bytes, at + 8);
  const valueAt = idAt + sizeOf(bytes, at + 12);
  const idLength = bytes.readInt32LE(at + 12);
  return {
    offset,
    ...(bytes.readInt32LE(at + 8) === absent ? {} : { key: partOf(bytes, keyAt, idAt) }),
    ...(idLength === absent ? {} : { id: bytes.toString(idLength < absent ? "utf16le" : "utf8", idAt, valueAt) }),
    value: partOf(bytes, valueAt, endOf(bytes, at)),
    timeMs: bytes.readDoubleLE(at),
  };
}

/** Not a Buffer: those compare, print and serialise otherwise than what was appended. */
function partOf(bytes: Buffer, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
