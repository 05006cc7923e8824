import { describe, expect, it } from "vitest";
import type { KeptRecord } from "../../src/ports/log.ts";
import { type BatchBounds, LogBatches } from "../../src/runtime/log-batches.ts";

const record = (offset: number, size = 10): KeptRecord => ({
  offset: BigInt(offset),
  value: Buffer.alloc(size),
  timeMs: 0,
});

/** A stream that is fed by hand. */
class Feed {
  readonly #waiting: ((piece: IteratorResult<readonly KeptRecord[]>) => void)[] = [];
  readonly #pieces: IteratorResult<readonly KeptRecord[]>[] = [];

  give(...offsets: readonly number[]): void {
    this.#put({ done: false, value: offsets.map((offset) => record(offset)) });
  }

  end(): void {
    this.#put({ done: true, value: undefined });
  }

  #put(piece: IteratorResult<readonly KeptRecord[]>): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#pieces.push(piece);
    else next(piece);
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly KeptRecord[]> {
    return {
      next: () => {
        const piece = this.#pieces.shift();
        return piece === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(piece);
      },
    };
  }
}

/** A clock whose pauses end when told. */
class Pauses {
  readonly #ends: (() => void)[] = [];
  readonly asked: number[] = [];

  pause = (ms: number, signal?: AbortSignal): Promise<void> => {
    this.asked.push(ms);
    return new Promise((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(new Error("aborted")));
      this.#ends.push(resolve);
    });
  };

  pass(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

const roomy: BatchBounds = { rows: 100, bytes: 10_000, lingerMs: 200 };
const offsets = (batch: readonly KeptRecord[] | undefined): number[] =>
  (batch ?? []).map(({ offset }) => Number(offset));

describe("batches of a log", () => {
  it("are full by rows, and what is over stands in the next", async () => {
    const feed = new Feed();
    const batches = new LogBatches(feed, { ...roomy, rows: 3 }, new Pauses());
    feed.give(1, 2, 3, 4, 5, 6, 7);
    feed.end();
    expect(offsets(await batches.next())).toEqual([1, 2, 3]);
    expect(offsets(await batches.next())).toEqual([4, 5, 6]);
    expect(offsets(await batches.next())).toEqual([7]);
    expect(await batches.next()).toBeUndefined();
  });

  it("are full by bytes, one record at least", async () => {
    const feed = new Feed();
    const batches = new LogBatches(feed, { ...roomy, bytes: 25 }, new Pauses());
    feed.give(1, 2, 3);
    feed.end();
    expect(offsets(await batches.next())).toEqual([1, 2]);
    expect(offsets(await batches.next())).toEqual([3]);
    const one = new LogBatches(feed, { ...roomy, bytes: 5 }, new Pauses());
    feed.give(4, 5);
    expect(offsets(await one.next())).toEqual([4]);
  });

  it("wait for others from their first record on, and no longer", async () => {
    const feed = new Feed();
    const pauses = new Pauses();
    const batches = new LogBatches(feed, roomy, pauses);
    const first = batches.next();
    feed.give(1);
    feed.give(2);
    await new Promise((resolve) => setImmediate(resolve));
    pauses.pass();
    expect(offsets(await first)).toEqual([1, 2]);
    expect(pauses.asked).toEqual([200]);
    // What comes behind is not lost.
    feed.give(3);
    feed.end();
    expect(offsets(await batches.next())).toEqual([3]);
  });

  it("end when the stream ends, without waiting", async () => {
    const feed = new Feed();
    const batches = new LogBatches(feed, roomy, new Pauses());
    feed.give(1);
    feed.end();
    expect(offsets(await batches.next())).toEqual([1]);
    expect(await batches.next()).toBeUndefined();
  });

  it("are handed out before a failure behind them, which is not forgotten", async () => {
    const stream = async function* (): AsyncGenerator<readonly KeptRecord[], void> {
      yield [record(1), record(2)];
      throw new Error("gone");
    };
    const batches = new LogBatches(stream(), roomy, new Pauses());
    expect(offsets(await batches.next())).toEqual([1, 2]);
    await expect(batches.next()).rejects.toThrow("gone");
    await expect(batches.next()).rejects.toThrow("gone");
  });

  it("hand on what the stream fails with, behind what came before", async () => {
    const stream = async function* (): AsyncGenerator<readonly KeptRecord[], void> {
      yield [record(1)];
      throw new Error("away");
    };
    const batches = new LogBatches(stream(), { ...roomy, rows: 1 }, new Pauses());
    expect(offsets(await batches.next())).toEqual([1]);
    await expect(batches.next()).rejects.toThrow("away");
  });
});
