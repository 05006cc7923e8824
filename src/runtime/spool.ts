import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";

/**
 * Bytes that arrive bit by bit and are read when all are there, as often as is wanted: small ones are held in memory,
 * larger ones in a temporary file that has no name on systems where an open file needs none, so that nothing is left
 * behind even after kill -9.
 */
export class Spool {
  readonly #folder: string;
  readonly #pieces: Uint8Array[] = [];
  #file: { readonly handle: FileHandle; readonly name: string | undefined } | undefined;
  #sizeBytes = 0;

  /** `folder` holds what does not fit in memory. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The bytes are taken over and must not change any more. Throws DISK. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#file === undefined && this.#sizeBytes + bytes.length <= limit.spoolMemoryBytes) {
      this.#pieces.push(bytes);
      this.#sizeBytes += bytes.length;
      return;
    }
    try {
      this.#file ??= await this.#openFile();
      for (const held of this.#pieces.splice(0)) await writeAll(this.#file.handle, held);
      await writeAll(this.#file.handle, bytes);
    } catch (cause) {
      throw new MillraceError("DISK", `What was received cannot be written to ${this.#folder}`, {
        remedy: "Make room there.",
        cause,
      });
    }
    this.#sizeBytes += bytes.length;
  }

  /** All bytes from the start, in pieces. */
  async *bytes(): AsyncGenerator<Uint8Array, void> {
    yield* this.#pieces;
    if (this.#file === undefined) return;
    for (let at = 0; at < this.#sizeBytes; ) {
      const piece = Buffer.allocUnsafe(Math.min(limit.spoolMemoryBytes, this.#sizeBytes - at));
      const { bytesRead } = await this.#file.handle.read(piece, 0, piece.length, at);
      if (bytesRead === 0) throw new RangeError("the spooled file became shorter");
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  /** Frees memory and file. Safe to call twice. */
  async dispose(): Promise<void> {
    this.#pieces.length = 0;
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
    if (file?.name !== undefined) await unlink(file.name);
  }

  async #openFile(): Promise<{ readonly handle: FileHandle; readonly name: string | undefined }> {
    const name = join(this.#folder, `millrace-spool-${randomUUID()}`);
    const handle = await open(name, "wx+", 0o600);
    if (process.platform === "win32") return { handle, name };
    await unlink(name);
    return { handle, name: undefined };
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, null);
    done += bytesWritten;
  }
}
