import type { Claim } from "../core/checkpoint.ts";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { retryPauseMs } from "../core/retry.ts";
import type { Lane } from "../ports/source.ts";
import type { RunEvent } from "./events.ts";
import { claimUnlessDone, isFenced, type LaneCount, nothingCounted, untilOthersStop } from "./lane-claim.ts";
import { runLane } from "./lane-run.ts";
import type { HoldLane, LaneServices } from "./lane-services.ts";

/**
 * Takes the lane and reads it to its end. If another process takes it, watches it, and takes it back if it stands still.
 * Resolves with the parts of a lane that was split, which are then still to be read.
 */
export async function readLane(
  services: LaneServices,
  lane: Lane,
  hold: HoldLane,
): Promise<readonly Lane[] | undefined> {
  const count = nothingCounted(lane);
  for (let times = 0; !services.stop.aborted; times += 1) {
    const outcome = await hold(() => takeAndRead(services, lane, count));
    if (!outcome.isLost) return outcome.parts;
    await untilOthersStop(services, lane, times);
  }
  return undefined;
}

interface Outcome {
  /** Another process took the lane. */
  readonly isLost: boolean;
  readonly parts?: readonly Lane[];
}

async function takeAndRead(services: LaneServices, lane: Lane, count: LaneCount): Promise<Outcome> {
  if (services.stop.aborted) return { isLost: false };
  const claim = await claimUnlessDone(services, lane, count);
  if (claim === undefined) return { isLost: false };
  const parts = services.source.divide(lane, claim.position);
  return parts === undefined ? readClaimed(services, lane, claim, count) : { isLost: false, parts };
}

async function readClaimed(services: LaneServices, lane: Lane, claim: Claim, count: LaneCount): Promise<Outcome> {
  const onEvent = (event: RunEvent): void => {
    if (event.event === "batch") count.row += event.counts.read;
    services.onEvent(event);
  };
  try {
    const isEnded = await runLane({ ...services, onEvent }, lane, claim);
    if (isEnded) services.onEvent({ event: "laneDone", source: lane.source, alreadyLoaded: 0 });
    return { isLost: false };
  } catch (error) {
    if (isFenced(error)) return { isLost: true };
    throw error;
  }
}

/**
 * Reads a lane without end until it is not this process's any more. While it changes hands two processes may claim it,
 * the later of which goes on; so when it was taken and still is this process's, it is claimed again after a while.
 */
export async function readEndless(services: LaneServices, lane: Lane, until: AbortSignal): Promise<void> {
  const { stop, patience } = services;
  const count = nothingCounted(lane);
  for (let failures = 0; !stop.aborted && !until.aborted; ) {
    const outcome = await readOrTell(services, lane, count);
    if (outcome === "failed") {
      failures += 1;
      const pauseMs = retryPauseMs(failures, Math.random()) * 10;
      await pauseUnless(patience, pauseMs, AbortSignal.any([stop, until]));
      continue;
    }
    if (!outcome.isLost || stop.aborted || until.aborted) return;
    services.onEvent({ event: "notice", text: `${lane.source} was taken over by another process` });
    await pauseUnless(patience, limit.reclaimMs, AbortSignal.any([stop, until]));
  }
}

/** What is wrong with this lane alone is told and tried again later; the other lanes go on meanwhile. */
async function readOrTell(services: LaneServices, lane: Lane, count: LaneCount): Promise<Outcome | "failed"> {
  try {
    return await takeAndRead(services, lane, count);
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "RECORDS_GONE") throw error;
    services.onEvent({ event: "notice", text: `${error.message}. ${error.remedy}` });
    return "failed";
  }
}

async function pauseUnless({ context }: LaneServices["patience"], ms: number, signal: AbortSignal): Promise<void> {
  try {
    await context.pause(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
