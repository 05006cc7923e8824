import { randomBytes } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import { deflateRaw, type ZlibOptions } from "node:zlib";
import { MillraceError } from "../../core/error.ts";
import type { SinkColumn } from "../../ports/rows.ts";
import { headerBytes, longBytes, syncBytes } from "./container.ts";
import { type RecordCodec, recordCodec } from "./values.ts";

const deflate: (bytes: Uint8Array, options: ZlibOptions) => Promise<Buffer> = promisify(deflateRaw);

/** Of records, before they are compressed; a longer record is a block of its own. */
const blockBytes = 256 * 1024;
/** A tenth larger than by default and in half the time; and in one piece, where it would come in many. */
const compression: ZlibOptions = { level: 3, chunkSize: blockBytes };
/** Blocks that are being compressed or written, off the event loop. */
const blocksAtOnce = 4;

/** Writes rows to a new Avro file, block by block. Nothing is durable. Errors: DISK. */
export class AvroWriter {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #codec: RecordCodec;
  readonly #sync = randomBytes(syncBytes);
  #block = Buffer.allocUnsafeSlow(blockBytes);
  #size = 0;
  #count = 0;
  #rows = 0;
  #writing: Promise<void>[] = [];

  private constructor(path: string, file: FileHandle, codec: RecordCodec) {
    this.#path = path;
    this.#file = file;
    this.#codec = codec;
  }

  static async open(path: string, table: string, columns: readonly SinkColumn[]): Promise<AvroWriter> {
    const file = await open(path, "wx").catch((error: unknown) => {
      throw unwritable(path, error);
    });
    const writer = new AvroWriter(path, file, recordCodec(table, columns));
    const metadata = { "avro.schema": JSON.stringify(writer.#codec.schema), "avro.codec": "deflate" };
    writer.#inTurn(async () => headerBytes(metadata, writer.#sync));
    return writer;
  }

  /** Rows of plain forms: see `recordCodec`. */
  async append(rows: readonly (readonly (string | null)[])[]): Promise<void> {
    for (const row of rows) {
      let end = this.#codec.encode(row, this.#block, this.#size);
      if (end < 0) {
        const wanted = this.#block.byteLength - this.#size - end;
        await this.#flush(Math.max(blockBytes, wanted));
        end = this.#codec.encode(row, this.#block, 0);
      }
      this.#size = end;
      this.#count += 1;
    }
  }

  /** Writes what is held and closes the file. Resolves with the number of rows. */
  async finish(): Promise<number> {
    await this.#flush(0);
    await Promise.all(this.#writing);
    await this.#file.close();
    return this.#rows;
  }

  /** Closes the file as it is. Safe to call at any time, also after `finish`. */
  async dispose(): Promise<void> {
    await Promise.allSettled(this.#writing); // whoever appends was told, or does not want to know
    await this.#file.close();
  }

  async #flush(nextBytes: number): Promise<void> {
    const { buffer } = this.#block;
    const records = new Uint8Array(buffer, 0, this.#size);
    const count = this.#count;
    this.#block = Buffer.allocUnsafeSlow(nextBytes);
    this.#size = 0;
    this.#count = 0;
    this.#rows += count;
    if (count > 0) this.#inTurn(() => this.#blockOf(records, count));
    if (this.#writing.length >= blocksAtOnce) await this.#writing.shift();
  }

  async #blockOf(records: Uint8Array, count: number): Promise<Buffer> {
    const data = await deflate(records, compression);
    return Buffer.concat([longBytes(count), longBytes(data.byteLength), data, this.#sync]);
  }

  /** Makes the bytes beside others, and writes them when those before them are written. */
  #inTurn(make: () => Promise<Buffer>): void {
    const before = this.#writing.at(-1);
    const bytes = make();
    const written = (async () => {
      const [made] = await Promise.all([bytes, before]);
      await this.#write(made);
    })();
    written.catch(() => undefined); // awaited by a later call: it must not count as unhandled meanwhile
    this.#writing.push(written);
  }

  async #write(bytes: Buffer): Promise<void> {
    try {
      await this.#file.writeFile(bytes);
    } catch (error) {
      throw unwritable(this.#path, error);
    }
  }
}

function unwritable(path: string, cause: unknown): MillraceError {
  return new MillraceError("DISK", `${path} cannot be written: ${String((cause as Error).message ?? cause)}`, {
    remedy: "Make room there, or point the folder for temporary files at a disk with room.",
    cause,
  });
}
