import { limit } from "../../core/limit.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { LogLane } from "../../ports/log.ts";
import type { Folder } from "./folder.ts";

interface Waiter {
  readonly lane: LogLane;
  readonly offset: bigint;
  readonly done: PromiseWithResolvers<void>;
}

/**
 * Tells readers that there is more, for as long as somebody waits: looks when the bell rings and now and then, or often
 * where the bell is not heard.
 */
export class Arrivals {
  readonly #use: <Result>(work: (folder: Folder) => Result) => Promise<Result>;
  readonly #context: Pick<AdapterContext, "pause">;
  readonly #waiters = new Set<Waiter>();
  #running: Promise<void> | undefined;
  #woken = new AbortController();
  /** What was looked at last; undefined when somebody has come since. */
  #seen: { readonly folder: Folder; readonly version: bigint } | undefined;

  constructor(
    use: <Result>(work: (folder: Folder) => Result) => Promise<Result>,
    context: Pick<AdapterContext, "pause">,
  ) {
    this.#use = use;
    this.#context = context;
  }

  /** Resolves when the lane ends elsewhere than at `offset`, is another one, or the signal aborts. Throws what a look throws. */
  async beyond(lane: LogLane, offset: bigint, signal: AbortSignal): Promise<void> {
    const waiter: Waiter = { lane, offset, done: Promise.withResolvers() };
    const end = (): void => waiter.done.resolve();
    this.#waiters.add(waiter);
    this.#seen = undefined;
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    this.#running ??= this.#run();
    try {
      await waiter.done.promise;
    } finally {
      signal.removeEventListener("abort", end);
      this.#waiters.delete(waiter);
      if (this.#waiters.size === 0) this.ring();
    }
  }

  /** Looks at once: something was appended, or nobody waits any more. */
  ring(): void {
    // Each abort makes an error, and a commit may ring thousands of times a second while nobody waits.
    if (!this.#woken.signal.aborted) this.#woken.abort();
  }

  /** Resolves when nothing is looked for any more. Those who wait must have been aborted. */
  async close(): Promise<void> {
    this.ring();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiters.size > 0) {
      const wasRung = this.#woken.signal.aborted;
      if (wasRung) this.#woken = new AbortController();
      const { signal } = this.#woken;
      const pauseMs = await this.#look(wasRung);
      if (this.#waiters.size > 0) await this.#context.pause(pauseMs, signal).catch(() => undefined);
    }
    this.#running = undefined;
  }

  /** Answers when to look again. */
  async #look(wasRung: boolean): Promise<number> {
    try {
      const seen = this.#seen;
      const { lanes, bell } = await this.#use((folder) => ({ lanes: this.#changedLanes(folder), bell: folder.bell }));
      // Something was written, and the bell has not told.
      if (seen !== undefined && lanes !== undefined && !wasRung) bell.isHeard = false;
      for (const { lane, offset, done } of lanes === undefined ? [] : this.#waiters) {
        const found = lanes?.get(lane.name);
        if (found?.end !== offset || found.incarnation !== lane.incarnation) done.resolve();
      }
      return bell.isHeard ? limit.embeddedWatchedLookMs : limit.embeddedLookMs;
    } catch (error) {
      for (const { done } of this.#waiters) done.reject(error);
      return limit.embeddedLookMs;
    }
  }

  /** Undefined when nothing has changed since the last look. */
  #changedLanes(folder: Folder): ReadonlyMap<string, LogLane> | undefined {
    const { version } = folder;
    if (this.#seen?.folder === folder && this.#seen.version === version) return undefined;
    this.#seen = { folder, version };
    return new Map(folder.lanes().map((lane) => [lane.name, lane]));
  }
}
