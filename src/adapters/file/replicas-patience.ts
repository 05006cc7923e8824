import { limit } from "../../core/limit.ts";
import { isSqliteBusy } from "../../core/system-failure.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import { explainStore } from "./store-error.ts";

const pauseMsMax = 100;

/** Does work again as long as another process is in the way, up to `limit.lockMs`. */
export class Patience {
  readonly #context: Pick<AdapterContext, "now" | "pause">;
  readonly #shown: string;

  constructor(context: Pick<AdapterContext, "now" | "pause">, shown: string) {
    this.#context = context;
    this.#shown = shown;
  }

  async borne<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    const start = this.#context.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (!isSqliteBusy(error) || this.#context.now() - start > limit.lockMs) throw explainStore(error, this.#shown);
        await this.#context.pause(Math.min(pauseMsMax, attempt));
      }
    }
  }
}
