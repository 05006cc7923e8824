import type { Claim, Position } from "../core/checkpoint.ts";
import { MillraceError } from "../core/error.ts";
import type { Counts } from "../core/ledger.ts";
import { isBalanced } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";
import type { Reject } from "../core/reject.ts";
import type { BatchChecker, CheckedBatch } from "../engine/batch.ts";
import { RepeatedMessages, type SinkBatch, type Unit, type WriteResult } from "../ports/sink.ts";
import type { Lane, LaneReader, RawBatch } from "../ports/source.ts";
import { claimAgain, fenced } from "./lane-claim.ts";
import type { LaneServices, SinkServices } from "./lane-services.ts";
import { patiently } from "./patience.ts";
import { type Checked, idsOf, withoutRepeats } from "./repeats.ts";

/** A batch read, checked and ready to be written. */
export interface Prepared extends Checked {
  readonly batch: bigint;
  readonly startedAt: string;
  /** Rejects that it sends again: see `SinkBatch.replays`. */
  readonly replays?: readonly bigint[];
}

/**
 * Reads the lane from the claim's position to its end, or until `stop`: resolves with whether it came to the end. The
 * next batch is prepared while one commits. With `unit` all batches are written to it and the caller commits; else each
 * batch is a unit of its own. Throws FENCED when another process has claimed the lane; what was committed before stays.
 */
export async function runLane(services: LaneServices, lane: Lane, claim: Claim, unit?: Unit): Promise<boolean> {
  // What is being prepared must wait neither for records nor for the sink any longer once this lane has failed.
  const leaving = new AbortController();
  const { patience } = services;
  const preparing = {
    ...services,
    patience: { ...patience, signal: AbortSignal.any([patience.signal, leaving.signal]) },
  };
  const checker = await services.openChecker(lane.id);
  try {
    const reader = await services.source.open(lane, claim.position, AbortSignal.any([services.stop, leaving.signal]));
    try {
      const next = (): Promise<Prepared | undefined> => prepare(preparing, reader, checker);
      const settle = async (position: Position): Promise<void> => reader.settle?.(position);
      return await commitBatches(services, lane, claim, { unit, next, settle, leaving });
    } finally {
      await reader.close();
    }
  } finally {
    checker.close();
  }
}

interface Committing {
  /** That all batches are written to, where they are committed together. */
  readonly unit: Unit | undefined;
  next(): Promise<Prepared | undefined>;
  settle(position: Position): Promise<void>;
  /** Aborts when what is being prepared is of no use any more. */
  readonly leaving: AbortController;
}

async function commitBatches(
  services: LaneServices,
  lane: Lane,
  claim: Claim,
  committing: Committing,
): Promise<boolean> {
  const { unit, leaving } = committing;
  const next = (): Promise<Prepared | undefined> => committing.next();
  let ahead: Promise<Prepared | undefined> | undefined = next();
  try {
    let held = claim;
    while (ahead !== undefined) {
      const current: Prepared | undefined = await ahead;
      if (current === undefined) return true;
      ahead = services.stop.aborted ? undefined : next();
      ahead?.catch(() => undefined); // awaited in the next round: it must not count as unhandled meanwhile
      held = await commitBatch(services, lane, held, current, unit);
      if (unit === undefined) await committing.settle(current.raw.end);
    }
    return false;
  } catch (error) {
    leaving.abort();
    await ahead?.then(
      (prepared) => prepared?.checked.release(),
      () => undefined,
    ); // the first failure is the one to tell
    throw error;
  }
}

async function prepare(
  services: SinkServices,
  reader: LaneReader,
  checker: BatchChecker,
): Promise<Prepared | undefined> {
  const startedAt = timeNow(services);
  const raw = await reader.next();
  return raw === undefined ? undefined : prepareBatch(services, checker, raw, startedAt);
}

export const timeNow = ({ patience }: SinkServices): string => new Date(patience.context.now()).toISOString();

/** Checks a batch and reserves its number. */
export async function prepareBatch(
  services: SinkServices,
  checker: BatchChecker,
  raw: RawBatch,
  startedAt: string,
): Promise<Prepared> {
  const [batch] = await patiently(services.patience, () => services.sink.reserveBatches(1));
  if (batch === undefined) throw new TypeError("the sink reserved no batch");
  const check = (some: RawBatch): Promise<CheckedBatch> => checker.check(some, batch);
  return { raw, checked: await check(raw), check, batch, startedAt };
}

/**
 * Writes one batch, again and again while the sink is away, and releases it. Returns the claim that it was committed
 * under. Throws FENCED when another process has claimed the lane.
 */
export async function commitBatch(
  services: SinkServices,
  lane: Lane,
  claim: Claim,
  prepared: Prepared,
  unit?: Unit,
): Promise<Claim> {
  const committing: Commit = { services, lane, prepared };
  try {
    const written =
      unit === undefined
        ? await commitAlone(committing, claim)
        : { claim, result: await writeWhole(unit, sinkBatch(services, lane, claim, prepared)) };
    const counts = report(services, lane, committing.prepared, written.result);
    const { raw, checked } = committing.prepared;
    if (unit === undefined) await services.watch?.committed?.({ source: lane.source, counts, raw, rows: checked.rows });
    return written.claim;
  } finally {
    await committing.prepared.checked.release();
  }
}

