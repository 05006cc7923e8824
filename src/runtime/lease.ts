import { randomUUID } from "node:crypto";
import { MillraceError } from "../core/error.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { limit } from "../core/limit.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Store } from "../ports/store.ts";

export interface LeaseParts {
  readonly store: Store;
  readonly context: Pick<AdapterContext, "now" | "pause">;
}

/**
 * What one process at a time may hold, of all that share a store. It says so again and again; one that was killed does not,
 * and is followed by another after `limit.leaseMs`. Whoever holds it notes what it is about to do: who follows finds the
 * note, and sees whether it was done.
 */
export class Lease {
  /** What whoever held it before had noted and not finished. */
  readonly left: JsonObject | undefined;
  readonly #key: string;
  readonly #parts: LeaseParts;
  readonly #holder = randomUUID();
  #version: number;
  #note: JsonObject | undefined;
  #renewedMs: number;
  #isLost = false;
  #turn: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout;

  private constructor(key: string, parts: LeaseParts, version: number, left: JsonObject | undefined) {
    this.#key = key;
    this.#parts = parts;
    this.#version = version;
    this.left = left;
    this.#note = left;
    this.#renewedMs = parts.context.now();
    this.#timer = setInterval(() => this.#renew(), limit.leaseBeatMs);
    this.#timer.unref();
  }

  /**
   * Takes it, waiting for whoever has it. Where that is not wanted it waits until it hears of the holder, and resolves with
   * undefined then: of one that was killed nothing is heard.
   */
  static async take(
    key: string,
    parts: LeaseParts,
    { waits = true, signal }: { readonly waits?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<Lease | undefined> {
    const { store, context } = parts;
    let seen: { readonly version: number; readonly sinceMs: number } | undefined;
    for (;;) {
      const entry = await store.get(key);
      const version = entry?.version ?? 0;
      // Judged by our own clock alone: others may be set otherwise.
      const isSilent = seen?.version === version && context.now() - seen.sinceMs > limit.leaseMs;
      if (entry === undefined || isFree(entry.value) || isSilent) {
        const left = entry === undefined ? undefined : noteOf(entry.value);
        const lease = await Lease.#claim(key, parts, version, left);
        if (lease !== undefined) return lease;
      } else if (!waits && seen !== undefined && seen.version !== version) return undefined;
      if (seen?.version !== version) seen = { version, sinceMs: context.now() };
      await context.pause(limit.leaseLookMs, signal);
    }
  }

  static async #claim(
    key: string,
    parts: LeaseParts,
    expected: number,
    left: JsonObject | undefined,
  ): Promise<Lease | undefined> {
    const lease = new Lease(key, parts, expected, left);
    try {
      if (await lease.#write()) return lease;
    } catch (error) {
      clearInterval(lease.#timer);
      throw error;
    }
    clearInterval(lease.#timer);
    return undefined;
  }

  /** Throws FENCED when another process may have it by now. To be asked right before what only the holder may do. */
  require(): void {
    if (!this.#isLost && this.#parts.context.now() - this.#renewedMs < limit.leaseMs / 2) return;
    throw new MillraceError("FENCED", `Another process may have taken over ${this.#key}`, {
      remedy: "It goes on with it; look at what it did and try again.",
    });
  }

  /** Keeps what is about to be done, for whoever follows; undefined once it is done. */
  async note(note: JsonObject | undefined): Promise<void> {
    this.#note = note;
    if (!(await this.#inTurn(() => this.#write()))) this.#isLost = true;
    this.require();
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#inTurn(async () => {
      const { store } = this.#parts;
      // Removed it would leave a moment in which another's would be removed; what is free is removed by who sweeps.
      if (!this.#isLost) await store.put(this.#key, { free: true }, { expected: this.#version });
    });
  }

  /** A beat that fails is made up for by the next; the holder is told when it is too late for that. */
  #renew(): void {
    this.#inTurn(async () => {
      if (!this.#isLost && !(await this.#write())) this.#isLost = true;
    }).catch(() => undefined);
  }

  async #write(): Promise<boolean> {
    const { store, context } = this.#parts;
    const startedMs = context.now();
    const value = { holder: this.#holder, ...(this.#note === undefined ? {} : { note: this.#note }) };
    if (!(await store.put(this.#key, value, { expected: this.#version }))) return false;
    const entry = await store.get(this.#key);
    if (entry === undefined || !isJsonObject(entry.value) || entry.value["holder"] !== this.#holder) return false;
    this.#version = entry.version;
    this.#renewedMs = startedMs;
    return true;
  }

  /** Beats and notes follow one another: each expects the version that the one before it has left. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined); // its own caller is told
    return turn;
  }
}

function isFree(value: Json): boolean {
  return isJsonObject(value) && value["free"] === true;
}

function noteOf(value: Json): JsonObject | undefined {
  const note = isJsonObject(value) ? value["note"] : undefined;
  return isJsonObject(note) ? note : undefined;
}
