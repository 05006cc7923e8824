// A sound log in memory, to see that its suite passes on one, and fails where something of it is broken.
import { MillraceError } from "../../src/core/error.ts";
import { laneOfKey, type LaneShares, shareLanes } from "../../src/core/lane-shares.ts";
import { limit } from "../../src/core/limit.ts";
import {
  type Assignment,
  type KeptRecord,
  LaneReplaced,
  type Log,
  type LogLane,
  type LogRecord,
  RecordsGone,
} from "../../src/ports/log.ts";

const laneCount = 4;
const valueBytesMax = 2_000_000;

interface Member {
  readonly id: string;
  readonly group: string;
}

/** What several logs have in common, as a broker has it. */
export class MemoryPlace {
  incarnation = "first";
  readonly lanes = Array.from({ length: laneCount }, () => ({ start: 0n, records: [] as KeptRecord[] }));
  readonly members = new Set<Member>();
  readonly #shares = new Map<string, LaneShares>();
  readonly #waiting = new Set<() => void>();
  /** Counts changes, so that none is missed between a look and the wait for the next. */
  version = 0;
  #ids = 0;

  newId(): string {
    this.#ids += 1;
    return `${this.#ids}`;
  }

  describe(): LogLane[] {
    return this.lanes.map(({ start, records }, index) => {
      return { name: `${index}`, incarnation: this.incarnation, start, end: start + BigInt(records.length) };
    });
  }

  put(record: LogRecord, index: number): void {
    const lane = this.lanes[index];
    lane?.records.push({ ...record, offset: lane.start + BigInt(lane.records.length) });
  }

  trim(name: string, offset: bigint): void {
    const lane = this.lanes[Number(name)];
    if (lane === undefined || offset <= lane.start) return;
    lane.records.splice(0, Number(offset - lane.start));
    lane.start = offset;
    this.changed();
  }

  recreate(): void {
    this.incarnation = `${this.incarnation} again`;
    for (const lane of this.lanes) {
      lane.start = 0n;
      lane.records.length = 0;
    }
    this.changed();
  }

  /** The share of a member, as all members of its group would compute it. */
  shareOf({ id, group }: Member): readonly string[] {
    const members = [...this.members].filter((one) => one.group === group).map((one) => one.id);
    const shares = shareLanes(
      this.#shares.get(group) ?? {},
      members,
      this.lanes.map((_, index) => `${index}`),
    );
    this.#shares.set(group, shares);
    return shares[id] ?? [];
  }

  changed(): void {
    this.version += 1;
    for (const wake of this.#waiting) wake();
  }

  /** Resolves at the next change after the one that was `seen`, or when the signal aborts. */
  async change(signal: AbortSignal, seen = this.version): Promise<void> {
    if (seen !== this.version) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    signal.addEventListener("abort", () => resolve());
    if (signal.aborted) resolve();
    await promise;
    this.#waiting.delete(resolve);
  }
}

export class MemoryLog implements Log {
  readonly shown = "memory:log";
  readonly facts = { durability: "The records are in memory, for as long as the process lives.", valueBytesMax };
  readonly place: MemoryPlace;
  readonly #closing = new AbortController();
  #anywhere = 0;

  constructor(place: MemoryPlace) {
    this.place = place;
  }

  async open(): Promise<void> {}

  async append(records: readonly LogRecord[]): Promise<void> {
    if (this.#closing.signal.aborted) throw this.#refused("INTERRUPTED", "is closed");
    if (records.some(({ value }) => value.length > valueBytesMax)) throw this.#refused("SINK_REFUSED", "is too large");
    for (const record of records) this.place.put(copyOf(record), this.#laneOf(record));
    this.place.changed();
    await Promise.resolve();
  }

  async lanes(): Promise<readonly LogLane[]> {
    return this.place.describe();
  }

  async *assignments(group: string, outer: AbortSignal): AsyncIterable<Assignment> {
    const signal = AbortSignal.any([outer, this.#closing.signal]);
    if (signal.aborted) return;
    const member = { id: this.place.newId(), group };
    this.place.members.add(member);
    this.place.changed();
    try {
      let before: string | undefined;
      for (let seen = -1; !signal.aborted; await this.place.change(signal, seen)) {
        seen = this.place.version;
        const names = this.place.shareOf(member);
        const assignment = this.place.describe().filter(({ name }) => names.includes(name));
        const keys = JSON.stringify(assignment.map(({ name, incarnation }) => [name, incarnation]));
        if (keys === before) continue;
        before = keys;
        yield assignment;
      }
    } finally {
      this.place.members.delete(member);
      this.place.changed();
    }
  }

  async *read(lane: LogLane, offset: bigint, outer: AbortSignal): AsyncIterable<readonly KeptRecord[]> {
    const signal = AbortSignal.any([outer, this.#closing.signal]);
    for (let next = offset; !signal.aborted; ) {
      const piece = this.#pieceFrom(lane, next);
      if (piece.length === 0) await this.place.change(signal);
      else yield piece;
      next = (piece.at(-1)?.offset ?? next - 1n) + 1n;
    }
  }

  async settle(): Promise<void> {}

  classify(error: unknown): "wait" | "stop" {
    return error instanceof MillraceError && error.code === "SINK_FULL" ? "wait" : "stop";
  }

  explain(error: unknown): Error {
    if (error instanceof MillraceError || error instanceof RecordsGone || error instanceof LaneReplaced) return error;
    return this.#refused("INTERNAL", error instanceof Error ? error.message : String(error));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.resolve();
  }

  #laneOf({ key }: LogRecord): number {
    if (key !== undefined) return laneOfKey(key, laneCount);
    this.#anywhere = (this.#anywhere + 1) % laneCount;
    return this.#anywhere;
  }

  #pieceFrom({ name, incarnation }: LogLane, next: bigint): KeptRecord[] {
    const lane = this.place.lanes[Number(name)];
    if (lane === undefined || this.place.incarnation !== incarnation) throw new LaneReplaced(`lane ${name}`);
    if (next < lane.start) throw new RecordsGone(name, next, lane.start);
    const end = lane.start + BigInt(lane.records.length);
    if (next > end) throw this.#refused("SINK_REFUSED", `ends at ${end}, and ${next} is next`);
    const piece: KeptRecord[] = [];
    for (let bytes = 0, index = Number(next - lane.start); bytes < limit.logPieceBytes; index += 1) {
      const record = lane.records[index];
      if (record === undefined) break;
      piece.push(record);
      bytes += record.value.length;
    }
    return piece;
  }

  #refused(code: "INTERRUPTED" | "SINK_REFUSED" | "INTERNAL", why: string): MillraceError {
    return new MillraceError(code, `${this.shown}: ${why}`, { remedy: "Do something else." });
  }
}

function copyOf(record: LogRecord): LogRecord {
  const { key, value } = record;
  return { ...record, value: value.slice(), ...(key === undefined ? {} : { key: key.slice() }) };
}
