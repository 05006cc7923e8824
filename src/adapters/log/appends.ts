import { setImmediate as nextTurn } from "node:timers/promises";
import { laneOfKey } from "../../core/lane-shares.ts";
import { limit } from "../../core/limit.ts";
import type { LogRecord } from "../../ports/log.ts";
import { closedLog, tooLarge, tooMuchWaits } from "./errors.ts";
import { rowBytesOf, RowWriter } from "./row-bytes.ts";
import type { Piece } from "./writer.ts";

/** Consecutive records of one call, few enough for one commit. */
interface Portion {
  readonly records: readonly LogRecord[];
  readonly bytes: number;
  /** Resolves when they are on the disk. */
  readonly done: PromiseWithResolvers<void>;
}

/** Writes pieces that were made for `lanes` lanes; answers how many there are, and has done nothing when it is another number. */
type Commit = (pieces: readonly Piece[], lanes: number) => Promise<number>;

/** Gathers what is appended at the same time: what comes while one commit is on its way to the disk goes into the next. */
export class Appends {
  readonly #shown: string;
  readonly #commit: Commit;
  readonly #waiting: Portion[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #closed = false;
  /** As far as known; the log itself knows it better. */
  #lanes = 1;
  #anywhere = 0;

  constructor(shown: string, commit: Commit) {
    this.#shown = shown;
    this.#commit = commit;
  }

  /** See `Log.append`. */
  async append(records: readonly LogRecord[]): Promise<void> {
    if (this.#closed) throw closedLog(this.#shown);
    for (const record of records) this.#check(record);
    const portions = portionsOf(records);
    const bytes = portions.reduce((sum, portion) => sum + portion.bytes, 0);
    if (this.#waiting.length > 0 && this.#waitingBytes + bytes > limit.embeddedWaitingBytes) {
      throw tooMuchWaits(this.#shown, this.#waitingBytes);
    }
    this.#waiting.push(...portions);
    this.#waitingBytes += bytes;
    this.#running ??= this.#run();
    await Promise.all(portions.map(({ done }) => done.promise));
  }

  /** Resolves when what was appended before is written or has failed. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  #check({ value, key, id }: LogRecord): void {
    const { logValueBytes, embeddedKeyBytes } = limit;
    if (value.length > logValueBytes) throw tooLarge(this.#shown, "a value", value.length, logValueBytes);
    if (key !== undefined && key.length > embeddedKeyBytes) {
      throw tooLarge(this.#shown, "a key", key.length, embeddedKeyBytes);
    }
    if (id !== undefined && Buffer.byteLength(id) > embeddedKeyBytes) {
      throw tooLarge(this.#shown, "an id", Buffer.byteLength(id), embeddedKeyBytes);
    }
  }

  async #run(): Promise<void> {
    // Whoever appends in this turn of the event loop is in the first commit.
    await nextTurn();
    while (this.#waiting.length > 0) {
      const portions = this.#take();
      try {
        await this.#write(portions);
        for (const { done } of portions) done.resolve();
      } catch (error) {
        for (const { done } of portions) done.reject(error);
      }
      // Those who waited for this commit append their next records now.
      await nextTurn();
    }
    this.#running = undefined;
  }

  #take(): readonly Portion[] {
    let count = 0;
    let bytes = 0;
    for (const portion of this.#waiting) {
      if (count > 0 && bytes + portion.bytes > limit.embeddedCommitBytes) break;
      bytes += portion.bytes;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #write(portions: readonly Portion[]): Promise<void> {
    for (;;) {
      const lanes = this.#lanes;
      this.#lanes = await this.#commit(this.#piecesOf(portions), lanes);
      if (this.#lanes === lanes) return;
    }
  }

  /** The rows of each lane, in order. */
  #piecesOf(portions: readonly Portion[]): readonly Piece[] {
    const pieces: Piece[] = [];
    const open = new Map<number, RowWriter>();
    const finish = (lane: number, row: RowWriter): void => {
      pieces.push({ lane, records: row.records, bytes: row.finish() });
      open.delete(lane);
    };
    for (const { records } of portions) {
      this.#anywhere = (this.#anywhere + 1) % this.#lanes;
      for (const record of records) {
        const lane = record.key === undefined ? this.#anywhere : laneOfKey(record.key, this.#lanes);
        const row = open.get(lane) ?? new RowWriter();
        open.set(lane, row);
        row.add(record);
        if (row.isFull) finish(lane, row);
      }
    }
    for (const [lane, row] of open) finish(lane, row);
    return pieces;
  }
}

function portionsOf(records: readonly LogRecord[]): readonly Portion[] {
  const portions: Portion[] = [];
  let from = 0;
  let bytes = 0;
  const cut = (to: number): void => {
    if (to > from) portions.push({ records: records.slice(from, to), bytes, done: Promise.withResolvers() });
    [from, bytes] = [to, 0];
  };
  for (const [index, record] of records.entries()) {
    const more = rowBytesOf(record);
    if (bytes + more > limit.embeddedCommitBytes) cut(index);
    bytes += more;
  }
  cut(records.length);
  return portions;
}
