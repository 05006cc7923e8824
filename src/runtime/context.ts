import { setTimeout as sleep } from "node:timers/promises";
import type { AdapterContext } from "../ports/adapter.ts";
import type { EngineHost } from "../ports/engine.ts";

/** The runtime is the only owner of time: adapters get the clock and pauses from here. */
export function adapterContext(engine: EngineHost, notice: (text: string) => void): AdapterContext {
  return {
    engine,
    now: () => Date.now(),
    pause: async (ms, signal) => {
      await sleep(ms, undefined, signal === undefined ? {} : { signal });
    },
    notice,
  };
}
