import type { Position } from "../core/checkpoint.ts";
import { limit } from "../core/limit.ts";
import type { KeptRecord } from "../ports/log.ts";
import type { DecodedMessages, MessageFormat } from "../ports/messages.ts";
import type { RawBatch } from "../ports/source.ts";
import { interrupted } from "./interruption.ts";
import type { BatchBounds } from "./log-batches.ts";
import { decodeWithout, twinsIn } from "./message-repeats.ts";
import { originsField, packOrigins } from "./origins.ts";

export interface MessageBatchOptions {
  readonly format: MessageFormat;
  readonly bounds: BatchBounds;
  /** Whether the ledger is to keep which record of the stage before each record is. */
  readonly lineage?: boolean;
  readonly signal: AbortSignal;
}

/** Makes batches of the records of a lane, as they come from a log or a queue. */
export class MessageBatches {
  readonly #options: MessageBatchOptions;
  #left: readonly KeptRecord[] = [];

  constructor(options: MessageBatchOptions) {
    this.#options = options;
  }

  /** Records of a batch that was cut short, as what became of it was large: they come first in the next one. */
  get left(): readonly KeptRecord[] {
    return this.#left;
  }

  /**
   * The records, or as many of them as fit, as a batch that begins at `start`; `ids` are what repeats of them are known
   * by. Undefined when the lane was left meanwhile.
   */
  async batch(
    records: readonly KeptRecord[],
    start: Position,
    ids: readonly (string | undefined)[],
  ): Promise<RawBatch | undefined> {
    const batch = await this.#decode(records, twinsIn(ids));
    if (batch === undefined) return undefined;
    const taken = records.slice(0, batch.read);
    this.#left = records.slice(batch.read);
    const last = taken.at(-1)?.offset ?? 0n;
    const end = { row: start.row + taken.length, offset: String(last + 1n) };
    const timesMs = Float64Array.from(taken, ({ timeMs }) => timeMs);
    const so = { end, timesMs };
    const messageIds = ids.slice(0, batch.read);
    if (messageIds.every((id) => id === undefined)) return { ...batch, ...so, start };
    return this.#withIds(batch, taken, { ...so, start: this.#withOrigins(start, messageIds), messageIds });
  }

  /** Records that a stage sent carry its ids, by which repeats are known; what others appended comes as it is. */
  #withIds(
    batch: DecodedMessages,
    taken: readonly KeptRecord[],
    so: Pick<RawBatch, "start" | "end" | "timesMs" | "messageIds">,
  ): RawBatch {
    const without = async (repeats: ReadonlySet<number>): Promise<RawBatch> => {
      const rest = await this.#decode(taken, repeats);
      if (rest === undefined) throw interrupted();
      return this.#withIds(rest, taken, so);
    };
    return { ...batch, ...so, without };
  }

  #withOrigins(start: Position, messageIds: readonly (string | undefined)[]): Position {
    const origins = this.#options.lineage === true ? packOrigins(messageIds) : undefined;
    return origins === undefined ? start : { ...start, [originsField]: origins };
  }

  /** Undefined when the lane was left meanwhile. */
  async #decode(records: readonly KeptRecord[], repeats: ReadonlySet<number>): Promise<DecodedMessages | undefined> {
    const { format, bounds, signal } = this.#options;
    const { recordBytes, rejectBytes, batchRecords } = limit;
    const batchBytes = bounds.bytes * limit.decodedRatio;
    try {
      return await decodeWithout(format, records, repeats, {
        bounds: { batchBytes, batchRecords, recordBytes, rejectBytes },
        signal,
      });
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }
}
