import { limit } from "../../core/limit.ts";
import { pauseUnlessAborted, type Time } from "../../core/time.ts";
import type { LogLane } from "../../ports/log.ts";
import type { LogConnection } from "./log-connection.ts";
import { idOf } from "./offset.ts";

export interface SettledParts {
  readonly connection: LogConnection;
  /** Undefined for a lane that the log has no more. */
  readonly keyOf: (lane: LogLane) => string | undefined;
  /** Whether what all groups have settled is removed. */
  readonly trims: boolean;
  readonly time: Time;
}

interface Settlement {
  readonly group: string;
  readonly lane: LogLane;
  readonly offset: bigint;
}

/** What groups have settled, written once in a while as the last id of a consumer group, for people and for trimming. */
export class Settled {
  readonly #parts: SettledParts;
  readonly #closing = new AbortController();
  #waiting = new Map<string, Settlement>();
  #writing: Promise<void> | undefined;

  constructor(parts: SettledParts) {
    this.#parts = parts;
  }

  settle(settlement: Settlement): void {
    const { group, lane } = settlement;
    this.#waiting.set(JSON.stringify([group, lane.name, lane.incarnation]), settlement);
    this.#writing ??= this.#write();
  }

  /** From now on a group that has settled nothing yet keeps everything. */
  async begin(group: string, lanes: readonly LogLane[]): Promise<void> {
    const keys = lanes.map((lane) => this.#parts.keyOf(lane)).filter((key) => key !== undefined);
    if (this.#parts.trims && keys.length > 0) await this.#parts.connection.run("begin", keys, [group]);
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.size > 0) {
      await pauseUnlessAborted(limit.redisSettleMs, this.#parts.time, this.#closing.signal);
      const settlements = [...this.#waiting.values()];
      this.#waiting = new Map();
      try {
        for (const settlement of settlements) await this.#writeOne(settlement);
      } catch {
        // A hint: the next one says more.
      }
    }
    this.#writing = undefined;
  }

  async #writeOne({ group, lane, offset }: Settlement): Promise<void> {
    const { connection, keyOf, trims } = this.#parts;
    const key = keyOf(lane);
    if (key === undefined) return;
    const last = offset > 0n ? idOf(offset - 1n) : "0-0";
    await connection.run("settle", [key], [lane.incarnation, group, last, trims ? 1 : 0]);
  }
}
