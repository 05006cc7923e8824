import type { Claim } from "../core/checkpoint.ts";
import type { Unit } from "../ports/sink.ts";
import type { Lane } from "../ports/source.ts";
import type { RunEvent } from "./events.ts";
import { claimAgain, type LaneServices, runLane } from "./lane-run.ts";
import { patiently, waitFor } from "./patience.ts";

export interface ClaimedLane {
  readonly lane: Lane;
  readonly claim: Claim;
}

/** One attempt at all lanes in one transaction. */
interface Attempt {
  readonly events: RunEvent[];
  /** Number of the last batch written. */
  batch: bigint | undefined;
}

/**
 * Reads the lanes to their ends and commits them in one transaction; with `replace` it first empties the table and
 * reads all lanes from their start. Nothing is reported before it is committed. A sink that goes away undoes all of it:
 * it is done once more then, unless only the answer to the commit was lost. Nothing is committed when `stop` aborts.
 */
export async function commitWhole(
  services: LaneServices,
  claimed: readonly ClaimedLane[],
  replace: boolean,
): Promise<void> {
  const { patience, sink } = services;
  const since = patience.context.now();
  let held = claimed;
  for (let number = 1; ; number += 1) {
    const attempt: Attempt = { events: [], batch: undefined };
    try {
      await writeAll(services, held, replace, attempt);
      return;
    } catch (error) {
      const lasted = patience.context.now() - since;
      if (sink.classify(error) !== "wait" || lasted > patience.totalMs) throw sink.explain(error);
      await waitFor(patience, error, number);
      held = await claimAllAgain(services, held, replace);
      if (await isCommitted(services, attempt)) {
        tell(services, attempt);
        return;
      }
    }
  }
}

async function writeAll(
  services: LaneServices,
  claimed: readonly ClaimedLane[],
  replace: boolean,
  attempt: Attempt,
): Promise<void> {
  const held = { ...services, onEvent: (event: RunEvent) => void attempt.events.push(event) };
  const unit = await services.sink.begin(services.target, { replace });
  try {
    const noted = notingBatches(unit, attempt);
    for (const { lane, claim } of claimed) await runLane(held, lane, claim, noted);
    if (services.stop.aborted) return;
    await unit.commit();
  } finally {
    await unit.rollback();
  }
  tell(services, attempt);
}

function notingBatches(unit: Unit, attempt: Attempt): Unit {
  return {
    write: (batch) => {
      attempt.batch = batch.batch;
      return unit.write(batch);
    },
    commit: () => unit.commit(),
    rollback: () => unit.rollback(),
  };
}

/** Once the lanes are claimed anew, an earlier transaction of this process has come to its end or never will. */
async function claimAllAgain(
  services: LaneServices,
  held: readonly ClaimedLane[],
  replace: boolean,
): Promise<ClaimedLane[]> {
  const again: ClaimedLane[] = [];
  for (const { lane, claim } of held) {
    const taken = await claimAgain(services, lane, claim);
    again.push({ lane, claim: replace ? { ...taken, position: lane.initial } : taken });
  }
  return again;
}

/** The commit had arrived although its answer was lost. The ledger knows: no number is used for two batches. */
async function isCommitted({ sink, patience }: LaneServices, { batch }: Attempt): Promise<boolean> {
  if (batch === undefined) return false;
  const entries = await patiently(patience, () => sink.records.ledger({ batch, limit: 1 }));
  return entries.length > 0;
}

function tell(services: LaneServices, { events }: Attempt): void {
  for (const event of events) services.onEvent(event);
}
