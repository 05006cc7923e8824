import { setImmediate as nextTurn } from "node:timers/promises";
import { limit } from "../../core/limit.ts";
import { isSqliteBusy } from "../../core/system-failure.ts";
import type { Place } from "../../core/place.ts";
import type { FailureKind } from "../../core/retry.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import {
  type Assignment,
  type KeptRecord,
  LaneReplaced,
  type Log,
  type LogFacts,
  type LogFactory,
  type LogLane,
  type LogRecord,
  RecordsGone,
} from "../../ports/log.ts";
import { type Address, readAddress } from "./address.ts";
import { Appends, valueBytesMaxOf } from "./appends.ts";
import { Arrivals } from "./arrivals.ts";
import { classifyError, closedLog, endsTooEarly, explainError, notOpen } from "./errors.ts";
import { Folder } from "./folder.ts";
import { Membership } from "./membership.ts";
import { type SteadyClock, steadyClock } from "./steady-clock.ts";
import type { Piece } from "./writer.ts";

type Context = Omit<AdapterContext, "engine">;

/**
 * The log role: a folder on a local disk, `log:FOLDER?lanes=8&retention=7d&max=10GB`, that any number of processes of
 * one machine append to and read. Throws URL_INVALID.
 */
export const embeddedLog: LogFactory = (place, context) => embeddedLogWith(place, context, steadyClock(context.now));

/** The same with a clock for leases and ages that tests can turn. */
export function embeddedLogWith(place: Place, context: Context, clock: SteadyClock): Log {
  return new EmbeddedLog(readAddress(place), context, clock);
}

const pauseMsMax = 50;

