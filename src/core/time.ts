/** What somebody has of time: a clock, and pauses that end early, with a rejection, when the signal aborts. */
export interface Time {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`, or rejects when the signal aborts. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Resolves also when it is cut short. */
export async function pauseUnlessAborted(ms: number, time: Pick<Time, "pause">, signal: AbortSignal): Promise<void> {
  try {
    await time.pause(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The result of `work`, or the signal's reason as soon as it aborts. */
export async function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
