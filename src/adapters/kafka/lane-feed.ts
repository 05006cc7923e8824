import { Bell } from "../../core/bell.ts";
import { limit } from "../../core/limit.ts";
import type { Time } from "../../core/time.ts";
import type { KeptRecord, LogLane } from "../../ports/log.ts";
import type { Address } from "./address.ts";
import { batchesOf, isAbort, isControl, isTransactional, type KeptBatch, keptRecords } from "./record-batch.ts";
import { unreadable } from "./refusals.ts";
import type { Aborted, FetchedPartition } from "./requests.ts";

/** What one fetch brought for a lane. */
interface Portion {
  readonly batches: KeptBatch[];
  /** In the order of their offsets; those that are not reached yet. */
  readonly aborted: Aborted[];
  /** Producers whose transaction, at the place reached, is one that was aborted. */
  readonly aborting: Set<bigint>;
}

/** A lane that is read: what was fetched ahead for it, as bytes, and how its fetches go. */
export class LaneFeed {
  readonly #address: Address;
  readonly lane: LogLane;
  readonly partition: number;
  readonly #bell: Bell;
  readonly #portions: Portion[] = [];
  readonly #taken: () => void;
  /** Where the next fetch begins. */
  nextOffset: bigint;
  /** Where what is handed out begins. */
  #from: bigint;
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;
  /** A fetch of it is under way. */
  fetching = false;
  /** In ms since 1970. */
  retryAt = 0;
  failures = 0;
  failingSince: number | undefined;
  /** Since when the broker says that the lane ends before `nextOffset`. */
  beyondSince: number | undefined;

  /** `taken` is called when there is room for more. */
  constructor(address: Address, lane: LogLane, offset: bigint, time: Time, taken: () => void) {
    this.#address = address;
    this.lane = lane;
    this.partition = Number(lane.name);
    this.nextOffset = offset;
    this.#from = offset;
    this.#bell = new Bell(time);
    this.#taken = taken;
  }

  /** Fetched and not taken. */
  get bytes(): number {
    return this.#bytes;
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Takes in what was fetched from `nextOffset` on. */
  put({ records, aborted }: FetchedPartition): void {
    const batches = this.#batchesIn(records);
    const last = batches.at(-1);
    if (last === undefined) return;
    this.nextOffset = last.lastOffset + 1n;
    this.#bytes += batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
    this.#portions.push({ batches, aborted: inOrder(aborted), aborting: new Set() });
    this.#bell.ring();
  }

  #batchesIn(records: Buffer): KeptBatch[] {
    try {
      const batches = batchesOf(records);
      if (batches.length === 0 && records.length > 0) throw new RangeError("it is a part of a batch");
      return batches.filter(({ lastOffset }) => lastOffset >= this.nextOffset);
    } catch (error) {
      throw unreadable(this.#address, this.lane.name, this.nextOffset, error);
    }
  }

  /** Ends the lane with an error, once what was fetched before is taken. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#bell.ring();
  }

  /** See `Log.read`. */
  async *read(signal: AbortSignal): AsyncGenerator<readonly KeptRecord[], void> {
    const wake = (): void => this.#bell.ring();
    signal.addEventListener("abort", wake);
    try {
      yield* this.#pieces(signal);
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  async *#pieces(signal: AbortSignal): AsyncGenerator<readonly KeptRecord[], void> {
    let piece: KeptRecord[] = [];
    let bytes = 0;
    while (!signal.aborted) {
      const records = await this.#take();
      for (const record of records ?? []) {
        piece.push(record);
        bytes += record.value.length + (record.key?.length ?? 0);
        if (bytes < limit.logPieceBytes) continue;
        yield piece;
        if (signal.aborted) return;
        [piece, bytes] = [[], 0];
      }
      if (records !== undefined) continue;
      if (piece.length > 0) {
        yield piece;
        [piece, bytes] = [[], 0];
      } else if (this.#failure !== undefined) throw this.#failure.error;
      else await this.#bell.heard();
    }
  }

  /** The records of the next batch, which may be none; undefined when nothing is at hand. */
  async #take(): Promise<readonly KeptRecord[] | undefined> {
    const portion = this.#portions[0];
    const batch = portion?.batches.shift();
    if (portion === undefined || batch === undefined) return undefined;
    if (portion.batches.length === 0) this.#portions.shift();
    this.#bytes -= batch.bytes.length;
    this.#taken();
    const from = this.#from;
    this.#from = batch.lastOffset + 1n;
    try {
      return (await isLeftOut(batch, portion)) ? [] : await keptRecords(batch, from);
    } catch (error) {
      throw unreadable(this.#address, this.lane.name, batch.baseOffset, error);
    }
  }
}

/** Marks of transactions, and what an aborted one has written. */
async function isLeftOut(batch: KeptBatch, { aborted, aborting }: Portion): Promise<boolean> {
  for (let next = aborted[0]; next !== undefined && next.firstOffset <= batch.lastOffset; next = aborted[0]) {
    aborting.add(next.producerId);
    aborted.shift();
  }
  if (isControl(batch)) {
    if (await isAbort(batch)) aborting.delete(batch.producerId);
    return true;
  }
  return isTransactional(batch) && aborting.has(batch.producerId);
}

function inOrder(aborted: readonly Aborted[]): Aborted[] {
  return aborted.toSorted((one, other) => Number(one.firstOffset - other.firstOffset));
}
