import { limit } from "../../core/limit.ts";
import type { Count, Counted } from "./questions.ts";

/** Counts by key in windows of time: the first count opens a window, and the first after its end the next one. */
export class Counts {
  readonly #windows = new Map<string, { count: number; readonly untilMs: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  add({ key, windowMs }: Count): Counted {
    const now = this.#now();
    const known = this.#windows.get(key);
    const window = known !== undefined && known.untilMs > now ? known : { count: 0, untilMs: now + windowMs };
    window.count += 1;
    if (window !== known) this.#keep(key, window, now);
    return { current: window.count, ttl: window.untilMs - now };
  }

  #keep(key: string, window: { count: number; readonly untilMs: number }, now: number): void {
    this.#windows.delete(key);
    this.#windows.set(key, window);
    if (this.#windows.size <= limit.countedKeys) return;
    for (const [name, { untilMs }] of this.#windows) if (untilMs <= now) this.#windows.delete(name);
    for (const name of this.#windows.keys()) {
      if (this.#windows.size <= limit.countedKeys) return;
      this.#windows.delete(name); // the oldest: more callers at once than anyone counts
    }
  }
}
