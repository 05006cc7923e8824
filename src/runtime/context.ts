import { setTimeout as sleep } from "node:timers/promises";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Time } from "../core/time.ts";
import type { EngineHost } from "../ports/engine.ts";

/** The runtime is the only owner of time: everybody else gets the clock and pauses from here. */
export const time: Time = {
  now: () => Date.now(),
  pause: async (ms, signal) => {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  },
};

/** What adapters are given. */
export function adapterContext(engine: EngineHost, notice: (text: string) => void): AdapterContext {
  return { ...time, engine, notice };
}
