import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { retryPauseMs } from "../../core/retry.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import { checkFile } from "./create-file.ts";
import { explain, lockHolder, troubleOf } from "./errors.ts";
import { type Location, realFile } from "./location.ts";
import { type Use, use } from "./registry.ts";

/** Attaches the file for writing. Rejects with a MillraceError, or the engine's error of a file that another process has. */
export function useToWrite(location: Location, context: AdapterContext): Promise<Use> {
  return useChecked(location, context, false);
}

/**
 * Attaches the file for reading: shared with the writer when that is this process, else read-only, which any number of
 * processes may do at once but not beside a writer. Rejects as `useToWrite` does.
 */
export function useToRead(location: Location, context: AdapterContext): Promise<Use> {
  return useChecked(location, context, true);
}

async function useChecked(location: Location, context: AdapterContext, readOnly: boolean): Promise<Use> {
  const file = await realFile(location.path);
  try {
    await checkFile(file, location.shown, readOnly);
    return await use(context.engine, file, readOnly);
  } catch (error) {
    throw isBusy(error) ? error : explain(error, location.shown);
  }
}

/** Why the file cannot be had now, which may pass. */
export interface Obstacle {
  readonly error: unknown;
  /** What is known of the process that has it, where there is something to say. */
  readonly about: string | undefined;
}

/** Asks again while there is an obstacle, which people are told once; SINK_BUSY after `limit.retryTotalMs`. */
export async function untilFree<Result extends object>(
  location: Location,
  context: AdapterContext,
  attempt: () => Promise<Result | Obstacle>,
): Promise<Result> {
  const began = context.now();
  for (let count = 1; ; count += 1) {
    const outcome = await attempt();
    if (!isObstacle(outcome)) return outcome;
    if (context.now() - began >= limit.retryTotalMs) throw stillBusy(outcome, location);
    if (count === 1) context.notice(`${location.shown} is in use by ${holder(outcome)}; waiting for it`);
    await context.pause(retryPauseMs(count, Math.random()));
  }
}

function isObstacle(outcome: object): outcome is Obstacle {
  return "error" in outcome && "about" in outcome;
}

/** Whether the error is that another process has the file, or this one in a way that excludes what is asked. */
export function isBusy(error: unknown): boolean {
  return isLocked(error) || (error instanceof MillraceError && error.code === "SINK_BUSY");
}

export function isLocked(error: unknown): boolean {
  return troubleOf(error) === "locked";
}

function holder({ error, about }: Obstacle): string {
  const who = isLocked(error) ? `another process (${lockHolder(error)})` : "a query of this process";
  return about === undefined ? who : `${who}, which ${about}`;
}

/** For people who wait for an answer: SINK_BUSY at once. */
export function busyForReaders(obstacle: Obstacle, location: Location): MillraceError {
  return new MillraceError("SINK_BUSY", `${location.shown} is being written by ${holder(obstacle)}`, {
    remedy: "Ask again when it has ended: a DuckDB file is read by many processes or written by one.",
    cause: obstacle.error,
  });
}

function stillBusy(obstacle: Obstacle, location: Location): MillraceError {
  const seconds = Math.round(limit.retryTotalMs / 1000);
  return new MillraceError("SINK_BUSY", `${location.shown} was in use by ${holder(obstacle)} for ${seconds} s`, {
    remedy: "One process writes a DuckDB file at a time: end the other one, or run this again when it has ended.",
    cause: obstacle.error,
  });
}
