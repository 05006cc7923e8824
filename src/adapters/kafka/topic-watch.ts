import { retryPauseMs } from "../../core/retry.ts";
import { pauseUnlessAborted, type Time } from "../../core/time.ts";
import type { Cluster } from "./cluster.ts";

/** The shortest time between two looks. */
const spacingMs = 100;

/**
 * Looks the topic up again when somebody finds that it is not as it was: leaders change, partitions are added. All who
 * want that share one look, and hear of its end.
 */
export class TopicWatch {
  readonly #cluster: Cluster;
  readonly #time: Time;
  readonly #listeners = new Set<() => void>();
  readonly #ending = new AbortController();
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  /** Why the last look failed; undefined when it did not. */
  error: unknown;
  /** Since when the topic is not found, in ms since 1970; undefined when it is there, or nobody knows. */
  missingSince: number | undefined;

  constructor(cluster: Cluster, time: Time) {
    this.#cluster = cluster;
    this.#time = time;
  }

  /** Asks for a look; one that is under way is as good. */
  want(): void {
    if (!this.#ending.signal.aborted) this.#looking ??= this.#look();
  }

  /** Asks for a look when the last one is older than that. */
  wantAfter(ms: number): void {
    if (this.#time.now() - this.#lookedAt >= ms) this.want();
  }

  /** Calls back after every look, until the function that it returns is called. */
  listen(heard: () => void): () => void {
    this.#listeners.add(heard);
    return () => {
      this.#listeners.delete(heard);
    };
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const pauseMs = this.#failures > 0 ? Math.min(1_000, retryPauseMs(this.#failures, Math.random())) : spacingMs;
    const leftMs = this.#lookedAt + pauseMs - this.#time.now();
    if (leftMs > 0) await pauseUnlessAborted(leftMs, this.#time, this.#ending.signal);
    if (!this.#ending.signal.aborted) await this.#ask();
    this.#looking = undefined;
    for (const heard of this.#listeners) heard();
  }

  async #ask(): Promise<void> {
    try {
      const view = await this.#cluster.look();
      this.#failures = 0;
      this.error = undefined;
      this.missingSince = view === undefined ? (this.missingSince ?? this.#time.now()) : undefined;
    } catch (error) {
      this.#failures += 1;
      this.error = error;
    }
    this.#lookedAt = this.#time.now();
  }
}