class EmbeddedLog implements Log {
  readonly shown: string;
  readonly facts: LogFacts;
  readonly #address: Address;
  readonly #context: Context;
  readonly #clock: SteadyClock;
  readonly #appends: Appends;
  readonly #arrivals: Arrivals;
  readonly #members = new Set<Membership>();
  readonly #closing = new AbortController();
  #folder: Promise<Folder> | undefined;
  #isOpen = false;
  #tending: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(address: Address, context: Context, clock: SteadyClock) {
    this.shown = address.shown;
    this.facts = {
      durability: "The records are on the disk: the file they were written to was synced before append resolves.",
      valueBytesMax: valueBytesMaxOf(address.bytesMax),
    };
    this.#address = address;
    this.#context = context;
    this.#clock = clock;
    this.#appends = new Appends(address, (pieces, lanes) => this.#commit(pieces, lanes));
    this.#arrivals = new Arrivals((work) => this.#use(work), context);
  }

  async open(): Promise<void> {
    if (this.#closing.signal.aborted) throw closedLog(this.shown);
    this.#isOpen = true;
    const lanes = await this.lanes();
    const wanted = this.#address.lanes ?? 0;
    if (this.#tending !== undefined) return;
    this.#tending = this.#tend();
    if (wanted > 0 && wanted < lanes.length) {
      this.#context.notice(`${this.shown} has ${lanes.length} lanes and keeps them; the URL asks for ${wanted}`);
    }
  }

  append(records: readonly LogRecord[]): Promise<void> {
    return this.#appends.append(records);
  }

  lanes(): Promise<readonly LogLane[]> {
    return this.#use((folder) => folder.lanes());
  }

  async *assignments(group: string, signal: AbortSignal): AsyncIterable<Assignment> {
    if (signal.aborted) return;
    const parts = { clock: this.#clock, context: this.#context, use: this.#use.bind(this) };
    const stop = new AbortController();
    const membership = new Membership(group, parts, AbortSignal.any([signal, stop.signal, this.#closing.signal]));
    this.#members.add(membership);
    try {
      for (let next = await membership.next(); next !== undefined; next = await membership.next()) yield next;
    } finally {
      stop.abort();
      await membership.ended;
      this.#members.delete(membership);
    }
  }

  async *read(lane: LogLane, offset: bigint, outer: AbortSignal): AsyncIterable<readonly KeptRecord[]> {
    const signal = AbortSignal.any([outer, this.#closing.signal]);
    try {
      for (let next = offset; !signal.aborted; ) {
        const records = await this.#recordsFrom(lane, next);
        const last = records.at(-1);
        if (last === undefined) await this.#arrivals.beyond(lane, next, signal);
        else {
          yield records;
          next = last.offset + 1n;
          // Reading is done at once: others have their turn in between.
          await nextTurn();
        }
      }
    } catch (error) {
      // Whoever has aborted wants to hear of nothing any more, and the log may be closed by now.
      if (!signal.aborted) throw error;
    }
  }

  async settle(group: string, { name, incarnation }: LogLane, offset: bigint): Promise<void> {
    await this.#use((folder) => {
      if (folder.incarnation === incarnation) folder.meeting.settle(group, Number(name), offset);
    });
  }

  classify(error: unknown): FailureKind {
    return classifyError(error);
  }

  explain(error: unknown): Error {
    return explainError(error, this.shown);
  }

  /** Resolves when what was appended is on the disk or has failed, all groups are left and the files let go. */
  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await this.#appends.close();
    await Promise.all([...this.#members].map(({ ended }) => ended));
    await this.#arrivals.close();
    await this.#tending;
    this.#isOpen = false;
    const folder = await this.#folder?.catch(() => undefined);
    await folder?.close();
  }

  async #commit(pieces: readonly Piece[], lanes: number): Promise<number> {
    const folder = await this.#current();
    const found = await folder.thread.append(pieces, lanes, this.#clock());
    this.#arrivals.ring();
    return found;
  }

  /** Throws RecordsGone, LaneReplaced, and SINK_REFUSED when the lane ends before what is next. */
  #recordsFrom(lane: LogLane, next: bigint): Promise<readonly KeptRecord[]> {
    return this.#use((folder) => {
      const records = folder.incarnation === lane.incarnation ? folder.recordsFrom(lane.name, next) : [];
      const start = records[0]?.offset;
      if (start === next) return records;
      const found = folder
        .lanes()
        .find(({ name, incarnation }) => name === lane.name && incarnation === lane.incarnation);
      if (found === undefined) throw new LaneReplaced(`${this.shown}: lane ${lane.name} is not the one it was`);
      if (start !== undefined || next < found.start) throw new RecordsGone(lane.name, next, start ?? found.start);
      if (next > found.end) throw endsTooEarly(this.shown, lane.name, next, found.end);
      return records;
    });
  }

  /** Does `work`, again as long as another process is in the way, up to `limit.lockMs`. */
  async #use<Result>(work: (folder: Folder) => Result): Promise<Result> {
    const start = this.#clock().ms;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return work(await this.#current());
      } catch (error) {
        if (!isSqliteBusy(error) || this.#clock().ms - start > limit.lockMs) throw explainError(error, this.shown);
        await this.#context.pause(Math.min(pauseMsMax, attempt));
      }
    }
  }

  /** The folder as it stands under its path now: opened anew when it was removed or replaced. */
  async #current(): Promise<Folder> {
    if (!this.#isOpen) throw this.#closing.signal.aborted ? closedLog(this.shown) : notOpen(this.shown);
    this.#folder ??= this.#openFolder();
    const opening = this.#folder;
    const folder = await opening;
    if (!folder.isReplaced) return folder;
    if (this.#folder === opening) {
      this.#folder = this.#openFolder();
      this.#context.notice(`${this.shown} was removed or replaced while it was in use; it is opened anew`);
      await folder.close();
    }
    return this.#current();
  }

  async #openFolder(): Promise<Folder> {
    try {
      return await Folder.open(this.#address, this.#clock, () => this.#arrivals.ring());
    } catch (error) {
      this.#folder = undefined;
      throw error;
    }
  }

  /** Removes what is old, now and then. */
  async #tend(): Promise<void> {
    const { signal } = this.#closing;
    let noticed = "";
    while (!signal.aborted) {
      await this.#context.pause(limit.embeddedTrimMs, signal).catch(() => undefined);
      try {
        while (!signal.aborted && (await (await this.#current()).thread.trim(this.#clock()))) await nextTurn();
        noticed = "";
      } catch (error) {
        const { message } = explainError(error, this.shown);
        if (!signal.aborted && message !== noticed) this.#context.notice(`old records are kept: ${message}`);
        noticed = message;
      }
    }
  }
}
