import { limit } from "../core/limit.ts";
import { pauseUnlessAborted } from "../core/time.ts";
import type { LaneServices } from "./lane-services.ts";

/** Tells how much waits in the source, where it can say, now and then until the run stops. */
export async function tellBacklog({ source, stop, patience, onEvent }: LaneServices): Promise<void> {
  while (source.backlog !== undefined && !stop.aborted) {
    try {
      onEvent({ event: "backlog", ...(await source.backlog()) });
    } catch {
      // Whoever reads the source tells what is wrong with it; what was told last is left standing.
    }
    await pauseUnlessAborted(limit.backlogMs, patience.context, stop);
  }
}
