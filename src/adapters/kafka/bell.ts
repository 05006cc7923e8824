import type { Time } from "./patience.ts";

/** Wakes a loop that waits for something to happen or for time to pass. Rung while nobody waits, it wakes the next wait. */
export class Bell {
  readonly #time: Time;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(time: Time) {
    this.#time = time;
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves when it is rung, or after `ms` where that is given. For one loop at a time. */
  async heard(ms?: number): Promise<void> {
    if (!this.#rung) await this.#wait(ms);
    this.#rung = false;
  }

  async #wait(ms: number | undefined): Promise<void> {
    const woken = new AbortController();
    const rung = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const passed = ms === undefined ? [] : [this.#time.pause(ms, woken.signal).catch(() => {})];
    await Promise.race([rung, ...passed]);
    this.#wake = undefined;
    woken.abort();
  }
}
