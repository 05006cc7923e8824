import type { SkipRest } from "./record-table.ts";

/**
 * A stream that ends before this many bytes gets as much memory as it has bytes. Memory for a whole batch each time cost
 * a small upload more than all the rest of reading it: every few of them set off a collection of everything.
 */
const shortBytes = 256 * 1024;

/**
 * The bytes of a stream that are looked at now. What is handed out is never written to again. A failure of the stream
 * is kept until all that came before it has been taken.
 */
export class ByteWindow {
  readonly #stream: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);
  /** Bytes read from the stream and not yet in `#held`. */
  #pending: Uint8Array = Buffer.alloc(0);
  #ended = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#stream = stream[Symbol.asyncIterator]();
  }

  get bytes(): Buffer {
    return this.#held;
  }

  /** Nothing comes behind `bytes`. */
  get ended(): boolean {
    return this.#ended && this.#pending.length === 0;
  }

  /** What the stream failed with behind `bytes`. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#pending.length === 0 ? this.#failure : undefined;
  }

  /** Reads until there are `size` bytes, or all there are; and then knows whether more come. */
  async fill(size: number): Promise<void> {
    if (this.#held.length < size && (await this.#pull())) {
      const pieces: Uint8Array[] = [this.#held];
      let length = this.#held.length;
      while (length < Math.min(size, shortBytes) && (await this.#pull())) {
        const piece = this.#take(size - length);
        pieces.push(piece);
        length += piece.length;
      }
      const room = Buffer.allocUnsafeSlow(length < shortBytes ? length : size);
      let filled = 0;
      for (const piece of pieces) {
        room.set(piece, filled);
        filled += piece.length;
      }
      while (filled < room.length && (await this.#pull())) {
        const piece = this.#take(room.length - filled);
        room.set(piece, filled);
        filled += piece.length;
      }
      this.#held = room.subarray(0, filled);
    }
    await this.#pull();
  }

  /** Drops `count` bytes from the front. */
  take(count: number): void {
    this.#held = this.#held.subarray(count);
  }

  /**
   * Drops what `rest` says belongs to a record, holding nothing. Resolves with the bytes and line ends dropped and
   * whether the record's end was found; throws what the stream failed with before that.
   */
  async skipRest(rest: SkipRest): Promise<{ readonly taken: number; readonly lines: number; readonly found: boolean }> {
    let taken = 0;
    let lines = 0;
    for (;;) {
      const step = rest(this.#held);
      this.take(step.taken);
      taken += step.taken;
      lines += step.lines;
      if (step.found) return { taken, lines, found: true };
      if (!(await this.#pull())) {
        if (this.#failure !== undefined) throw this.#failure.error;
        return { taken, lines, found: false };
      }
      this.#held = Buffer.from(this.#pending.buffer, this.#pending.byteOffset, this.#pending.length);
      this.#pending = this.#pending.subarray(this.#pending.length);
    }
  }

  /** Drops `count` bytes, holding nothing; fewer when the stream ends before. */
  async skip(count: number): Promise<number> {
    let left = count;
    for (;;) {
      const dropped = Math.min(left, this.#held.length);
      this.take(dropped);
      left -= dropped;
      if (left === 0 || !(await this.#pull())) break;
      this.#held = Buffer.from(this.#pending.buffer, this.#pending.byteOffset, this.#pending.length);
      this.#pending = this.#pending.subarray(this.#pending.length);
    }
    if (left > 0 && this.#failure !== undefined) throw this.#failure.error;
    return count - left;
  }

  async close(): Promise<void> {
    await this.#stream.return?.();
  }

  /** What is pending, `most` bytes of it at most. */
  #take(most: number): Uint8Array {
    const piece = this.#pending.subarray(0, most);
    this.#pending = this.#pending.subarray(piece.length);
    return piece;
  }

  /** Makes sure that something is pending. False at the end of the stream, or behind its failure. */
  async #pull(): Promise<boolean> {
    while (this.#pending.length === 0) {
      if (this.#ended || this.#failure !== undefined) return false;
      try {
        const step = await this.#stream.next();
        if (step.done === true) this.#ended = true;
        else this.#pending = step.value;
      } catch (error) {
        // Kept, not hidden: thrown once the bytes before it are taken.
        this.#failure = { error };
      }
    }
    return true;
  }
}
