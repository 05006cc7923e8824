import type { JsonObject } from "./json.ts";

/** What became of the records of a batch. Invariant 1: read = loaded + merged + filtered + rejected. */
export interface Counts {
  readonly read: number;
  /** Rows that are new in the sink. */
  readonly loaded: number;
  /** Rows that changed or repeated one that was there, by key. */
  readonly merged: number;
  /** Records that a step dropped on purpose. */
  readonly filtered: number;
  readonly rejected: number;
}

export const noCounts: Counts = { read: 0, loaded: 0, merged: 0, filtered: 0, rejected: 0 };

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    read: a.read + b.read,
    loaded: a.loaded + b.loaded,
    merged: a.merged + b.merged,
    filtered: a.filtered + b.filtered,
    rejected: a.rejected + b.rejected,
  };
}

export function isBalanced(counts: Counts): boolean {
  return counts.read === counts.loaded + counts.merged + counts.filtered + counts.rejected;
}

/** One row of `millrace_ledger`: a committed batch. */
export interface LedgerEntry extends Counts {
  readonly batch: bigint;
  readonly pipeline: string;
  readonly lane: string;
  readonly epoch: number;
  /** All batches of one `millrace` process share a run. */
  readonly run: string;
  /** Version of the pipeline's definition: see `Definition`. */
  readonly version: string;
  readonly source: string;
  readonly table: string;
  readonly start: JsonObject;
  readonly end: JsonObject;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly committedAt: string;
}
