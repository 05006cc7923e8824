import { limit } from "../../core/limit.ts";
import { pauseUnlessAborted, type Time } from "../../core/time.ts";
import type { LogLane } from "../../ports/log.ts";
import { type Bucket, keyPart } from "./bucket.ts";
import type { Connection } from "./connection.ts";
import { infoOf } from "./streams.ts";

export interface SettledParts {
  readonly connection: Connection;
  readonly entries: Bucket;
  readonly streamOf: (lane: LogLane) => string;
  /** Whether what all groups have settled is removed. */
  readonly trims: boolean;
  readonly time: Time;
}

interface Settlement {
  readonly group: string;
  readonly lane: LogLane;
  readonly offset: bigint;
}

/** What groups have settled: an entry `settled.<group>.<lane>` each, written once in a while, for people and for trimming. */
export class Settled {
  readonly #parts: SettledParts;
  readonly #closing = new AbortController();
  #waiting = new Map<string, Settlement>();
  #writing: Promise<void> | undefined;
  readonly #begun = new Set<string>();

  constructor(parts: SettledParts) {
    this.#parts = parts;
  }

  settle(settlement: Settlement): void {
    this.#waiting.set(keyOf(settlement), settlement);
    this.#writing ??= this.#write();
  }

  /** From now on a group that has settled nothing yet of these lanes keeps everything. Called now and then. */
  async begin(group: string, lanes: readonly LogLane[]): Promise<void> {
    if (!this.#parts.trims) return;
    for (const lane of lanes) {
      const settlement = { group, lane, offset: lane.start };
      const begun = `${keyOf(settlement)}@${lane.incarnation}`;
      if (this.#begun.has(begun)) continue;
      const isNew = await this.#parts.entries.put(keyOf(settlement), textOf(settlement), 0);
      if (!isNew) await this.#renew(settlement);
      this.#begun.add(begun);
    }
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.size > 0) {
      await pauseUnlessAborted(limit.natsSettleMs, this.#parts.time, this.#closing.signal);
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

  async #writeOne(settlement: Settlement): Promise<void> {
    await this.#parts.entries.put(keyOf(settlement), textOf(settlement));
    if (this.#parts.trims) await this.#trim(settlement.lane);
  }

  /** What the group settled of a stream that is gone says nothing of the one in its place. */
  async #renew(settlement: Settlement): Promise<void> {
    const { entries } = this.#parts;
    const entry = await entries.get(keyOf(settlement));
    const isOld = offsetIn(entry?.value, settlement.lane) === undefined;
    if (isOld) await entries.put(keyOf(settlement), textOf(settlement), entry?.revision ?? 0);
  }

  async #trim(lane: LogLane): Promise<void> {
    const { connection, entries, streamOf } = this.#parts;
    const keys = await entries.keys(`settled.*.${lane.name}`);
    const offsets = await Promise.all(keys.map(async (key) => offsetIn((await entries.get(key))?.value, lane)));
    const settled = offsets.filter((offset) => offset !== undefined);
    if (settled.length < keys.length) return;
    const least = settled.reduce((some, other) => (some < other ? some : other));
    const client = await connection.client();
    const info = await infoOf(client, streamOf(lane));
    if (info?.created !== lane.incarnation || BigInt(info.state.first_seq) >= least) return;
    await client.streams.purge(streamOf(lane), { seq: Number(least) });
  }
}

function keyOf({ group, lane }: Settlement): string {
  return `settled.${keyPart(group)}.${lane.name}`;
}

function textOf({ lane, offset }: Settlement): string {
  return JSON.stringify({ offset: String(offset), incarnation: lane.incarnation });
}

/** Undefined when it is not of this lane as it is now. */
function offsetIn(text: string | undefined, { incarnation }: LogLane): bigint | undefined {
  const read = text === undefined ? {} : (JSON.parse(text) as { offset?: unknown; incarnation?: unknown });
  return read.incarnation === incarnation && typeof read.offset === "string" ? BigInt(read.offset) : undefined;
}
