import { setMaxListeners } from "node:events";
import { MillraceError } from "../core/error.ts";
import { interrupted } from "../runtime/interruption.ts";
import { stderr } from "./screen.ts";

/** The user's wish to stop. */
export interface Stop {
  readonly signal: AbortSignal;
  request(): void;
  /** Lets signals do again what they do by themselves. */
  dispose(): void;
}

/**
 * The first Ctrl-C (or SIGTERM) asks for an end after the batch at hand; a second one ends the process at once, which
 * loses nothing either: what is not committed is read again.
 */
export function stopOnSignal(
  text = "finishing the batch at hand … (once more ends it now; nothing is lost)",
  signals: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"],
): Stop {
  const controller = new AbortController();
  // Every lane that waits listens to it.
  setMaxListeners(0, controller.signal);
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130);
    stderr.line(`\n${text}`);
    controller.abort();
  };
  for (const signal of signals) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    request: () => controller.abort(),
    dispose: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** What waits is torn away by the signal with an error of its own kind: that is the user's wish, not a fault. */
export function asInterruption(error: unknown, stop: Stop): unknown {
  const torn = error instanceof Error && !(error instanceof MillraceError) && error.name === "AbortError";
  return stop.signal.aborted && torn ? interrupted() : error;
}
