import { retryPauseMs } from "../../core/retry.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import { classifyError } from "./errors.ts";

/** The time an adapter has: a clock, and pauses that end early when the signal aborts. */
export type Time = Pick<AdapterContext, "now" | "pause">;

/** Pauses that are drawn apart between processes. `attempt` is 1 for the first. */
export async function pauseBefore(attempt: number, time: Time, signal: AbortSignal): Promise<void> {
  await pauseUnlessAborted(retryPauseMs(attempt, Math.random()), time, signal);
}

/** Resolves also when it is cut short. */
export async function pauseUnlessAborted(ms: number, time: Time, signal: AbortSignal): Promise<void> {
  try {
    await time.pause(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/**
 * Tries until it works, for `patienceMs` at most: what passes by itself is tried again after a pause, everything else is
 * thrown at once, and so is what lasts longer. Throws the signal's reason when it aborts.
 */
export async function persist<Result>(
  work: (attempt: number) => Promise<Result>,
  { time, signal, patienceMs }: { readonly time: Time; readonly signal: AbortSignal; readonly patienceMs: number },
): Promise<Result> {
  const begunAt = time.now();
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      if (classifyError(error) !== "wait" || time.now() - begunAt >= patienceMs) throw error;
    }
    await pauseBefore(attempt + 1, time, signal);
  }
}
