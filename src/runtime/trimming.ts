import { limit } from "../core/limit.ts";
import { pauseUnlessAborted } from "../core/time.ts";
import type { LaneServices } from "./lane-services.ts";

/**
 * Has the sink forget message ids, and lanes, that are older than repeats may come: now, and with `follow` again and again
 * until the run stops. What fails is told and left for the next time: nothing that is read depends on it.
 */
export async function trimRepeats(services: LaneServices, follow: boolean): Promise<void> {
  const { source, stop, patience } = services;
  const { repeats } = source;
  if (repeats === undefined) return;
  do {
    try {
      await trimOnce(services, repeats);
    } catch (error) {
      if (stop.aborted) return;
      const { message } = patience.sink.explain(error);
      services.onEvent({ event: "notice", text: `ids of old messages are kept for now: ${message}` });
    }
    if (follow) await pauseUnlessAborted(limit.trimMs, patience.context, stop);
  } while (follow && !stop.aborted);
}

/** Piece by piece, so that nothing that is committed meanwhile waits for long. */
async function trimOnce(
  { sink, target, stop }: LaneServices,
  { source, ms }: { readonly source: string; readonly ms: number },
): Promise<void> {
  while (!stop.aborted && (await sink.trim(target.pipeline, source, ms)) > 0) continue;
}
