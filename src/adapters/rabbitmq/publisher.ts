import type { ConfirmChannel } from "amqplib";
import { limit } from "../../core/limit.ts";
import { pauseUnlessAborted, type Time } from "../../core/time.ts";
import type { QueueMessage } from "../../ports/queue.ts";
import { LinkLost, QueueDeleted, TakesNothing } from "./errors.ts";
import { type Connected, type Link, quiet } from "./link.ts";
import { propertiesOf } from "./properties.ts";
import type { Queues } from "./queues.ts";

/** A channel on which the broker confirms, until it ends. */
interface Confirming {
  readonly channel: ConfirmChannel;
  readonly connected: Connected;
  /** A message came back, as there is no queue of its name. */
  isReturned: boolean;
  isEnded: boolean;
}

/** Publishes to queues by their names, and waits until the broker has confirmed each message. */
export class Publisher {
  readonly #link: Link;
  readonly #queues: Queues;
  readonly #time: Time;
  #confirming: Promise<Confirming> | undefined;

  constructor(link: Link, queues: Queues, time: Time) {
    this.#link = link;
    this.#queues = queues;
    this.#time = time;
  }

  async publish(queue: string, messages: readonly QueueMessage[], reason?: string): Promise<void> {
    if (messages.length === 0) return;
    // It reads nothing of this connection: whatever was asked would not be answered, and what is sent only add to the rest.
    refuseBlocked(await this.#link.connected());
    const confirming = await this.#ready();
    const confirmed = Promise.all(messages.map((message) => send(confirming, queue, message, reason)));
    confirmed.catch(() => undefined); // awaited below, unless it comes too late for anybody
    await this.#confirmedInTime(confirming, confirmed);
    if (confirming.isReturned) {
      this.#confirming = undefined;
      throw new QueueDeleted(`the queue ${queue} was deleted`);
    }
  }

  async #confirmedInTime(confirming: Confirming, confirmed: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    const late = Promise.withResolvers<"late">();
    const toldNoMore = confirming.connected.whenBlocked(() => late.resolve("late"));
    const passed = pauseUnlessAborted(limit.amqpConfirmMs, this.#time, over.signal).then(() => "late" as const);
    try {
      if ((await Promise.race([confirmed, late.promise, passed])) === "late") await this.#giveUp(confirming);
    } finally {
      toldNoMore();
      over.abort();
    }
  }

  /** What was not confirmed in time may still be: it is sent again on another channel, under the same ids. */
  async #giveUp({ channel, connected }: Confirming): Promise<never> {
    refuseBlocked(connected);
    this.#confirming = undefined;
    channel.close().catch(() => undefined); // nobody waits for what is left of it
    throw new LinkLost(`the broker has confirmed nothing for ${limit.amqpConfirmMs / 1_000} s`);
  }

  async #ready(): Promise<Confirming> {
    const making = (this.#confirming ??= this.#open());
    try {
      const confirming = await making;
      if (!confirming.isEnded && !confirming.isReturned) return confirming;
    } catch (error) {
      if (this.#confirming === making) this.#confirming = undefined;
      throw error;
    }
    if (this.#confirming === making) this.#confirming = undefined;
    return this.#ready();
  }

  async #open(): Promise<Confirming> {
    await this.#queues.ensure();
    const connected = await this.#link.connected();
    const channel = quiet(await connected.model.createConfirmChannel());
    const confirming: Confirming = { channel, connected, isReturned: false, isEnded: false };
    channel.on("return", () => {
      confirming.isReturned = true;
    });
    channel.once("close", () => {
      confirming.isEnded = true;
    });
    return confirming;
  }
}

function refuseBlocked({ blocked }: Connected): void {
  if (blocked !== undefined) throw new TakesNothing(`the broker takes nothing: ${blocked}`);
}

function send(
  { channel }: Confirming,
  queue: string,
  message: QueueMessage,
  reason: string | undefined,
): Promise<void> {
  const { body } = message;
  const content = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return new Promise((resolve, reject) => {
    // To the standard exchange, which leads into the queue of the name; `mandatory` brings back what it cannot lead.
    const options = { ...propertiesOf(message, reason), persistent: true, mandatory: true };
    channel.publish("", queue, content, options, (error: unknown) => {
      if (error === null || error === undefined) resolve();
      else reject(refusalOf(error));
    });
  });
}

function refusalOf(error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  if (/nack/i.test(text))
    return new TakesNothing("the broker refuses the message: the queue is full", { cause: error });
  return new LinkLost("the channel was closed before the broker had confirmed", { cause: error });
}
