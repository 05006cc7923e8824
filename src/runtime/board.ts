import { limit } from "../core/limit.ts";
import type { RunEvent } from "./events.ts";
import { Figures } from "./figures.ts";
import type { BatchWatch } from "./lane-services.ts";

/** What this process has seen of a pipeline. */
export class Seen {
  readonly figures = new Figures();
  /** Bytes of each claimed lane that are not committed yet; bounded like everything that grows. */
  readonly #left = new Map<string, number>();

  get leftBytes(): number {
    let sum = 0;
    for (const bytes of this.#left.values()) sum += Math.max(0, bytes);
    return sum;
  }

  observe(event: RunEvent, nowMs: number): void {
    if (event.event === "lane" && event.sizeBytes !== undefined && this.#left.size < limit.lanesShown)
      this.#left.set(event.source, event.sizeBytes);
    if (event.event === "laneDone") this.#left.delete(event.source);
    if (event.event !== "batch") return;
    const { source, counts, sizeBytes } = event;
    const left = this.#left.get(source);
    if (left !== undefined) this.#left.set(source, left - sizeBytes);
    this.figures.add({ atMs: nowMs, source, counts });
  }
}

/** What this process has seen of its pipelines: as many as a service has. */
export class Board {
  readonly #now: () => number;
  readonly #seen = new Map<string, Seen>();

  constructor(now: () => number) {
    this.#now = now;
  }

  of(pipeline: string): Seen {
    const known = this.#seen.get(pipeline);
    if (known !== undefined) return known;
    const seen = new Seen();
    this.#seen.set(pipeline, seen);
    return seen;
  }

  observe(pipeline: string, event: RunEvent): void {
    this.of(pipeline).observe(event, this.#now());
  }

  /** The same watch, which also tells when the records of a committed batch had arrived. */
  watching(pipeline: string, watch: BatchWatch): BatchWatch {
    const { figures } = this.of(pipeline);
    return {
      rejected: async (rejects, source) => watch.rejected?.(rejects, source),
      committed: async (batch) => {
        const { timesMs } = batch.raw;
        if (timesMs !== undefined) figures.addArrivals(this.#now(), timesMs);
        await watch.committed?.(batch);
      },
    };
  }
}
