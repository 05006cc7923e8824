import { MillraceError } from "../../core/error.ts";
import { isBalanced } from "../../core/ledger.ts";
import { limit } from "../../core/limit.ts";
import type { Reason, Reject } from "../../core/reject.ts";
import type { SinkBatch, WriteResult } from "../../ports/sink.ts";
import type { ReadableRows } from "./copied-rows.ts";
import type { Inserted } from "./insert-rows.ts";
import type { Refusals } from "./refusals.ts";

/** A row that the table refuses, and why. */
export type Refusal = readonly [row: number, reason: Reason];

/** A batch as a unit takes it: of this process, or sent by another, which alone has the bytes of its rows. */
export interface UnitBatch extends Omit<SinkBatch, "rows" | "refuse"> {
  readonly rows: ReadableRows;
  /** The rejects of refused rows, in the order given. */
  refuse(refusals: readonly Refusal[]): Promise<readonly Reject[]>;
}

export function ownBatch(batch: SinkBatch): UnitBatch {
  return { ...batch, refuse: async (refusals) => refusals.map(([row, reason]) => batch.refuse(row, reason)) };
}

/** A batch as it was written, to be written again should DuckDB end the transaction. */
export interface Written {
  readonly batch: UnitBatch;
  readonly refusals: Refusals;
  /** Rejects of the rows refused here, in row order. */
  readonly refused: readonly Reject[];
  /** Those and the batch's own, in record order. */
  readonly rejects: readonly Reject[];
  readonly firstReject: bigint;
  readonly inserted: Inserted;
}

export async function refusedRejects(batch: UnitBatch, refusals: Refusals): Promise<readonly Reject[]> {
  if (refusals.size === 0) return [];
  return batch.refuse([...refusals].toSorted(([a], [b]) => a - b));
}

export function inRecordOrder(rejects: readonly Reject[]): Reject[] {
  return rejects.toSorted((a, b) => a.record - b.record);
}

export function resultOf({ refused, rejects, inserted }: Written): WriteResult {
  return { ...inserted, rejected: rejects.length, refused: refused.slice(0, limit.rejectsShown) };
}

/** Invariant 1. */
export function checkBalance({ batch, rejects, inserted }: Written): void {
  const counts = { read: batch.read, filtered: batch.filtered, rejected: rejects.length, ...inserted };
  if (isBalanced(counts)) return;
  const sum = `${counts.loaded} loaded, ${counts.merged} merged, ${counts.filtered} filtered, ${counts.rejected} rejected`;
  throw new MillraceError("NOT_BALANCED", `Of ${counts.read} records read there are ${sum}`, {
    remedy: "Nothing of this batch was written. Please report it.",
    at: { source: batch.source },
  });
}
