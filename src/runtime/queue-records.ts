import { limit } from "../core/limit.ts";
import { Patience } from "../core/patience.ts";
import { unlessAborted } from "../core/time.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { KeptRecord } from "../ports/log.ts";
import type { Delivery, Queue, QueueConsumer } from "../ports/queue.ts";
import type { BatchBounds } from "./log-batches.ts";
import { logName } from "./log-name.ts";
import { Prefetch } from "./prefetch.ts";
import { unpackRecords } from "./queue-messages.ts";

/** A record of a queue; its offset counts what its lane has taken from it. */
export type QueueRecord = KeptRecord;

export interface QueueRecordsOptions {
  readonly queue: Queue;
  readonly bounds: BatchBounds;
  readonly context: Pick<AdapterContext, "now" | "pause" | "notice">;
  readonly signal: AbortSignal;
  /** Whether it ends when nothing waits any more. */
  readonly ends: boolean;
  /** Told when a message that is taken was sent. */
  readonly taken?: (timeMs: number) => void;
  /** Offset of the first record. */
  readonly from: bigint;
}

/** A message that is not acknowledged yet. */
interface Open {
  readonly consumer: QueueConsumer;
  readonly delivery: Delivery;
  /** Offset behind its last record. */
  readonly end: bigint;
}

/**
 * The records that one who consumes a queue takes from it. A consumer that is lost is followed by another one: what it had
 * handed out comes again, and what of it is committed meanwhile is known by its ids.
 */
export class QueueRecords {
  readonly #options: QueueRecordsOptions;
  readonly #queue: string;
  readonly #prefetch: Prefetch;
  readonly #patience: Patience;
  readonly #open: Open[] = [];
  #consumer: QueueConsumer | undefined;
  #offset: bigint;
  /** The trouble that was told last. */
  #told = "";
  /** Messages handed on since the last batch began. */
  #taken = 0;

  constructor(options: QueueRecordsOptions) {
    const { queue, bounds, context, signal, from } = options;
    this.#options = options;
    this.#queue = logName(queue);
    this.#offset = from;
    this.#prefetch = new Prefetch(bounds, queue.facts.prefetchMax);
    this.#patience = new Patience({
      time: context,
      signal,
      patienceMs: limit.queuePatienceMs,
      classify: (error) => queue.classify(error),
      random: Math.random,
    });
  }

  /** Whether half of what may be held is in the batch at hand: with the one before it nothing more would come. */
  get isHalfTaken(): boolean {
    const { count } = this.#prefetch;
    return this.#taken >= Math.max(1, count / 2) || this.#open.length >= count;
  }

  beginBatch(): void {
    this.#taken = 0;
  }

  async *stream(): AsyncGenerator<readonly QueueRecord[], void> {
    const { queue, signal } = this.#options;
    while (!signal.aborted) {
      try {
        const deliveries = await this.#next();
        if (deliveries === undefined) return;
        const records = await this.#recordsOf(deliveries);
        this.#patience.renew();
        this.#told = "";
        if (records.length > 0) yield records;
      } catch (error) {
        // What is being committed is still to be acknowledged by this consumer.
        if (signal.aborted) return;
        await this.#lost();
        await this.#bear(error, queue.explain(error));
      }
    }
  }

  /** Acknowledges all messages whose records lie before the offset. */
  settle(offset: bigint): void {
    let last: Open | undefined;
    while (this.#open[0] !== undefined && this.#open[0].end <= offset) last = this.#open.shift();
    last?.consumer.acknowledge(last.delivery, "all before");
  }

  async close(): Promise<void> {
    await this.#lost();
  }

  async #next(): Promise<readonly Delivery[] | undefined> {
    const { queue, signal, ends } = this.#options;
    const consumer = (this.#consumer ??= await queue.consume(this.#prefetch.count));
    for (;;) {
      const deliveries = await unlessAborted(consumer.next(ends ? limit.queueEmptyMs : undefined), signal);
      if (deliveries !== undefined) return deliveries;
      if (!ends || (await consumer.waiting()) === 0) return undefined;
    }
  }

  async #recordsOf(deliveries: readonly Delivery[]): Promise<readonly QueueRecord[]> {
    const consumer = this.#consumer;
    if (consumer === undefined) return [];
    const records: QueueRecord[] = [];
    for (const delivery of deliveries) {
      const { attempts, body } = delivery;
      if (attempts >= this.#options.queue.facts.attemptsMax) {
        await this.#setAside(consumer, delivery);
        continue;
      }
      const own = unpackRecords(delivery, this.#queue);
      const timeMs = delivery.timeMs ?? this.#options.context.now();
      this.#options.taken?.(timeMs);
      for (const { id, value } of own) {
        records.push({ offset: this.#offset, value, timeMs, ...(id === undefined ? {} : { id }) });
        this.#offset += 1n;
      }
      this.#open.push({ consumer, delivery, end: this.#offset });
      this.#taken += 1;
      this.#prefetch.note({ bytes: body.length, records: own.length }, attempts);
    }
    const count = this.#prefetch.change();
    if (count !== undefined) await consumer.prefetch(count);
    return records;
  }

  /** It would end the next process as well. */
  async #setAside(consumer: QueueConsumer, delivery: Delivery): Promise<void> {
    const { queue, context } = this.#options;
    const reason = `handed out ${delivery.attempts} times, and never acknowledged`;
    await queue.setAside(delivery, reason);
    consumer.acknowledge(delivery, "alone");
    const name = delivery.id === undefined ? "" : ` ${delivery.id}`;
    context.notice(`${this.#queue}: the message${name} was set aside: ${reason}`);
  }

  async #lost(): Promise<void> {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    await consumer?.close();
  }

  async #bear(error: unknown, explained: Error): Promise<void> {
    // Said once for a trouble, not with each attempt.
    if (explained.message !== this.#told) this.#options.context.notice(`${explained.message}; consuming again`);
    this.#told = explained.message;
    await this.#patience.bear(error).catch((failure: unknown) => {
      throw failure === error ? explained : failure;
    });
  }
}
