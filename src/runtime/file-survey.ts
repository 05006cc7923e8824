import { createHash, type Hash } from "node:crypto";
import { MillraceError } from "../core/error.ts";
import type { OpenFile } from "../ports/files.ts";

/** Bytes between two digests of a survey. */
export const blockBytes = 1024 * 1024;

/** A file's content, told apart from any other: what was read later is compared with it. */
export interface Survey {
  /** SHA-256 of the whole, hexadecimal. */
  readonly hash: string;
  readonly sizeBytes: number;
  /** State of the file just before it was hashed. */
  readonly version: string;
  /** Digest of the first `(n + 1) * blockBytes` bytes, or of all of them. */
  readonly digests: readonly Buffer[];
  /** Hexadecimal SHA-256 of the first so many bytes, for the sizes asked for. */
  readonly prefixes: ReadonlyMap<number, string>;
}

/**
 * Reads the file once and hashes it. `prefixSizes` are sizes of earlier content to compare with; `look` sees all
 * bytes in order. Throws FILE_CHANGED when the file becomes shorter meanwhile.
 */
export async function surveyFile(
  file: OpenFile,
  prefixSizes: readonly number[],
  look: (bytes: Uint8Array) => void,
): Promise<Survey> {
  const { sizeBytes, version } = file;
  const hash = createHash("sha256");
  const prefixes = new Map<number, string>();
  const sizes = [...new Set(prefixSizes)].filter((size) => size <= sizeBytes).sort((a, b) => a - b);
  const digests: Buffer[] = [];
  let at = 0;
  for await (const bytes of blocks(file, sizeBytes)) {
    let from = 0;
    while (sizes[0] !== undefined && sizes[0] <= at + bytes.length) {
      const size = sizes.shift() as number;
      hash.update(bytes.subarray(from, size - at));
      from = size - at;
      prefixes.set(size, hash.copy().digest("hex"));
    }
    hash.update(bytes.subarray(from));
    at += bytes.length;
    digests.push(hash.copy().digest());
    look(bytes);
  }
  if (at < sizeBytes) throw changed(file.path, `it became shorter (${at} of ${sizeBytes} bytes) while it was hashed`);
  return { hash: hash.digest("hex"), sizeBytes, version, digests, prefixes };
}

/** Block after block; the next one is read while this one is hashed. */
async function* blocks(file: OpenFile, sizeBytes: number): AsyncGenerator<Uint8Array, void> {
  const from = (at: number): Promise<Uint8Array> | undefined =>
    at < sizeBytes ? wholeBlock(file, at, Math.min(at + blockBytes, sizeBytes)) : undefined;
  let ahead = from(0);
  try {
    for (let at = blockBytes; ahead !== undefined; at += blockBytes) {
      const bytes = await ahead;
      ahead = from(at);
      ahead?.catch(() => undefined); // awaited in its turn: it must not count as unhandled before
      yield bytes;
      if (bytes.length < blockBytes) return;
    }
  } finally {
    // The file is closed behind this.
    await ahead?.catch(() => undefined);
  }
}

/** The bytes of a block in one piece; fewer when the file has become shorter. */
async function wholeBlock(file: OpenFile, start: number, end: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of file.read(start, end)) {
    pieces.push(piece);
    length += piece.length;
  }
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, length);
}

/**
 * Reads exactly the content that was surveyed. As long as the place says that the file is as it was, that is so;
 * after any change what is read is hashed again and compared before it is handed on. What happens to the file is told
 * once. Throws FILE_CHANGED, naming what happened.
 */
export class SurveyedFile {
  readonly #file: OpenFile;
  readonly #survey: Survey;
  readonly #notice: (text: string) => void;
  #told = new Set<string>();
  /** Hash of the first `#hashed` blocks, once the file has changed. */
  #hash: Hash | undefined;
  #hashed = 0;

  constructor(file: OpenFile, survey: Survey, notice: (text: string) => void) {
    this.#file = file;
    this.#survey = survey;
    this.#notice = notice;
  }

  /** The bytes from `start` up to `end`, each block checked before it is yielded. */
  async *read(start: number, end: number): AsyncGenerator<Uint8Array, void> {
    const first = Math.floor(start / blockBytes) * blockBytes;
    for (let at = first; at < end; at += blockBytes) {
      const blockEnd = Math.min(at + blockBytes, this.#survey.sizeBytes);
      const bytes = await wholeBlock(this.#file, at, blockEnd);
      if (bytes.length < blockEnd - at) throw this.#shorter(at + bytes.length);
      await this.#check(at / blockBytes, bytes);
      yield bytes.subarray(Math.max(0, start - at), Math.min(bytes.length, end - at));
    }
  }

  /** For readers that take the file by its path: throws FILE_CHANGED unless the path still holds what was surveyed. */
  async check(): Promise<void> {
    const { version, name } = await this.#file.now();
    if (name !== "same") throw changed(this.#file.path, "it was removed or replaced while it was read");
    if (version === this.#survey.version) return;
    const { sizeBytes, hash } = this.#survey;
    const now = await surveyFile({ ...this.#file, sizeBytes, version }, [], () => {});
    if (now.hash !== hash) throw changed(this.#file.path, "its content was rewritten while it was read");
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** After the read: a file that is as it was now was so then. */
  async #check(block: number, bytes: Uint8Array): Promise<void> {
    const { path } = this.#file;
    const now = await this.#file.now();
    if (now.name !== "same") {
      const what = now.name === "gone" ? "was removed" : "was replaced by another file";
      this.#tell(now.name, `${path} ${what}; the content that was opened is read to its end`);
    }
    if (now.version === this.#survey.version) return;
    if (now.sizeBytes < this.#survey.sizeBytes) throw this.#shorter(now.sizeBytes);
    await this.#compare(block, bytes);
    const grown = now.sizeBytes - this.#survey.sizeBytes;
    if (grown > 0) this.#tell("grown", `${path} grew by ${grown} bytes while it was read; run again to read them`);
  }

  async #compare(block: number, bytes: Uint8Array): Promise<void> {
    if (this.#hash === undefined || this.#hashed > block) {
      this.#hash = createHash("sha256");
      this.#hashed = 0;
    }
    for (; this.#hashed < block; this.#hashed += 1) {
      const start = this.#hashed * blockBytes;
      this.#hash.update(await wholeBlock(this.#file, start, start + blockBytes));
    }
    this.#hash.update(bytes);
    this.#hashed += 1;
    const expected = this.#survey.digests[block];
    if (expected === undefined || !this.#hash.copy().digest().equals(expected)) {
      throw changed(this.#file.path, "its content was rewritten while it was read");
    }
  }

  #tell(what: string, text: string): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.#notice(text);
  }

  #shorter(sizeBytes: number): MillraceError {
    return changed(
      this.#file.path,
      `it became shorter, ${sizeBytes} of ${this.#survey.sizeBytes} bytes, while it was read`,
    );
  }
}

function changed(source: string, what: string): MillraceError {
  return new MillraceError("FILE_CHANGED", `${source} changed: ${what}`, {
    remedy:
      "What was committed stays. Put the earlier content back and run again to go on where it stopped; content that differs is read as a new file, from its start.",
    at: { source },
  });
}
