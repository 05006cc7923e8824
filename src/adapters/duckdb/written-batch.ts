import { MillraceError } from "../../core/error.ts";
import { isBalanced } from "../../core/ledger.ts";
import { limit } from "../../core/limit.ts";
import type { Reject } from "../../core/reject.ts";
import type { SinkBatch, WriteResult } from "../../ports/sink.ts";
import type { Inserted } from "./insert-rows.ts";
import type { Refusals } from "./refusals.ts";

/** A batch as it was written, to be written again should DuckDB end the transaction. */
export interface Written {
  readonly batch: SinkBatch;
  readonly refusals: Refusals;
  readonly rejects: readonly Reject[];
  readonly firstReject: bigint;
  readonly inserted: Inserted;
}

/** The batch's own rejects and those of the rows refused here, in record order. */
export function rejectsOf(batch: SinkBatch, refusals: Refusals): Reject[] {
  const refused = [...refusals].map(([row, reason]) => batch.refuse(row, reason));
  return [...batch.rejects, ...refused].toSorted((a, b) => a.record - b.record);
}

export function resultOf({ batch, refusals, rejects, inserted }: Written): WriteResult {
  const shownRows = [...refusals].toSorted(([a], [b]) => a - b).slice(0, limit.rejectsShown);
  return {
    ...inserted,
    rejected: rejects.length,
    refused: shownRows.map(([row, reason]) => batch.refuse(row, reason)),
  };
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
