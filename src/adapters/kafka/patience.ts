import { retryPauseMs } from "../../core/retry.ts";
import { pauseUnlessAborted, type Time } from "../../core/time.ts";
import { classifyError } from "./errors.ts";

/** Pauses that are drawn apart between processes. `attempt` is 1 for the first. */
export async function pauseBefore(attempt: number, time: Time, signal: AbortSignal): Promise<void> {
  await pauseUnlessAborted(retryPauseMs(attempt, Math.random()), time, signal);
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
