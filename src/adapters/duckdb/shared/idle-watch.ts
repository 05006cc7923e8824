import type { AdapterContext } from "../../../ports/adapter.ts";

/** Does something once when nothing was done for a while. */
export class IdleWatch {
  readonly #context: Pick<AdapterContext, "pause">;
  readonly #ms: number;
  readonly #onIdle: () => Promise<void>;
  #resting: { readonly stop: AbortController; readonly watch: Promise<void> } | undefined;
  #working = 0;

  constructor(context: Pick<AdapterContext, "pause">, ms: number, onIdle: () => Promise<void>) {
    this.#context = context;
    this.#ms = ms;
    this.#onIdle = onIdle;
  }

  /** From now on nothing is done, until the next call. */
  rest(): void {
    this.end();
    if (this.#working > 0) return;
    const stop = new AbortController();
    this.#resting = { stop, watch: this.#watch(stop.signal) };
  }

  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    this.end();
    this.#working += 1;
    try {
      return await work();
    } finally {
      this.#working -= 1;
      this.rest();
    }
  }

  /** Watches no more. */
  end(): void {
    this.#resting?.stop.abort();
    this.#resting = undefined;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    try {
      await this.#context.pause(this.#ms, signal);
    } catch {
      return; // not idle any more
    }
    if (!signal.aborted) await this.#onIdle();
  }
}
