import type { Channel } from "amqplib";
import type { QueueDepth } from "../../ports/queue.ts";
import type { Address } from "./address.ts";
import { type Link, quiet } from "./link.ts";

/** The queue of an address and that of what is set aside, as the broker has them. */
export class Queues {
  readonly #address: Address;
  readonly #link: Link;

  constructor(address: Address, link: Link) {
    this.#address = address;
    this.#link = link;
  }

  /** Creates what is missing. What is there is taken as it is, whoever made it. */
  async ensure(): Promise<void> {
    const { queue, deadQueue } = this.#address;
    await this.#ensure(deadQueue, {});
    // A broker that gives up on a message by itself, as quorum queues may, puts it there too.
    await this.#ensure(queue, { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": deadQueue });
  }

  /** Undefined when there is no such queue. */
  async depth(): Promise<QueueDepth | undefined> {
    const { queue, deadQueue } = this.#address;
    const found = await this.#look(queue);
    if (found === undefined) return undefined;
    const dead = await this.#look(deadQueue);
    return { waiting: found.messageCount, consumers: found.consumerCount, setAside: dead?.messageCount ?? 0 };
  }

  async #ensure(name: string, settings: Readonly<Record<string, string>>): Promise<void> {
    if ((await this.#look(name)) !== undefined) return;
    await this.#onChannel(async (channel) => {
      const kind = (await this.#hasQuorum()) ? { "x-queue-type": this.#address.kind } : {};
      await channel.assertQueue(name, { durable: true, arguments: { ...settings, ...kind } });
    });
  }

  /** From RabbitMQ 3.8 on. */
  async #hasQuorum(): Promise<boolean> {
    const { model } = await this.#link.connected();
    const [major = 0, minor = 0] = String(model.connection.serverProperties.version).split(".").map(Number);
    return major > 3 || (major === 3 && minor >= 8);
  }

  async #look(name: string) {
    try {
      return await this.#onChannel((channel) => channel.checkQueue(name));
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === 404) return undefined;
      throw error;
    }
  }

  /** One of its own each time: a refusal ends the channel. */
  async #onChannel<Result>(work: (channel: Channel) => Promise<Result>): Promise<Result> {
    const channel = quiet(await this.#link.channel());
    let isOpen = true;
    channel.once("close", () => {
      isOpen = false;
    });
    try {
      return await work(channel);
    } finally {
      if (isOpen) await channel.close().catch(() => undefined); // it ends with the connection else
    }
  }
}
