import { setImmediate as nextTurn } from "node:timers/promises";
import { laneOfKey } from "../../core/lane-shares.ts";
import { limit } from "../../core/limit.ts";
import type { LogRecord } from "../../ports/log.ts";
import type { Address } from "./address.ts";
import { closedLog, tooLarge, tooMuchWaits } from "./errors.ts";
import { rowBytesOf, RowWriter } from "./row-bytes.ts";
import type { Piece } from "./writer.ts";

interface Call {
  readonly records: readonly LogRecord[];
  readonly bytes: number;
  /** Resolves when they are on the disk. */
  readonly done: PromiseWithResolvers<void>;
}

/** Memory of a call beside its records. */
const callBytes = 512;

/** Writes pieces that were made for `lanes` lanes; answers how many there are, and has done nothing when it is another number. */
type Commit = (pieces: readonly Piece[], lanes: number) => Promise<number>;

/** A log that is empty has room for several of the largest value. */
export function valueBytesMaxOf(bytesMax: number): number {
  return Math.min(limit.logValueBytes, Math.floor(bytesMax / 4));
}

/**
 * Gathers what is appended at the same time: what comes while one commit is on its way to the disk goes into the next.
 * A call is never divided: it is in the log as a whole, or not at all.
 */
export class Appends {
  readonly #shown: string;
  readonly #bytesMax: number;
  readonly #commitBytes: number;
  readonly #commit: Commit;
  readonly #waiting: Call[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #closed = false;
  /** As far as known; the log itself knows it better. */
  #lanes = 1;
  #anywhere = 0;

  constructor({ shown, bytesMax }: Pick<Address, "shown" | "bytesMax">, commit: Commit) {
    this.#shown = shown;
    this.#bytesMax = bytesMax;
    // Several that come together must not be refused for want of room that each of them would find.
    this.#commitBytes = Math.min(limit.embeddedCommitBytes, bytesMax / 8);
    this.#commit = commit;
  }

  /** See `Log.append`. */
  async append(records: readonly LogRecord[]): Promise<void> {
    if (this.#closed) throw closedLog(this.#shown);
    if (records.length === 0) return;
    for (const record of records) this.#check(record);
    const bytes = records.reduce((sum, record) => sum + rowBytesOf(record), callBytes);
    if (bytes > this.#bytesMax) throw tooLarge(this.#shown, "an append", bytes, this.#bytesMax);
    if (this.#waiting.length > 0 && this.#waitingBytes + bytes > limit.embeddedWaitingBytes) {
      throw tooMuchWaits(this.#shown, this.#waitingBytes);
    }
    const call: Call = { records, bytes, done: Promise.withResolvers() };
    this.#waiting.push(call);
    this.#waitingBytes += bytes;
    this.#running ??= this.#run();
    await call.done.promise;
  }

  /** Resolves when what was appended before is written or has failed. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  #check({ value, key, id = "" }: LogRecord): void {
    const sizes = [
      ["a value", value.length, valueBytesMaxOf(this.#bytesMax)],
      ["a key", key?.length ?? 0, limit.embeddedKeyBytes],
      // Up to three bytes a character; counted only where it may matter.
      ["an id", 3 * id.length > limit.embeddedKeyBytes ? Buffer.byteLength(id) : 0, limit.embeddedKeyBytes],
    ] as const;
    for (const [what, bytes, bytesMax] of sizes) {
      if (bytes > bytesMax) throw tooLarge(this.#shown, what, bytes, bytesMax);
    }
  }

  async #run(): Promise<void> {
    // Whoever appends in this turn of the event loop is in the first commit.
    await nextTurn();
    while (this.#waiting.length > 0) {
      const calls = this.#take();
      try {
        await this.#write(calls);
        for (const { done } of calls) done.resolve();
      } catch (error) {
        for (const { done } of calls) done.reject(error);
      }
      // Those who waited for this commit append their next records now.
      await nextTurn();
    }
    this.#running = undefined;
  }

  #take(): readonly Call[] {
    let count = 0;
    let bytes = 0;
    for (const call of this.#waiting) {
      if (count > 0 && bytes + call.bytes > this.#commitBytes) break;
      bytes += call.bytes;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #write(calls: readonly Call[]): Promise<void> {
    for (;;) {
      const lanes = this.#lanes;
      this.#lanes = await this.#commit(this.#piecesOf(calls), lanes);
      if (this.#lanes === lanes) return;
    }
  }

  /** The rows of each lane, in order. */
  #piecesOf(calls: readonly Call[]): readonly Piece[] {
    const pieces: Piece[] = [];
    const open = new Map<number, RowWriter>();
    const finish = (lane: number, row: RowWriter): void => {
      pieces.push({ lane, records: row.records, bytes: row.finish() });
      open.delete(lane);
    };
    for (const { records } of calls) {
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
