import type { Claim, Position } from "../core/checkpoint.ts";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { filePosition } from "../formats/position.ts";
import type { Lane, Source } from "../ports/source.ts";
import type { LaneServices, SinkServices } from "./lane-services.ts";
import { patiently } from "./patience.ts";

/** What a run has counted of a lane so far, so that nothing is counted twice when the lane changes hands. */
export interface LaneCount {
  isTold: boolean;
  /** Records before this one are counted. */
  row: number;
}

export const nothingCounted = (lane: Lane): LaneCount => ({ isTold: false, row: lane.initial.row });

/** Takes the lane, unless there is nothing left to read in it. Counts what others have loaded of it. */
export async function claimUnlessDone(
  services: LaneServices,
  lane: Lane,
  count: LaneCount,
): Promise<Claim | undefined> {
  const { sink, source, target, patience } = services;
  const before = await patiently(patience, () => sink.checkpoint(target.pipeline, lane.id));
  if (before !== undefined && source.isDone(lane, before.position)) {
    tellDone(services, lane, before.position, count);
    return undefined;
  }
  const claim = await claimLane(services, lane);
  if (source.isDone(lane, claim.position)) {
    // Its owner ended it while the claim waited, and may have settled it.
    tellDone(services, lane, claim.position, count);
    return undefined;
  }
  // A lane that was split is as much as its parts, which are counted one by one.
  if (source.divide(lane, claim.position) !== undefined) return claim;
  const loaded = claim.position.row - count.row;
  if (!count.isTold) {
    services.tally.addLane();
    services.onEvent({
      event: "lane",
      source: lane.source,
      resumed: loaded > 0,
      sizeBytes: bytesLeft(lane, claim.position),
    });
  }
  countUpTo(services, count, claim.position);
  return claim;
}

function bytesLeft({ initial, sizeBytes }: Lane, position: Position): number | undefined {
  const { byte, end } = filePosition(position);
  return sizeBytes === undefined || end === undefined ? sizeBytes : sizeBytes - (byte - filePosition(initial).byte);
}

/** A lane that was read to its end without this run. */
export function tellDone(services: LaneServices, lane: Lane, end: Position, count = nothingCounted(lane)): void {
  if (!count.isTold) services.tally.addLane();
  const before = count.row;
  countUpTo(services, count, end);
  services.onEvent({ event: "laneDone", source: lane.source, alreadyLoaded: end.row - before });
}

function countUpTo({ tally }: LaneServices, count: LaneCount, { row }: Position): void {
  tally.addLoaded(row - count.row);
  count.row = row;
  count.isTold = true;
}

export function claimLane({ sink, target, patience }: SinkServices, lane: Lane): Promise<Claim> {
  return patiently(patience, () => sink.claim(target.pipeline, lane.id, lane.source, lane.initial));
}

/** Takes a lane that this process holds with a new epoch. Throws FENCED when another process has taken it. */
export async function claimAgain(services: SinkServices, lane: Lane, held: Claim): Promise<Claim> {
  const { sink, target, patience } = services;
  const now = await patiently(patience, () => sink.checkpoint(target.pipeline, lane.id));
  if (now === undefined || now.epoch !== held.epoch) throw fenced(lane);
  const claim = await claimLane(services, lane);
  if (claim.epoch !== held.epoch + 1) throw fenced(lane);
  return claim;
}

/**
 * Waits while another process reads the lane: until it has read it to its end or stands still, or this run is to stop.
 * `times` is how often this lane was taken over before: each time it is waited for twice as long, so that of two
 * processes for which a batch takes long one comes to its commit.
 */
export async function untilOthersStop(services: LaneServices, lane: Lane, times: number): Promise<void> {
  const { sink, source, target, patience, stop } = services;
  const { context } = patience;
  const standstillMs = limit.takeoverMs * 2 ** Math.min(times, 10);
  services.onEvent({ event: "notice", text: `${lane.source} was taken over by another process; watching it` });
  let last = "";
  let movedMs = context.now();
  while (!stop.aborted) {
    const now = await patiently(patience, () => sink.checkpoint(target.pipeline, lane.id));
    if (now === undefined) throw fenced(lane);
    if (source.isDone(lane, now.position)) return;
    const seen = `${now.epoch} ${now.position.row}`;
    if (seen !== last) movedMs = context.now();
    else if (context.now() - movedMs > standstillMs) return;
    last = seen;
    await context.pause(limit.pollMs / 4);
  }
}

export function isDone(source: Source, lane: Lane, position: Position | undefined): boolean {
  return position !== undefined && source.isDone(lane, position);
}

export function fenced(lane: Lane): MillraceError {
  return new MillraceError("FENCED", `Another process has taken over ${lane.source}`, {
    remedy: "Nothing is lost: it goes on where this one stopped.",
    at: { source: lane.source },
  });
}

export function isFenced(error: unknown): boolean {
  return error instanceof MillraceError && error.code === "FENCED";
}
