import type { Channel, ConsumeMessage } from "amqplib";
import { Bell } from "../../core/bell.ts";
import type { Time } from "../../core/time.ts";
import type { Delivery, QueueConsumer } from "../../ports/queue.ts";
import { LinkLost, QueueDeleted } from "./errors.ts";
import { type Connected, within } from "./link.ts";
import { deliveryOf } from "./properties.ts";

/** Consumes a queue on a channel of its own. */
export class Consumer implements QueueConsumer {
  readonly #channel: Channel;
  readonly #queue: string;
  readonly #time: Pick<Time, "pause">;
  readonly #bell: Bell;
  #tag: string | undefined;
  #deliveries: Delivery[] = [];
  #lost: Error | undefined;
  #isClosed = false;

  constructor(connected: Connected, channel: Channel, queue: string, time: Pick<Time, "pause">) {
    this.#channel = channel;
    this.#queue = queue;
    this.#time = time;
    this.#bell = new Bell(time);
    let why: Error | undefined;
    channel.on("error", (error) => {
      why = error;
    });
    channel.once("close", () => {
      const cause = why ?? connected.lost;
      this.#lose(new LinkLost("the channel was closed", cause === undefined ? {} : { cause }));
    });
  }

  async next(waitMs?: number): Promise<readonly Delivery[] | undefined> {
    for (;;) {
      if (this.#isClosed) return undefined;
      // Of one that is lost nothing more is handed out: all of it comes again.
      if (this.#lost !== undefined) throw this.#lost;
      if (this.#deliveries.length > 0) return this.#deliveries.splice(0);
      if (!(await this.#bell.heard(waitMs))) return undefined;
    }
  }

  async prefetch(count: number): Promise<void> {
    if (this.#tag !== undefined) await this.#channel.cancel(this.#tag);
    await this.#channel.prefetch(count);
    const { consumerTag } = await this.#channel.consume(this.#queue, (message) => this.#take(message));
    this.#tag = consumerTag;
  }

  acknowledge({ number }: Pick<Delivery, "number">, which: "alone" | "all before"): void {
    if (this.#lost !== undefined || this.#isClosed) return;
    try {
      this.#channel.ack({ fields: { deliveryTag: number } } as ConsumeMessage, which === "all before");
    } catch (error) {
      this.#lose(new LinkLost("the channel was closed", { cause: error }));
    }
  }

  async waiting(): Promise<number> {
    const { messageCount } = await this.#channel.checkQueue(this.#queue);
    return messageCount;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#bell.ring();
    if (this.#lost === undefined) await within(this.#channel.close(), this.#time);
  }

  #take(message: ConsumeMessage | null): void {
    if (message === null) this.#lose(new QueueDeleted("the queue was deleted, or the broker has ended the consumer"));
    else this.#deliveries.push(deliveryOf(message));
    this.#bell.ring();
  }

  #lose(error: Error): void {
    this.#lost ??= error;
    this.#deliveries = [];
    this.#bell.ring();
  }
}
