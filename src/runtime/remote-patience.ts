import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { passes, retryPauseMs } from "../core/retry.ts";
import type { AdapterContext } from "../ports/adapter.ts";

/** Of calls to a server: those that fail for a reason that passes are made again, `limit.remoteAttempts` in all. */
export class RemotePatience {
  readonly #context: Pick<AdapterContext, "pause">;

  constructor(context: Pick<AdapterContext, "pause">) {
    this.#context = context;
  }

  async bear<Result>(work: () => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        await this.pauseOrThrow(error, attempt);
      }
    }
  }

  /** Pauses before the next attempt, or throws the error when it does not pass or has come too often. */
  async pauseOrThrow(error: unknown, attempt: number): Promise<void> {
    const isPassing = error instanceof MillraceError && error.code !== "SINK_FULL" && passes(error.code);
    if (!isPassing || attempt >= limit.remoteAttempts) throw error;
    await this.#context.pause(retryPauseMs(attempt, Math.random()));
  }
}
