import type { AdapterContext } from "../ports/adapter.ts";
import type { KeptRecord } from "../ports/log.ts";

/** When a batch is full, and how long it may wait to become so. */
export interface BatchBounds {
  readonly rows: number;
  readonly bytes: number;
  readonly lingerMs: number;
  /** Whether a batch is to go as it is, as nothing more comes before it does. Never when absent. */
  readonly isEnough?: () => boolean;
}

/**
 * Cuts a stream of records into batches: one is ready when it is full, or `lingerMs` after its first record came, or
 * when the stream ends. What is over stands in the next one.
 */
export class LogBatches {
  readonly #stream: AsyncIterator<readonly KeptRecord[]>;
  readonly #bounds: BatchBounds;
  readonly #context: Pick<AdapterContext, "pause">;
  /** The piece that was asked for and has not been taken. */
  #asked: Promise<IteratorResult<readonly KeptRecord[]>> | undefined;
  #rest: readonly KeptRecord[] = [];
  #ended = false;
  /** What the stream failed with behind the records of a batch that was still handed out. */
  #failure: { readonly error: unknown } | undefined;

  constructor(
    stream: AsyncIterable<readonly KeptRecord[]>,
    bounds: BatchBounds,
    context: Pick<AdapterContext, "pause">,
  ) {
    this.#stream = stream[Symbol.asyncIterator]();
    this.#bounds = bounds;
    this.#context = context;
  }

  /** The next batch, not empty; undefined at the end of the stream. */
  async next(): Promise<readonly KeptRecord[] | undefined> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const batch: KeptRecord[] = [];
    let bytes = 0;
    let lingering: { readonly over: Promise<"over">; readonly end: () => void } | undefined;
    try {
      for (;;) {
        const taken = this.#take(batch, bytes);
        bytes += taken.bytes;
        if (taken.isFull || (this.#ended && this.#rest.length === 0)) break;
        if (batch.length > 0 && this.#bounds.isEnough?.() === true) break;
        if (batch.length > 0) lingering ??= this.#linger();
        if ((await this.#more(lingering?.over)) === "over") break;
      }
    } catch (error) {
      if (batch.length === 0) throw error;
      this.#failure = { error };
    } finally {
      lingering?.end();
    }
    return batch.length === 0 ? undefined : batch;
  }

  /** Lets the stream go. */
  async close(): Promise<void> {
    this.#ended = true;
    // What is being asked for ends when the stream's own signal aborts; its failure is of no interest any more.
    await this.#asked?.catch(() => undefined);
    await this.#stream.return?.();
  }

  #take(batch: KeptRecord[], before: number): { readonly bytes: number; readonly isFull: boolean } {
    let bytes = 0;
    let count = 0;
    let isFull = false;
    for (const record of this.#rest) {
      if (
        batch.length > 0 &&
        (batch.length >= this.#bounds.rows || before + bytes + record.value.length > this.#bounds.bytes)
      ) {
        isFull = true;
        break;
      }
      batch.push(record);
      bytes += record.value.length;
      count += 1;
    }
    this.#rest = this.#rest.slice(count);
    return { bytes, isFull: isFull || batch.length >= this.#bounds.rows || before + bytes >= this.#bounds.bytes };
  }

  async #more(over: Promise<"over"> | undefined): Promise<"over" | "more"> {
    this.#asked ??= this.#ask();
    const first = await (over === undefined ? this.#asked : Promise.race([this.#asked, over]));
    if (first === "over") return "over";
    this.#asked = undefined;
    if (first.done === true) this.#ended = true;
    else this.#rest = first.value;
    return "more";
  }

  #ask(): Promise<IteratorResult<readonly KeptRecord[]>> {
    const asked = this.#stream.next();
    asked.catch(() => undefined); // awaited by the next call: it must not count as unhandled before
    return asked;
  }

  #linger(): { readonly over: Promise<"over">; readonly end: () => void } {
    const stop = new AbortController();
    const over = this.#context.pause(this.#bounds.lingerMs, stop.signal).then(
      () => "over" as const,
      (error: unknown) => {
        if (stop.signal.aborted) return "over" as const;
        throw error;
      },
    );
    return { over, end: () => stop.abort() };
  }
}