/** One of many batches of a unit: to leave repeats out of it, the ones before would have to be written again. */
async function writeWhole(unit: Unit, batch: SinkBatch): Promise<WriteResult> {
  try {
    return await unit.write(batch);
  } catch (error) {
    if (!(error instanceof RepeatedMessages)) throw error;
    throw new MillraceError("PIPELINE_INVALID", `${batch.source} holds records twice, as stages may leave them`, {
      remedy: "Leave out atomic and replace: batch by batch such repeats are left out.",
      at: { source: batch.source },
      cause: error,
    });
  }
}

/** A batch on its way into the sink. */
interface Commit {
  readonly services: SinkServices;
  readonly lane: Lane;
  /** Without what turned out to be repeats. */
  prepared: Prepared;
}

interface Written {
  readonly claim: Claim;
  readonly result: WriteResult;
}

async function commitAlone(commit: Commit, claim: Claim): Promise<Written> {
  const { services, lane } = commit;
  let held = claim;
  let result: WriteResult | undefined;
  return patiently(services.patience, async (attempt) => {
    const { raw } = commit.prepared;
    if (attempt > 1) held = await reclaim(services, lane, held, raw);
    // The commit had arrived although its answer was lost.
    if (result !== undefined && samePosition(held.position, raw.end)) return { claim: held, result };
    return services.units.hold(async () => {
      result = await commitNew(commit, held, (written) => void (result = written));
      return { claim: held, result };
    });
  });
}

/** One attempt at a unit of the batch's own, and another one for each time that the sink names repeats among its records. */
async function commitNew(commit: Commit, claim: Claim, note: (written: WriteResult) => void): Promise<WriteResult> {
  const { services, lane } = commit;
  const { sink, target, watch } = services;
  for (;;) {
    const unit = await sink.begin(target);
    try {
      const { result, rejects } = await writeGathering(unit, sinkBatch(services, lane, claim, commit.prepared));
      if (rejects.length > 0) await watch?.rejected?.(rejects, lane.source);
      note(result);
      await unit.commit();
      return result;
    } catch (error) {
      if (!(error instanceof RepeatedMessages)) throw error;
      await unit.rollback();
      commit.prepared = await withoutRepeats(commit.prepared, error);
    } finally {
      await unit.rollback();
    }
  }
}

/** Writes the batch and gathers all its rejects in record order, those of rows that the sink refused among them. */
export async function writeGathering(
  unit: Unit,
  batch: SinkBatch,
): Promise<{ readonly result: WriteResult; readonly rejects: readonly Reject[] }> {
  // By record: a sink may ask for a reject more than once, while it looks for the rows at fault.
  const refused = new Map<number, Reject>();
  const result = await unit.write({
    ...batch,
    refuse: (row, reason) => {
      const reject = batch.refuse(row, reason);
      refused.set(reject.record, reject);
      return reject;
    },
  });
  if (refused.size === 0) return { result, rejects: batch.rejects };
  return { result, rejects: [...batch.rejects, ...refused.values()].sort((a, b) => a.record - b.record) };
}

/**
 * After a failure only the sink knows what happened: claims the lane anew, unless another process has.
 * The position is then the batch's start (nothing arrived) or its end (all of it did).
 */
async function reclaim(services: SinkServices, lane: Lane, held: Claim, raw: RawBatch): Promise<Claim> {
  const claim = await claimAgain(services, lane, held);
  const { position } = claim;
  if (!samePosition(position, raw.start) && !samePosition(position, raw.end)) throw fenced(lane);
  return claim;
}

/** Whether two positions of one lane are the same: they differ in `row` unless they are the same, as no batch is empty. */
export function samePosition(a: Position, b: Position): boolean {
  return a.row === b.row;
}

/** The batch as the sink takes it. */
export function sinkBatch(services: SinkServices, lane: Lane, claim: Claim, prepared: Prepared): SinkBatch {
  const { raw, checked, batch, startedAt, replays } = prepared;
  const messageIds = idsOf(raw);
  return {
    claim,
    batch,
    run: services.run,
    version: services.version,
    source: lane.source,
    start: raw.start,
    end: raw.end,
    read: raw.read,
    filtered: checked.filtered,
    rejects: checked.rejects,
    format: raw.format,
    rows: checked.rows,
    startedAt,
    refuse: (row, reason) => checked.refuse(row, reason),
    ...(messageIds === undefined ? {} : { messageIds }),
    ...(replays === undefined ? {} : { replays }),
  };
}

function report(services: SinkServices, lane: Lane, prepared: Prepared, result: WriteResult): Counts {
  const { raw, checked } = prepared;
  const counts: Counts = {
    read: raw.read,
    loaded: result.loaded,
    merged: result.merged,
    filtered: checked.filtered,
    rejected: result.rejected,
  };
  // Invariant 1, once more on this side: what people are told adds up.
  if (!isBalanced(counts)) throw notBalanced(lane, counts);
  const { changes } = checked;
  if (changes.length > 0) services.onEvent({ event: "changes", source: lane.source, changes });
  const shown = [...checked.rejects.slice(0, limit.rejectsShown), ...result.refused].slice(0, limit.rejectsShown);
  if (shown.length > 0) services.onEvent({ event: "rejects", source: lane.source, rejects: shown });
  services.onEvent({ event: "batch", source: lane.source, counts, sizeBytes: raw.sizeBytes });
  return counts;
}

function notBalanced(lane: Lane, counts: Counts): MillraceError {
  const { read, loaded, merged, filtered, rejected } = counts;
  const sum = `read ${read} ≠ loaded ${loaded} + merged ${merged} + filtered ${filtered} + rejected ${rejected}`;
  return new MillraceError("NOT_BALANCED", `A batch does not balance: ${sum}`, {
    remedy: "This is a fault in Millrace: please report it with the pipeline.",
    at: { source: lane.source },
  });
}
