import { addCounts, type Counts, noCounts } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";

/** A batch as figures need it. */
export interface FiguredBatch {
  readonly atMs: number;
  readonly source: string;
  readonly counts: Counts;
}

/** Entries of a sparkline, the newest last. */
export interface Spark {
  readonly rows: readonly number[];
  readonly rejects: readonly number[];
  readonly delayMs: readonly (number | null)[];
}

const sparkSeconds = 5;
/** Seconds that a rate is the mean of. */
const rateSeconds = 10;
const delaysOfBatch = 64;

/** What a pipeline did in the last minutes, second by second, in memory that does not grow. */
export class Figures {
  #last: FiguredBatch | undefined;
  #counts: Counts = noCounts;
  readonly #seconds = new Float64Array(limit.figureSeconds);
  readonly #rows = new Float64Array(limit.figureSeconds);
  readonly #rejects = new Float64Array(limit.figureSeconds);
  readonly #delaySums = new Float64Array(limit.figureSeconds);
  readonly #delayCounts = new Float64Array(limit.figureSeconds);
  /** Pairs of a time and a delay; the oldest give way. */
  readonly #delays = new Float64Array(2 * limit.figureDelays);
  #delayCount = 0;

  /** Since this process began. */
  get counts(): Counts {
    return this.#counts;
  }

  get last(): FiguredBatch | undefined {
    return this.#last;
  }

  add(batch: FiguredBatch): void {
    const { atMs, counts } = batch;
    this.#last = batch;
    this.#counts = addCounts(this.#counts, counts);
    const at = this.#place(atMs);
    if (at === undefined) return;
    this.#rows[at] = (this.#rows[at] ?? 0) + counts.loaded + counts.merged;
    this.#rejects[at] = (this.#rejects[at] ?? 0) + counts.rejected;
  }

  /** When the records of a batch that is committed now arrived; some of many stand for all. */
  addArrivals(nowMs: number, timesMs: Float64Array): void {
    const at = this.#place(nowMs);
    const step = Math.max(1, Math.ceil(timesMs.length / delaysOfBatch));
    for (let index = 0; index < timesMs.length; index += step) {
      const delay = Math.max(0, nowMs - (timesMs[index] ?? nowMs));
      const next = 2 * (this.#delayCount % limit.figureDelays);
      this.#delays[next] = nowMs;
      this.#delays[next + 1] = delay;
      this.#delayCount += 1;
      if (at === undefined) continue;
      this.#delaySums[at] = (this.#delaySums[at] ?? 0) + delay;
      this.#delayCounts[at] = (this.#delayCounts[at] ?? 0) + 1;
    }
  }

  rates(nowMs: number): { readonly rowsPerSecond: number; readonly rejectsPerSecond: number } {
    const now = Math.floor(nowMs / 1_000);
    return {
      rowsPerSecond: this.#sum(this.#rows, now - rateSeconds, now) / rateSeconds,
      rejectsPerSecond: this.#sum(this.#rejects, now - rateSeconds, now) / rateSeconds,
    };
  }

  delay(nowMs: number): { readonly p50: number; readonly p99: number } | null {
    const kept = Math.min(this.#delayCount, limit.figureDelays);
    const recent: number[] = [];
    for (let index = 0; index < kept; index += 1) {
      if ((this.#delays[2 * index] ?? 0) > nowMs - rateSeconds * 1_000) recent.push(this.#delays[2 * index + 1] ?? 0);
    }
    recent.sort((a, b) => a - b);
    const at = (share: number): number => Math.round(recent[Math.floor((recent.length - 1) * share)] ?? 0);
    return recent.length === 0 ? null : { p50: at(0.5), p99: at(0.99) };
  }

  spark(nowMs: number): Spark {
    const now = Math.floor(nowMs / 1_000 / sparkSeconds) * sparkSeconds + sparkSeconds;
    const count = limit.figureSeconds / sparkSeconds;
    const spans = Array.from({ length: count }, (_, index) => now - (count - index) * sparkSeconds);
    const sums = (of: Float64Array): number[] => spans.map((from) => this.#sum(of, from, from + sparkSeconds));
    const counts = sums(this.#delayCounts);
    return {
      rows: sums(this.#rows),
      rejects: sums(this.#rejects),
      delayMs: sums(this.#delaySums).map((sum, index) => {
        const of = counts[index] ?? 0;
        return of === 0 ? null : Math.round(sum / of);
      }),
    };
  }

  /** The place of a second, emptied when it was that of an earlier one; undefined for one that is too long ago. */
  #place(atMs: number): number | undefined {
    const second = Math.floor(atMs / 1_000);
    const at = second % limit.figureSeconds;
    const held = this.#seconds[at] ?? 0;
    if (held > second) return undefined;
    if (held < second) {
      this.#seconds[at] = second;
      for (const figures of [this.#rows, this.#rejects, this.#delaySums, this.#delayCounts]) figures[at] = 0;
    }
    return at;
  }

  /** Of the seconds from `from` to before `to`. */
  #sum(of: Float64Array, from: number, to: number): number {
    let sum = 0;
    for (let second = from; second < to; second += 1) {
      const at = ((second % limit.figureSeconds) + limit.figureSeconds) % limit.figureSeconds;
      if (this.#seconds[at] === second) sum += of[at] ?? 0;
    }
    return sum;
  }
}
