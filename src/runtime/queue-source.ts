import { randomUUID } from "node:crypto";
import type { Position } from "../core/checkpoint.ts";
import type { MessageFormat } from "../ports/messages.ts";
import type { Backlog, KnownLanes, Lane, LaneReader, RawBatch, Source } from "../ports/source.ts";
import { LogBatches } from "./log-batches.ts";
import { logName } from "./log-name.ts";
import { MessageBatches } from "./message-batches.ts";
import { type QueueRecord, QueueRecords, type QueueRecordsOptions } from "./queue-records.ts";

export interface QueueSourceOptions extends Pick<QueueRecordsOptions, "queue" | "bounds" | "context"> {
  /** How records are read. */
  readonly format: MessageFormat;
  /** Lanes that this process reads at the same time. */
  readonly parallel: number;
  /** Whether the ledger is to keep which record of the stage before each record is. */
  readonly lineage?: boolean;
}

/**
 * The source over a queue. A queue has no lanes and no positions of its own: each of those who consume is a lane, with a name
 * that nobody else has or had, and its position counts what it took. What makes each record count once are the ids of the
 * messages. Read once, a lane ends when nothing is left that waits.
 */
export function queueSource(options: QueueSourceOptions): Source {
  return new QueueSource(options);
}

class QueueSource implements Source {
  readonly shown: string;
  readonly repeats: { readonly source: string; readonly ms: number };
  readonly #options: QueueSourceOptions;
  /** When the message was sent that was taken last. */
  #takenMs: number | undefined;
  /** Lanes that are read until nothing waits. */
  readonly #ending = new WeakSet<Lane>();

  constructor(options: QueueSourceOptions) {
    this.#options = options;
    const { queue } = options;
    this.shown = queue.shown;
    this.repeats = { source: logName(queue), ms: queue.facts.repeatMs };
  }

  async *lanes(
    _known: KnownLanes,
    { follow, signal }: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<Lane> {
    const { queue, parallel } = this.#options;
    try {
      await queue.open();
    } catch (error) {
      throw queue.explain(error);
    }
    const { source } = this.repeats;
    for (let number = 0; number < parallel && !signal.aborted; number += 1) {
      const lane: Lane = {
        id: `${source}@${randomUUID()}`,
        source,
        initial: { row: 0, offset: "0" },
        ...(follow ? { until: signal } : {}),
      };
      if (!follow) this.#ending.add(lane);
      yield lane;
    }
  }

  divide(): undefined {
    return undefined;
  }

  async open(lane: Lane, position: Position, signal: AbortSignal): Promise<LaneReader> {
    const taken = (timeMs: number): void => {
      this.#takenMs = timeMs;
    };
    return new QueueLaneReader(this.#options, position, { signal, taken, ends: this.#ending.has(lane) });
  }

  async backlog(): Promise<Backlog> {
    const { queue, context } = this.#options;
    const waiting = (await queue.depth())?.waiting ?? 0;
    const ageMs = waiting === 0 ? 0 : Math.max(0, context.now() - (this.#takenMs ?? context.now()));
    return { source: this.repeats.source, waiting, ageMs };
  }

  isDone(): boolean {
    return false;
  }

  async settle(): Promise<void> {
    // Messages are acknowledged batch by batch.
  }

  close(): Promise<void> {
    return this.#options.queue.close();
  }
}

class QueueLaneReader implements LaneReader {
  readonly #leaving = new AbortController();
  readonly #signal: AbortSignal;
  readonly #records: QueueRecords;
  readonly #batches: LogBatches;
  readonly #made: MessageBatches;
  #position: Position;

  constructor(
    options: QueueSourceOptions,
    position: Position,
    { signal, ...how }: Pick<QueueRecordsOptions, "signal" | "ends" | "taken">,
  ) {
    const { context } = options;
    this.#position = position;
    this.#signal = AbortSignal.any([signal, this.#leaving.signal]);
    this.#records = new QueueRecords({ ...options, ...how, signal: this.#signal, from: offsetOf(position) });
    const bounds = { ...options.bounds, isEnough: () => this.#records.isHalfTaken };
    this.#batches = new LogBatches(this.#records.stream(), bounds, context);
    this.#made = new MessageBatches({ ...options, signal: this.#signal });
  }

  async next(): Promise<RawBatch | undefined> {
    const records = await this.#nextRecords();
    if (records === undefined || this.#signal.aborted) return undefined;
    const ids = records.map(({ id }) => id);
    const batch = await this.#made.batch(records, this.#position, ids);
    this.#position = batch?.end ?? this.#position;
    return batch;
  }

  async settle(position: Position): Promise<void> {
    this.#records.settle(offsetOf(position));
  }

  async close(): Promise<void> {
    this.#leaving.abort();
    await this.#records.close();
    await this.#batches.close();
  }

  async #nextRecords(): Promise<readonly QueueRecord[] | undefined> {
    if (this.#made.left.length > 0) return this.#made.left;
    const records = await this.#batches.next();
    this.#records.beginBatch();
    return records;
  }
}

function offsetOf({ offset }: Position): bigint {
  if (typeof offset === "string" && /^\d+$/.test(offset)) return BigInt(offset);
  throw new TypeError("a position of a queue holds an offset");
}
