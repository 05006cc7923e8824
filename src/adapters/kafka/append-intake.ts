import { limit } from "../../core/limit.ts";
import type { LogRecord } from "../../ports/log.ts";
import type { Address } from "./address.ts";
import type { AppendCall } from "./append-call.ts";
import { partitionOf } from "./partition.ts";
import { PartitionQueue, PendingBatch } from "./partition-queue.ts";
import { recordBytesMax } from "./record-batch.ts";
import { tooMuchWaits } from "./refusals.ts";

/** What brokers take unless they are told otherwise: `message.max.bytes`. */
export const usualBatchBytesMax = 1_048_588;

/**
 * Appends on their way into batches, first come first served: at most `limit.kafkaQueueBytes` stand in batches, the
 * others wait, and beyond `limit.kafkaWaitingBytes` they are refused before anything of them is appended.
 */
export class AppendIntake {
  readonly queues: PartitionQueue[] = [];
  readonly #address: Address;
  readonly #now: () => number;
  /** Called when a batch is opened or full. */
  readonly #changed: () => void;
  /** The oldest first, from `#first` on; the places before are empty. */
  #waiting: (AppendCall | undefined)[] = [];
  #first = 0;
  #waitingBytes = 0;
  #queuedBytes = 0;
  /** Where records without a key go, until its batch is full or sent. */
  #anywhere: { readonly queue: PartitionQueue; readonly batch: PendingBatch } | undefined;
  /** `max.message.bytes` of the topic; undefined when it may not be asked for. */
  batchBytesMax: number | undefined;

  constructor(address: Address, now: () => number, changed: () => void) {
    this.#address = address;
    this.#now = now;
    this.#changed = changed;
  }

  /** Whether all that was taken is confirmed or given up. */
  get idle(): boolean {
    return this.oldest === undefined && this.queues.every(({ isSettled }) => isSettled);
  }

  /** Of those that do not stand in batches as a whole. */
  get oldest(): AppendCall | undefined {
    return this.#waiting[this.#first];
  }

  /** Throws SINK_FULL. */
  take(call: AppendCall): void {
    if (this.oldest !== undefined && this.#waitingBytes + call.bytes > limit.kafkaWaitingBytes) {
      throw tooMuchWaits(this.#address, this.#waitingBytes);
    }
    this.#waiting.push(call);
    this.#waitingBytes += call.bytes;
  }

  /** Puts waiting records into batches, as far as there is room. */
  place(partitions: number): void {
    if (partitions === 0) return;
    for (let call = this.oldest; call !== undefined; call = this.oldest) {
      for (; call.placed < call.records.length && !call.failed; call.placed += 1) {
        if (this.#queuedBytes >= limit.kafkaQueueBytes) return;
        const record = call.records[call.placed];
        if (record !== undefined) this.#add(record, call, partitions);
      }
      this.forgetOldest();
    }
  }

  forgetOldest(): void {
    this.#waitingBytes -= this.oldest?.bytes ?? 0;
    this.#waiting[this.#first] = undefined;
    this.#first += 1;
    if (this.#first < 1_000 || this.#first * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }

  /** A batch has left its queue. */
  release(batch: PendingBatch): void {
    this.#queuedBytes -= batch.countedBytes;
  }

  #add(record: LogRecord, call: AppendCall, partitions: number): void {
    const { key } = record;
    const queue = key === undefined ? this.#someQueue(partitions) : this.#queue(partitionOf(key, partitions));
    const batch = this.#openBatch(queue, call, recordBytesMax(record));
    const before = batch.bytes.size;
    batch.add(record, call);
    batch.countedBytes += batch.bytes.size - before;
    this.#queuedBytes += batch.bytes.size - before;
    if (key === undefined) this.#anywhere = { queue, batch };
    if (batch.bytes.size >= Math.min(limit.kafkaBatchBytes, this.#batchBytesMax)) {
      batch.close();
      this.#changed();
    }
  }

  get #batchBytesMax(): number {
    return this.batchBytesMax ?? usualBatchBytesMax;
  }

  /** One that has room for the record: a batch that is too large is refused as a whole. */
  #openBatch(queue: PartitionQueue, call: AppendCall, recordBytes: number): PendingBatch {
    const { last } = queue;
    if (last !== undefined && !last.closed) {
      if (last.bytes.size + recordBytes <= this.#batchBytesMax) return last;
      last.close();
    }
    const batch = new PendingBatch(this.#now(), call.deadline);
    queue.push(batch);
    this.#changed();
    return batch;
  }

  #someQueue(partitions: number): PartitionQueue {
    const { queue, batch } = this.#anywhere ?? {};
    if (queue !== undefined && batch?.closed === false && queue.partition < partitions) return queue;
    return this.#queue(Math.floor(Math.random() * partitions));
  }

  #queue(partition: number): PartitionQueue {
    for (let index = this.queues.length; index <= partition; index += 1) this.queues.push(new PartitionQueue(index));
    const queue = this.queues[partition];
    if (queue === undefined) throw new RangeError(`partition ${partition} has no queue`);
    return queue;
  }
}
