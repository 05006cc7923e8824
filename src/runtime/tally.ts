import { addCounts, type Counts, isBalanced, noCounts } from "../core/ledger.ts";
import type { RunEvent, RunSummary } from "./events.ts";

/** What a run has done so far. */
export class Tally {
  #counts: Counts = noCounts;
  #sizeBytes = 0;
  #lanes = 0;
  #alreadyLoaded = 0;

  observe(event: RunEvent): void {
    if (event.event !== "batch") return;
    this.#counts = addCounts(this.#counts, event.counts);
    this.#sizeBytes += event.sizeBytes;
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
      lanes: this.#lanes,
      sizeBytes: this.#sizeBytes,
      ms: run.ms,
    };
  }
}
