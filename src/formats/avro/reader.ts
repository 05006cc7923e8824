import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import { type InputType, inflateRaw, type ZlibOptions } from "node:zlib";
import { MillraceError } from "../../core/error.ts";
import type { SinkColumn } from "../../ports/rows.ts";
import { magic, readLong, syncBytes } from "./container.ts";
import { type RecordCodec, recordCodec } from "./values.ts";

const inflate: (bytes: InputType, options: ZlibOptions) => Promise<Buffer> = promisify(inflateRaw);

const pieceBytes = 256 * 1024;
/** Of a block, packed or not: much more than a writer makes of rows that sinks and engine can hold. */
const blockBytesMax = 1024 * 1024 * 1024;
const metadataBytesMax = 16 * 1024 * 1024;

/**
 * Rows of an Avro file with the schema of this table and these columns, a block at a time, in plain forms: see
 * `recordCodec`. Throws FILE_FORMAT for what is no such file, FILE_TRUNCATED when it ends within a block, DISK.
 */
export async function* avroRows(
  path: string,
  table: string,
  columns: readonly SinkColumn[],
): AsyncGenerator<readonly (readonly (string | null)[])[]> {
  const codec = recordCodec(table, columns);
  const file = await open(path, "r").catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const bytes = new Bytes(file, path);
    const header = await readHeader(bytes);
    const schema = JSON.stringify(codec.schema);
    if (header.schema !== schema) throw misformed(path, `its schema is not ${schema}`);
    while (!(await bytes.isAtEnd())) yield await readBlock(bytes, header, codec);
  } finally {
    await file.close();
  }
}

interface Header {
  readonly schema: string | undefined;
  readonly isDeflated: boolean;
  readonly sync: Buffer;
}

async function readHeader(bytes: Bytes): Promise<Header> {
  if (!(await bytes.take(magic.byteLength)).equals(magic)) throw misformed(bytes.path, "it does not begin as one");
  const metadata = await readMetadata(bytes);
  const sync = await bytes.take(syncBytes);
  const codec = metadata.get("avro.codec") ?? "null";
  if (codec !== "deflate" && codec !== "null") throw misformed(bytes.path, `it is compressed by ${codec}`);
  return { schema: metadata.get("avro.schema"), isDeflated: codec === "deflate", sync };
}

/** A map comes in blocks; the count of one is negative when its size follows. */
async function readMetadata(bytes: Bytes): Promise<Map<string, string>> {
  const metadata = new Map<string, string>();
  const text = async (): Promise<string> => (await bytes.take(await bytes.length(metadataBytesMax))).toString("utf8");
  for (;;) {
    const count = await bytes.long();
    if (count === 0) return metadata;
    if (count < 0) await bytes.long();
    for (let entry = 0; entry < Math.abs(count); entry += 1) metadata.set(await text(), await text());
  }
}

async function readBlock(
  bytes: Bytes,
  { isDeflated, sync }: Header,
  codec: RecordCodec,
): Promise<(readonly (string | null)[])[]> {
  const count = await bytes.length(blockBytesMax);
  const packed = await bytes.take(await bytes.length(blockBytesMax));
  if (!(await bytes.take(syncBytes)).equals(sync)) throw misformed(bytes.path, "a block does not end where it should");
  try {
    const records = isDeflated
      ? await inflate(packed, { maxOutputLength: blockBytesMax, chunkSize: 2 * pieceBytes })
      : packed;
    return decodeBlock(records, count, codec);
  } catch (error) {
    throw misformed(bytes.path, `a block cannot be read: ${(error as Error).message}`, error);
  }
}

function decodeBlock(records: Buffer, count: number, codec: RecordCodec): (readonly (string | null)[])[] {
  const rows: (readonly (string | null)[])[] = [];
  let at = 0;
  while (rows.length < count) {
    const { row, end } = codec.decode(records, at);
    rows.push(row);
    at = end;
  }
  if (at !== records.byteLength) throw new RangeError("it holds more than its records");
  return rows;
}

/** The bytes of a file in order. */
class Bytes {
  readonly path: string;
  readonly #file: FileHandle;
  #held = Buffer.alloc(0);
  #at = 0;

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.path = path;
  }

  async isAtEnd(): Promise<boolean> {
    return this.#at === this.#held.byteLength && !(await this.#more(1));
  }

  async take(count: number): Promise<Buffer> {
    if (this.#held.byteLength - this.#at < count && !(await this.#more(count))) throw truncated(this.path);
    const taken = this.#held.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  async long(): Promise<number> {
    for (;;) {
      try {
        const found = readLong(this.#held, this.#at);
        if (found !== undefined) {
          this.#at = found.end;
          return found.value;
        }
      } catch (error) {
        throw misformed(this.path, (error as Error).message, error);
      }
      if (!(await this.#more(this.#held.byteLength - this.#at + 1))) throw truncated(this.path);
    }
  }

  async length(max: number): Promise<number> {
    const value = await this.long();
    if (value >= 0 && value <= max) return value;
    throw misformed(this.path, `${value} is no length of a part of it`);
  }

  /** Reads until `count` bytes are held that are not taken, and perhaps more; false when the file has no more. */
  async #more(count: number): Promise<boolean> {
    const pieces = [this.#held.subarray(this.#at)];
    let held = this.#held.byteLength - this.#at;
    while (held < count) {
      const piece = Buffer.allocUnsafeSlow(Math.max(pieceBytes, Math.min(count - held, 64 * pieceBytes)));
      const bytesRead = await this.#read(piece);
      if (bytesRead === 0) break;
      pieces.push(piece.subarray(0, bytesRead));
      held += bytesRead;
    }
    this.#held = Buffer.concat(pieces);
    this.#at = 0;
    return held >= count;
  }

  async #read(piece: Buffer): Promise<number> {
    try {
      return (await this.#file.read(piece, 0, piece.byteLength)).bytesRead;
    } catch (error) {
      throw unreadable(this.path, error);
    }
  }
}

function misformed(path: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError("FILE_FORMAT", `${path} is not the Avro file that is looked for: ${why}`, {
    remedy: "Use another copy of the file.",
    at: { source: path },
    cause,
  });
}

function truncated(path: string): MillraceError {
  return new MillraceError("FILE_TRUNCATED", `${path} ends in the middle of a block`, {
    remedy: "Use another copy of the file.",
    at: { source: path },
  });
}

function unreadable(path: string, cause: unknown): MillraceError {
  return new MillraceError("DISK", `${path} cannot be read: ${String((cause as Error).message ?? cause)}`, {
    remedy: "Check that the file is there and that this user has the right to it.",
    cause,
  });
}
