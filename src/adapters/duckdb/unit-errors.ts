import { MillraceError } from "../../core/error.ts";
import type { Target } from "../../ports/sink.ts";
import type { UnitBatch } from "./written-batch.ts";

export function fenced(batch: UnitBatch): MillraceError {
  return new MillraceError(
    "FENCED",
    `The lane ${batch.claim.source} was taken over at an epoch above ${batch.claim.epoch}`,
    {
      remedy: "Nothing is lost: the new owner goes on from the last commit.",
      at: { source: batch.source },
    },
  );
}

export function over(): MillraceError {
  return new MillraceError("INTERNAL", "The unit is over: it has failed or was ended", {
    remedy: "Roll it back and begin another.",
  });
}

export function changedMeanwhile(target: Target): MillraceError {
  return new MillraceError("SINK_BUSY", `The table "${target.table}" was changed while the unit was written again`, {
    remedy: "Try again; let nothing else write to the table meanwhile.",
    at: { table: target.table },
  });
}
