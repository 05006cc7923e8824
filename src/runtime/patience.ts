import { retryPauseMs } from "../core/retry.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Sink } from "../ports/sink.ts";
import type { OnEvent } from "./events.ts";

export interface Patience {
  readonly sink: Pick<Sink, "classify" | "explain">;
  readonly context: Pick<AdapterContext, "now" | "pause">;
  readonly onEvent: OnEvent;
  /** Gives up this long after the first failure; Infinity for a service. */
  readonly totalMs: number;
  readonly signal: AbortSignal;
}

/**
 * Does `work` again as long as its failure is one that passes: the sink down, busy or full. What does not pass, or
 * has lasted longer than `totalMs`, is thrown as the sink explains it.
 */
export async function patiently<Result>(patience: Patience, work: () => Promise<Result>): Promise<Result> {
  const { sink, context } = patience;
  let firstFailure: number | undefined;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      firstFailure ??= context.now();
      const lasted = context.now() - firstFailure;
      if (sink.classify(error) !== "wait" || lasted > patience.totalMs) throw sink.explain(error);
      await waitFor(patience, error, attempt);
    }
  }
}

/** Says what is waited for and pauses, longer with each attempt. Rejects when the signal aborts. */
export async function waitFor(patience: Patience, error: unknown, attempt: number): Promise<void> {
  const pauseMs = retryPauseMs(attempt, Math.random());
  patience.onEvent({ event: "waiting", text: patience.sink.explain(error).message, pauseMs });
  await patience.context.pause(pauseMs, patience.signal);
}
