import { pauseUnlessAborted, type Time } from "./time.ts";

/** Wakes a loop that waits for something to happen or for time to pass. Rung while nobody waits, it wakes the next wait. */
export class Bell {
  readonly #time: Pick<Time, "pause">;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(time: Pick<Time, "pause">) {
    this.#time = time;
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves with true when it is rung, with false after `ms` where that is given. For one loop at a time. */
  async heard(ms?: number): Promise<boolean> {
    if (!this.#rung) await this.#wait(ms);
    const rung = this.#rung;
    this.#rung = false;
    return rung;
  }

  async #wait(ms: number | undefined): Promise<void> {
    const woken = new AbortController();
    const rung = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const passed = ms === undefined ? [] : [pauseUnlessAborted(ms, this.#time, woken.signal)];
    await Promise.race([rung, ...passed]);
    this.#wake = undefined;
    woken.abort();
  }
}
