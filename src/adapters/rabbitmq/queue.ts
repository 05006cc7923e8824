import { limit } from "../../core/limit.ts";
import type { FailureKind } from "../../core/retry.ts";
import type { Time } from "../../core/time.ts";
import type { Queue, QueueConsumer, QueueDepth, QueueFactory, QueueFacts, QueueMessage } from "../../ports/queue.ts";
import { type Address, readAddress } from "./address.ts";
import { Consumer } from "./consumer.ts";
import { classifyError, closedQueue, explainError } from "./errors.ts";
import { Link, quiet } from "./link.ts";
import { Publisher } from "./publisher.ts";
import { Queues } from "./queues.ts";

/** `amqp://` and `amqps://`: a queue of RabbitMQ. See docs/queues.md. */
export const rabbitmqQueue: QueueFactory = (place, context) => new RabbitmqQueue(readAddress(place), context);

class RabbitmqQueue implements Queue {
  readonly shown: string;
  readonly facts: QueueFacts;
  readonly #address: Address;
  readonly #time: Time;
  readonly #consuming: Link;
  readonly #publishing: Link;
  readonly #queues: Queues;
  readonly #publisher: Publisher;
  readonly #consumers = new Set<Consumer>();
  #isClosed = false;

  constructor(address: Address, time: Time) {
    const { recordsMax, prefetchMax, attemptsMax, repeatMs } = address;
    this.shown = address.shown;
    this.facts = {
      durability:
        address.kind === "quorum"
          ? "RabbitMQ has confirmed the message: most members of the quorum queue have it on their disks."
          : "RabbitMQ has confirmed the message: it is on the disk of the node that has the queue.",
      bodyBytesMax: limit.logValueBytes,
      recordsMax,
      prefetchMax,
      attemptsMax,
      repeatMs,
    };
    this.#address = address;
    this.#time = time;
    this.#consuming = new Link(address, time, "consumes");
    this.#publishing = new Link(address, time, "publishes to");
    this.#queues = new Queues(address, this.#consuming);
    this.#publisher = new Publisher(this.#publishing, new Queues(address, this.#publishing), time);
  }

  async open(): Promise<void> {
    await this.#queues.ensure();
  }

  async publish(messages: readonly QueueMessage[]): Promise<void> {
    if (this.#isClosed) throw closedQueue(this.#address);
    await this.#publisher.publish(this.#address.queue, messages);
  }

  async consume(prefetch: number): Promise<QueueConsumer> {
    await this.#queues.ensure();
    const connected = await this.#consuming.connected();
    const channel = quiet(await connected.model.createChannel());
    const consumer = new Consumer(connected, channel, this.#address.queue, this.#time);
    this.#consumers.add(consumer);
    channel.once("close", () => this.#consumers.delete(consumer));
    await consumer.prefetch(prefetch);
    return consumer;
  }

  async setAside(message: QueueMessage, reason: string): Promise<void> {
    if (this.#isClosed) throw closedQueue(this.#address);
    await this.#publisher.publish(this.#address.deadQueue, [message], reason);
  }

  depth(): Promise<QueueDepth | undefined> {
    return this.#queues.depth();
  }

  classify(error: unknown): FailureKind {
    return classifyError(error);
  }

  explain(error: unknown): Error {
    return explainError(error, this.#address);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await Promise.all([this.#consuming.close(), this.#publishing.close()]);
  }
}
