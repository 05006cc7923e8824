import { retryPauseMs } from "../core/retry.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Sink } from "../ports/sink.ts";
import type { OnEvent } from "./events.ts";
import { interrupted } from "./interruption.ts";

export interface Patience {
  readonly sink: Pick<Sink, "classify" | "explain">;
  readonly context: Pick<AdapterContext, "now" | "pause">;
  readonly onEvent: OnEvent;
  /** Gives up this long after the first failure; Infinity for a service. */
  readonly totalMs: number;
  readonly signal: AbortSignal;
}

/**
 * Does `work`, which may fail only as the sink fails, again as long as its failure is one that passes: the sink down,
 * busy or full. What does not pass, or has lasted longer than `totalMs`, is thrown as the sink explains it; INTERRUPTED
 * when the signal aborts meanwhile. `attempt` counts from 1.
 */
export async function patiently<Result>(
  patience: Patience,
  work: (attempt: number) => Promise<Result>,
): Promise<Result> {
  const { sink, context } = patience;
  let firstFailure: number | undefined;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      firstFailure ??= context.now();
      const lasted = context.now() - firstFailure;
      if (sink.classify(error) !== "wait" || lasted > patience.totalMs) throw sink.explain(error);
      await pauseAfter(patience, error, attempt);
    }
  }
}

/** Says what is waited for and pauses, longer with each attempt. */
async function pauseAfter(patience: Patience, error: unknown, attempt: number): Promise<void> {
  const { signal } = patience;
  const pauseMs = retryPauseMs(attempt, Math.random());
  patience.onEvent({ event: "waiting", text: patience.sink.explain(error).message, pauseMs });
  try {
    await patience.context.pause(pauseMs, signal);
  } catch (failure) {
    throw signal.aborted ? interrupted() : failure;
  }
}
