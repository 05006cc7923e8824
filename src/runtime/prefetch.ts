import { limit } from "../core/limit.ts";

interface Sizes {
  readonly bytes: number;
  readonly records: number;
}

/** Bounds of one batch. */
interface Bounds {
  readonly rows: number;
  readonly bytes: number;
}

/** What each message is worth for the average, the newest ones counting most. */
const share = 1 / 16;

/**
 * How many messages a lane of a queue should hold: about two batches of what came lately, so that one is prepared while
 * another commits, and no more, as a broker bounds messages by their number and memory knows bytes. It begins with one,
 * and grows by degrees. While messages come that have come back often it stays at one: which of them ends the process
 * shows only when it is worked on alone.
 */
export class Prefetch {
  readonly #bounds: Bounds;
  readonly #max: number;
  #mean: Sizes | undefined;
  #isCareful = false;
  #count = 1;

  constructor(bounds: Bounds, max: number) {
    this.#bounds = bounds;
    this.#max = max;
  }

  /** What is asked for now. */
  get count(): number {
    return this.#count;
  }

  note({ bytes, records }: Sizes, attempts: number): void {
    this.#isCareful = attempts >= limit.queueCarefulAttempts;
    const mean = this.#mean ?? { bytes, records };
    this.#mean = {
      bytes: mean.bytes + (bytes - mean.bytes) * share,
      records: mean.records + (records - mean.records) * share,
    };
  }

  /** The number to ask for, where that is another one by so much that asking is worth it. */
  change(): number | undefined {
    const wanted = this.#wanted();
    if (wanted === this.#count || (wanted > this.#count / 2 && wanted < this.#count * 2)) return undefined;
    this.#count = wanted;
    return wanted;
  }

  #wanted(): number {
    const mean = this.#mean;
    if (mean === undefined || this.#isCareful) return 1;
    const { rows, bytes } = this.#bounds;
    const batch = Math.min(rows / Math.max(mean.records, 1), bytes / Math.max(mean.bytes, 1));
    return Math.max(Math.min(2 * Math.ceil(batch), this.#count * 16, this.#max), Math.min(2, this.#max));
  }
}
