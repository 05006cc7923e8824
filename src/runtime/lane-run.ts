import type { Claim, Position } from "../core/checkpoint.ts";
import { MillraceError } from "../core/error.ts";
import type { Counts } from "../core/ledger.ts";
import { isBalanced } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";
import type { BatchChecker, CheckedBatch } from "../engine/batch.ts";
import type { Sink, SinkBatch, Target, Unit, WriteResult } from "../ports/sink.ts";
import type { Lane, LaneReader, RawBatch, Source } from "../ports/source.ts";
import type { OnEvent } from "./events.ts";
import { type Patience, patiently, waitFor } from "./patience.ts";

/** What all lanes of a run share. */
export interface LaneServices {
  readonly source: Source;
  readonly sink: Sink;
  readonly target: Target;
  readonly run: string;
  readonly version: string;
  readonly patience: Patience;
  readonly onEvent: OnEvent;
  /** Aborts when the run should stop after the batch at hand. */
  readonly stop: AbortSignal;
  openChecker(): Promise<BatchChecker>;
}

/** A batch read, checked and ready to be written. */
interface Prepared {
  readonly raw: RawBatch;
  readonly checked: CheckedBatch;
  readonly batch: bigint;
  readonly startedAt: string;
}

/**
 * Reads the lane from the claim's position to its end, or until `stop`. The next batch is prepared while one commits.
 * With `unit` all batches are written to it and the caller commits; else each batch is a unit of its own.
 * Throws FENCED when another process has claimed the lane; what was committed before stays.
 */
export async function runLane(services: LaneServices, lane: Lane, claim: Claim, unit?: Unit): Promise<void> {
  const reader = await services.source.open(lane, claim.position, services.stop);
  const checker = await services.openChecker();
  let ahead: Promise<Prepared | undefined> | undefined;
  try {
    let current = await prepare(services, reader, checker);
    let held = claim;
    while (current !== undefined) {
      ahead = services.stop.aborted ? Promise.resolve(undefined) : prepare(services, reader, checker);
      ahead.catch(() => undefined); // awaited below: it must not count as unhandled while the batch before it commits
      held = await commitBatch(services, lane, held, current, unit);
      current = await ahead;
      ahead = undefined;
    }
  } finally {
    await ahead?.then((prepared) => prepared?.checked.release(), () => undefined);
    checker.close();
    await reader.close();
  }
}

async function prepare(services: LaneServices, reader: LaneReader, checker: BatchChecker): Promise<Prepared | undefined> {
  const startedAt = new Date(services.patience.context.now()).toISOString();
  const raw = await reader.next();
  if (raw === undefined) return undefined;
  const [batch] = await patiently(services.patience, () => services.sink.reserveBatches(1));
  if (batch === undefined) throw new TypeError("the sink reserved no batch");
  return { raw, checked: await checker.check(raw, batch), batch, startedAt };
}

/** Writes one batch, again and again while the sink is away. Returns the claim that it was committed under. */
async function commitBatch(
  services: LaneServices,
  lane: Lane,
  claim: Claim,
  prepared: Prepared,
  unit: Unit | undefined,
): Promise<Claim> {
  try {
    const written =
      unit === undefined
        ? await commitAlone(services, lane, claim, prepared)
        : { claim, result: await unit.write(sinkBatch(services, lane, claim, prepared)) };
    report(services, lane, prepared, written.result);
    return written.claim;
  } finally {
    await prepared.checked.release();
  }
}

interface Written {
  readonly claim: Claim;
  readonly result: WriteResult;
}

async function commitAlone(services: LaneServices, lane: Lane, claim: Claim, prepared: Prepared): Promise<Written> {
  const { patience } = services;
  const since = patience.context.now();
  let held = claim;
  for (let attempt = 1; ; attempt += 1) {
    let result: WriteResult | undefined;
    const unit = await patiently(patience, () => services.sink.begin(services.target));
    try {
      result = await unit.write(sinkBatch(services, lane, held, prepared));
      await unit.commit();
      return { claim: held, result };
    } catch (error) {
      await unit.rollback();
      const lasted = patience.context.now() - since;
      if (services.sink.classify(error) !== "wait" || lasted > patience.totalMs) throw services.sink.explain(error);
      await waitFor(patience, error, attempt);
      const truth = await reclaim(services, lane, held, prepared.raw);
      // The commit had arrived although its answer was lost.
      if (result !== undefined && samePosition(truth.position, prepared.raw.end)) return { claim: truth, result };
      held = truth;
    }
  }
}

/**
 * After a failure only the sink knows what happened: claims the lane anew, unless another process has.
 * The position is then the batch's start (nothing arrived) or its end (all of it did).
 */
async function reclaim(services: LaneServices, lane: Lane, held: Claim, raw: RawBatch): Promise<Claim> {
  const claim = await claimAgain(services, lane, held);
  const { position } = claim;
  if (!samePosition(position, raw.start) && !samePosition(position, raw.end)) throw fenced(lane);
  return claim;
}

/** Takes a lane that this process holds with a new epoch. Throws FENCED when another process has taken it. */
export async function claimAgain(services: LaneServices, lane: Lane, held: Claim): Promise<Claim> {
  const { sink, target, patience } = services;
  const now = await patiently(patience, () => sink.checkpoint(target.pipeline, lane.id));
  if (now === undefined || now.epoch !== held.epoch) throw fenced(lane);
  const claim = await patiently(patience, () => sink.claim(target.pipeline, lane.id, lane.source, lane.initial));
  if (claim.epoch !== held.epoch + 1) throw fenced(lane);
  return claim;
}

export function fenced(lane: Lane): MillraceError {
  return new MillraceError("FENCED", `Another process has taken over ${lane.source}`, {
    remedy: "Nothing is lost: it goes on where this one stopped.",
    at: { source: lane.source },
  });
}

/** A source's positions of one lane differ in `row` unless they are the same, as no batch is empty. */
function samePosition(a: Position, b: Position): boolean {
  return a.row === b.row;
}

function sinkBatch(services: LaneServices, lane: Lane, claim: Claim, prepared: Prepared): SinkBatch {
  const { raw, checked, batch, startedAt } = prepared;
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
    ...(raw.messageIds === undefined ? {} : { messageIds: raw.messageIds }),
  };
}

function report(services: LaneServices, lane: Lane, prepared: Prepared, result: WriteResult): void {
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
  services.onEvent({ event: "batch", source: lane.source, counts, sizeBytes: raw.sizeBytes });
  const shown = [...checked.rejects.slice(0, limit.rejectsShown), ...result.refused].slice(0, limit.rejectsShown);
  if (shown.length > 0) services.onEvent({ event: "rejects", source: lane.source, rejects: shown });
}

function notBalanced(lane: Lane, counts: Counts): MillraceError {
  const { read, loaded, merged, filtered, rejected } = counts;
  const sum = `read ${read} ≠ loaded ${loaded} + merged ${merged} + filtered ${filtered} + rejected ${rejected}`;
  return new MillraceError("NOT_BALANCED", `A batch does not balance: ${sum}`, {
    remedy: "This is a fault in Millrace: please report it with the pipeline.",
    at: { source: lane.source },
  });
}
