import { limit } from "../core/limit.ts";
import type { Sink } from "../ports/sink.ts";

/** Who asks all the time waits for no look: the next one is under way while the last is still good for as long again. */
const goodMs = 2 * limit.insightVersionMs;

/**
 * The version of a set of tables: a number that is another one once rows of any of them were committed, by whomever.
 * Commits of this process are told by `changed`; those of others stand in the ledger, which is looked at no more often
 * than every `limit.insightVersionMs`, and only when somebody asks.
 */
export class TableVersion {
  readonly tables: readonly string[];
  readonly #sink: Sink;
  readonly #now: () => number;
  #number = 0;
  #seen: string | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;

  constructor(tables: readonly string[], sink: Sink, now: () => number) {
    this.tables = tables;
    this.#sink = sink;
    this.#now = now;
  }

  /** As far as is known. Taken before a query it is never newer than the rows that the query sees. */
  get number(): number {
    return this.#number;
  }

  /** Whether `number` may be gone by without waiting. Begins to look ahead when the last look is getting old. */
  isFresh(): boolean {
    const nowMs = this.#now();
    if (!this.#looked(nowMs, goodMs)) return false;
    if (!this.#looked(nowMs, limit.insightVersionMs)) this.#lookAhead();
    return true;
  }

  /** Resolves when `number` is fresh for who calls now. Rejects with the sink's error. */
  async refresh(): Promise<void> {
    if (this.isFresh()) return;
    const askedMs = this.#now();
    await this.#look();
    // It was one that others had begun too long ago: what was committed since may be missing. The next begins after it.
    if (!this.#looked(askedMs, goodMs)) await this.#look();
  }

  changed(): void {
    this.#number += 1;
  }

  /** Whether the last look began within `ageMs` before `ms`. One from the future is of a clock that was set back. */
  #looked(ms: number, ageMs: number): boolean {
    return this.#lookedAtMs > ms - ageMs && this.#lookedAtMs <= this.#now();
  }

  #lookAhead(): void {
    if (this.#looking !== undefined) return;
    this.#look().catch(() => undefined); // Once the last look is too old, who asks looks for himself, and is told.
  }

  #look(): Promise<void> {
    this.#looking ??= this.#readLedger().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #readLedger(): Promise<void> {
    const beganMs = this.#now();
    try {
      const seen = await this.#batches();
      if (seen !== this.#seen) this.#number += 1;
      this.#seen = seen;
      this.#lookedAtMs = beganMs;
    } catch (error) {
      throw this.#sink.explain(error);
    }
  }

  /** Several of the newest: of lanes that are read at once the one with the lower batch may commit later. */
  async #batches(): Promise<string> {
    const { records } = this.#sink;
    const newest = (table: string) => records.ledger({ table, limit: limit.insightVersionBatches });
    const entries = await Promise.all(this.tables.map(newest));
    return entries.map((ofTable) => ofTable.map(({ batch }) => batch).join(" ")).join("\n");
  }
}
