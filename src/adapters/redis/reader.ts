import { limit } from "../../core/limit.ts";
import { Patience } from "../../core/patience.ts";
import type { Time } from "../../core/time.ts";
import { type KeptRecord, LaneReplaced, type LogLane, RecordsGone } from "../../ports/log.ts";
import type { Answer } from "./connection.ts";
import { recordOf } from "./entry.ts";
import { classifyError } from "./errors.ts";
import type { LogAddress } from "./log-address.ts";
import { type LogClient, connectToLog } from "./log-connection.ts";
import { idOf, offsetOf } from "./offset.ts";
import { endsTooEarly, idWithoutOffset } from "./refusals.ts";

/** What a stream is like at the moment at which entries are read from it. */
interface Look {
  /** Of the oldest entry; undefined when there is none. */
  readonly first: bigint | undefined;
  /** Behind the last id that was given. */
  readonly end: bigint;
  /** Entries since the stream was made, and those of them that were removed, for whatever reason. */
  readonly added: number;
  readonly removed: number;
  /** Not below the last one that had been trimmed when `removedThen` had been removed. */
  readonly trimmed: bigint;
  readonly removedThen: number;
}

/** Reads one lane, on connections of its own: at the end it waits on one in the server. */
export class LaneReader {
  readonly #address: LogAddress;
  readonly #time: Time;
  readonly #lane: LogLane;
  readonly #key: string;
  readonly #signal: AbortSignal;
  /** The offset that comes next. */
  #next: bigint;
  #client: LogClient | undefined;
  /** So many of the first entries that the stream ever had are not to be read any more, at least. */
  #passed = 0;

  constructor(
    { address, time }: { readonly address: LogAddress; readonly time: Time },
    { lane, key, offset, signal }: { lane: LogLane; key: string; offset: bigint; signal: AbortSignal },
  ) {
    this.#address = address;
    this.#time = time;
    this.#lane = lane;
    this.#key = key;
    this.#signal = signal;
    this.#next = offset;
  }

  /** See `Log.read`. */
  async *pieces(): AsyncGenerator<readonly KeptRecord[], void> {
    const patience = new Patience({
      time: this.#time,
      signal: this.#signal,
      patienceMs: limit.redisPatienceMs,
      classify: classifyError,
      random: Math.random,
    });
    const leave = (): void => this.#client?.close();
    this.#signal.addEventListener("abort", leave);
    try {
      while (!this.#signal.aborted) {
        try {
          const piece = await this.#piece();
          patience.renew();
          if (this.#signal.aborted) return;
          if (piece.length > 0) yield piece;
          else await this.#waitForMore();
        } catch (error) {
          if (this.#signal.aborted) return;
          await patience.bear(error);
        }
      }
    } finally {
      this.#signal.removeEventListener("abort", leave);
      this.#client?.close();
    }
  }

  async #connected(): Promise<LogClient> {
    if (this.#client === undefined || this.#client.isLost) {
      this.#client = await connectToLog(this.#address, this.#signal);
    }
    return this.#client;
  }

  /** Empty at the end. */
  async #piece(): Promise<readonly KeptRecord[]> {
    const client = await this.#connected();
    const parts = [this.#lane.incarnation, idOf(this.#next), limit.logPieceBytes, limit.redisPiece];
    const answer = (await client.runForBytes("read", [this.#key], parts)) as readonly Answer[];
    const [facts, entries] = answer as readonly (readonly Answer[] | undefined)[];
    if (facts === undefined) throw new LaneReplaced(`the stream ${this.#key} is not the one it was`);
    const look = this.#lookOf(facts);
    this.#check(look);
    const piece = (entries ?? []).map((entry) => this.#recordOf(entry as readonly [Buffer, readonly Buffer[]]));
    this.#next = (piece.at(-1)?.offset ?? this.#next - 1n) + 1n;
    this.#passed = this.#next === look.end ? look.added : this.#passed + piece.length;
    return piece;
  }

  /**
   * Throws RecordsGone where entries that were still to be read may have been removed. Redis tells how many were removed,
   * the oldest first, and not which. None was that is still to be read when the oldest entry is not behind what is next,
   * or no more were than this reader has passed, or the last that was is known to be before what is next. Entries that
   * were removed one by one, from between others, count as passed over on purpose.
   */
  #check({ first, end, removed, trimmed, removedThen }: Look): void {
    if (this.#next > end) throw endsTooEarly(this.#address, this.#key, idOf(this.#next), idOf(end - 1n));
    const start = first ?? end;
    const isAllThere =
      start <= this.#next || removed <= this.#passed || (removed === removedThen && trimmed < this.#next);
    if (!isAllThere) throw new RecordsGone(this.#lane.name, this.#next, start);
    this.#passed = Math.max(this.#passed, removed);
  }

  /** Resolves when there may be an entry, or after a while. Not what is read: the stream may be another one by then. */
  async #waitForMore(): Promise<void> {
    const client = await this.#connected();
    const last = this.#next === 0n ? "0-0" : idOf(this.#next - 1n);
    await client.ask("XREAD", "COUNT", 1, "BLOCK", limit.redisBlockMs, "STREAMS", this.#key, last);
  }

  #lookOf([first, last, added, removed, trimmed, removedThen]: readonly Answer[]): Look {
    return {
      first: String(first) === "" ? undefined : this.#offsetOf(String(first)),
      end: this.#offsetOf(String(last)) + 1n,
      added: Number(added),
      removed: Number(removed),
      trimmed: offsetOf(String(trimmed)) ?? 0n,
      removedThen: Number(removedThen),
    };
  }

  #recordOf([id, pairs]: readonly [Buffer, readonly Buffer[]]): KeptRecord {
    return recordOf(this.#offsetOf(id.toString("latin1")), pairs);
  }

  #offsetOf(id: string): bigint {
    const offset = offsetOf(id);
    if (offset === undefined) throw idWithoutOffset(this.#address, this.#key, id);
    return offset;
  }
}
