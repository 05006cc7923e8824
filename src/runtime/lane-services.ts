import type { Counts } from "../core/ledger.ts";
import type { Reject } from "../core/reject.ts";
import type { Rows } from "../ports/rows.ts";
import type { BatchChecker } from "../engine/batch.ts";
import type { Sink, Target } from "../ports/sink.ts";
import type { KnownLanes, RawBatch, Source } from "../ports/source.ts";
import type { OnEvent } from "./events.ts";
import { type Patience, patiently } from "./patience.ts";
import type { Slots } from "./slots.ts";
import type { Tally } from "./tally.ts";

/** A batch that is committed. */
export interface CommittedBatch {
  readonly source: string;
  readonly counts: Counts;
  readonly raw: RawBatch;
  /** Valid until the watcher is done. */
  readonly rows: Rows;
}

/** Who looks at batches beside the sink. The lane waits for it; what it throws ends the run. */
export interface BatchWatch {
  /** All rejects of a batch that is about to be committed; once more when the commit has to be done again. */
  rejected?(rejects: readonly Reject[], source: string): Promise<void>;
  committed?(batch: CommittedBatch): Promise<void>;
}

/** What all batches of a run share on their way into the sink. */
export interface SinkServices {
  readonly sink: Sink;
  readonly target: Target;
  readonly run: string;
  readonly version: string;
  readonly patience: Patience;
  readonly onEvent: OnEvent;
  /** Units that may be open at once: `SinkFacts.unitsMax`. */
  readonly units: Slots;
  readonly watch?: BatchWatch;
  openChecker(lane?: string): Promise<BatchChecker>;
}

/** What all lanes of a run share. */
export interface LaneServices extends SinkServices {
  readonly source: Source;
  readonly tally: Tally;
  /** Aborts when the run should stop after the batch at hand. */
  readonly stop: AbortSignal;
}

/** Reads a lane when there is a slot for one more: lanes at work share the memory budget. */
export type HoldLane = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** What the sink of a run knows of earlier lanes. */
export function knownLanes({ sink, target, patience }: Pick<SinkServices, "sink" | "target" | "patience">): KnownLanes {
  return {
    get: (lane) => patiently(patience, () => sink.checkpoint(target.pipeline, lane)),
    of: (source) => patiently(patience, () => sink.records.checkpoints(target.pipeline, source)),
  };
}

/** Of a source that is read for the first time, or apart from any sink. */
export const nothingKnown: KnownLanes = { get: async () => undefined, of: async () => [] };
