import { addCounts, type Counts, isBalanced, noCounts } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";
import type { Change } from "../ports/transform.ts";
import type { RunEvent, RunSummary } from "./events.ts";

/** What a run has done so far. */
export class Tally {
  #counts: Counts = noCounts;
  #sizeBytes = 0;
  /** By step, column and kind: as many as a pipeline's steps have columns. */
  readonly #changes = new Map<string, Change>();
  #lanes = 0;
  #alreadyLoaded = 0;

  observe(event: RunEvent): void {
    if (event.event === "changes") for (const change of event.changes) this.#addChange(change);
    if (event.event !== "batch") return;
    this.#counts = addCounts(this.#counts, event.counts);
    this.#sizeBytes += event.sizeBytes;
  }

  #addChange(change: Change): void {
    const key = `${change.step}\0${change.column}\0${change.what}`;
    const before = this.#changes.get(key);
    const examples = [...(before?.examples ?? []), ...change.examples].slice(0, limit.examplesShown);
    this.#changes.set(key, { ...change, count: (before?.count ?? 0) + change.count, examples });
  }

  addLane(): void {
    this.#lanes += 1;
  }

  /** Records that earlier runs, or other processes meanwhile, had committed. */
  addLoaded(records: number): void {
    this.#alreadyLoaded += records;
  }

  summary(run: Pick<RunSummary, "table" | "interrupted" | "ms">): RunSummary {
    return {
      ...this.#counts,
      table: run.table,
      alreadyLoaded: this.#alreadyLoaded,
      balanced: isBalanced(this.#counts),
      interrupted: run.interrupted,
      changes: [...this.#changes.values()],
      lanes: this.#lanes,
      sizeBytes: this.#sizeBytes,
      ms: run.ms,
    };
  }
}
