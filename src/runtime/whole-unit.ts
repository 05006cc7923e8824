import type { Claim } from "../core/checkpoint.ts";
import type { Unit } from "../ports/sink.ts";
import type { Lane } from "../ports/source.ts";
import type { RunEvent } from "./events.ts";
import {
  claimAgain,
  claimLane,
  claimUnlessDone,
  isFenced,
  type LaneCount,
  nothingCounted,
  untilOthersStop,
} from "./lane-claim.ts";
import { runLane } from "./lane-run.ts";
import type { LaneServices } from "./lane-services.ts";
import { patiently } from "./patience.ts";

interface ClaimedLane {
  readonly lane: Lane;
  readonly claim: Claim;
}

/** One attempt at all lanes in one transaction. */
interface Attempt {
  readonly events: RunEvent[];
  /** Number of the last batch written. */
  batch: bigint | undefined;
  /** Why the sink did not take a batch. */
  refusal: { readonly error: unknown } | undefined;
}

/** How far an attempt came: only what is read to its end is committed. */
interface Reading {
  readonly isEnded: boolean;
  /** Why not, when it is not the sink's doing. */
  readonly failure?: { readonly error: unknown };
}

/**
 * Takes a lane and reads it in one transaction, even when an earlier run had split it. If another process takes it,
 * watches it, and takes it back if it stands still.
 */
export async function readWhole(services: LaneServices, lane: Lane): Promise<void> {
  const counts = new Map<string, LaneCount>();
  for (let times = 0; !services.stop.aborted; times += 1) {
    const claimed = await claimWhole(services, lane, counts);
    try {
      if (claimed.length > 0) await commitWhole(services, claimed, false);
      return;
    } catch (error) {
      if (!isFenced(error)) throw error;
    }
    for (const taken of claimed) await untilOthersStop(services, taken.lane, times);
  }
}

/** The lane, or the parts of it, that are not read to their end. */
async function claimWhole(services: LaneServices, lane: Lane, counts: Map<string, LaneCount>): Promise<ClaimedLane[]> {
  const claimed: ClaimedLane[] = [];
  const take = async (one: Lane): Promise<readonly Lane[]> => {
    const count = counts.get(one.id) ?? nothingCounted(one);
    counts.set(one.id, count);
    const claim = await claimUnlessDone(services, one, count);
    if (claim === undefined) return [];
    const parts = services.source.divide(one, claim.position);
    if (parts === undefined) claimed.push({ lane: one, claim });
    return parts ?? [];
  };
  for (const part of await take(lane)) await take(part);
  return claimed;
}

/** Takes the lanes and reads them from their start in one transaction that first empties the table. */
export async function replaceAll(services: LaneServices, lanes: readonly Lane[]): Promise<void> {
  const claimed: ClaimedLane[] = [];
  for (const lane of lanes) {
    const claim = await claimLane(services, lane);
    // What an earlier load of this content left is about to be removed.
    claimed.push({ lane, claim: { ...claim, position: lane.initial } });
    services.tally.addLane();
  }
  await commitWhole(services, claimed, true);
}

/**
 * Reads the lanes to their ends and commits them in one transaction. Nothing is reported before it is committed. A sink
 * that goes away undoes all of it: it is done once more then, unless only the answer to the commit was lost. Nothing is
 * committed when `stop` aborts before all is read.
 */
async function commitWhole(services: LaneServices, claimed: readonly ClaimedLane[], replace: boolean): Promise<void> {
  let held = claimed;
  let attempt: Attempt | undefined;
  const { isEnded, failure } = await patiently(services.patience, async () => {
    if (attempt !== undefined) {
      held = await claimAllAgain(services, held, replace);
      if (await isCommitted(services, attempt)) return { isEnded: true };
    }
    const next: Attempt = { events: [], batch: undefined, refusal: undefined };
    attempt = next;
    return services.units.hold(() => writeAll(services, held, replace, next));
  });
  if (failure !== undefined) throw failure.error;
  if (isEnded) tell(services, claimed, attempt?.events ?? []);
}

async function writeAll(
  services: LaneServices,
  claimed: readonly ClaimedLane[],
  replace: boolean,
  attempt: Attempt,
): Promise<Reading> {
  const unit = await services.sink.begin(services.target, { replace });
  try {
    const reading = await readAll(services, claimed, notingUnit(unit, attempt), attempt);
    if (reading.isEnded) await unit.commit();
    return reading;
  } finally {
    await unit.rollback();
  }
}

/** Rejects with the sink's failures alone, which may pass; a source does not come back by waiting for the sink. */
async function readAll(
  services: LaneServices,
  claimed: readonly ClaimedLane[],
  unit: Unit,
  attempt: Attempt,
): Promise<Reading> {
  const held = { ...services, onEvent: (event: RunEvent) => void attempt.events.push(event) };
  try {
    for (const { lane, claim } of claimed) {
      if (!(await runLane(held, lane, claim, unit))) return { isEnded: false };
    }
    return { isEnded: true };
  } catch (error) {
    if (error === attempt.refusal?.error) throw error;
    return { isEnded: false, failure: { error } };
  }
}

function notingUnit(unit: Unit, attempt: Attempt): Unit {
  return {
    write: async (batch) => {
      attempt.batch = batch.batch;
      try {
        return await unit.write(batch);
      } catch (error) {
        attempt.refusal = { error };
        throw error;
      }
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

function tell(services: LaneServices, claimed: readonly ClaimedLane[], events: readonly RunEvent[]): void {
  for (const event of events) services.onEvent(event);
  for (const { lane } of claimed) services.onEvent({ event: "laneDone", source: lane.source, alreadyLoaded: 0 });
}
