import { setMaxListeners } from "node:events";

/**
 * Lanes at work at the same time. The first failure asks the others to stop after their batch at hand, and is told when
 * all have ended: nothing is closed under a lane that still works.
 */
export class LaneCrew {
  /** Aborts when the run is to stop, or a lane has failed. */
  readonly signal: AbortSignal;
  readonly #failing = new AbortController();
  readonly #working = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(stop: AbortSignal) {
    this.signal = AbortSignal.any([stop, this.#failing.signal]);
    // Every lane that waits listens to it.
    setMaxListeners(0, this.signal);
  }

  /** Lanes at work. */
  get size(): number {
    return this.#working.size;
  }

  /** Begins `work`; when it fails, `end` tells. */
  begin(work: () => Promise<void>): void {
    // Never rejects, see below.
    this.#add(work).catch(() => undefined);
  }

  /** Begins all of `works` and resolves when they have ended, also when one has failed, which `end` tells. */
  async all(works: readonly (() => Promise<void>)[]): Promise<void> {
    await Promise.all(works.map((work) => this.#add(work)));
  }

  async oneEnded(): Promise<void> {
    await Promise.race(this.#working);
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#failing.abort();
  }

  /** Resolves when no lane works any more; rejects then with the first failure. */
  async end(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** The promise resolves however the work ends. */
  #add(work: () => Promise<void>): Promise<void> {
    const task: Promise<void> = work()
      .catch((error: unknown) => this.fail(error))
      .finally(() => this.#working.delete(task));
    this.#working.add(task);
    return task;
  }
}
