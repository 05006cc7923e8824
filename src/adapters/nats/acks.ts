import { createInbox, type Msg, type Subscription } from "@nats-io/transport-node";
import type { Client, Denial } from "./connection.ts";
import type { Item } from "./outbox.ts";
import { errorOf } from "./publish-answer.ts";

interface Sent {
  readonly item: Item;
  readonly subject: string;
  /** In ms since 1970. */
  readonly at: number;
}

/**
 * Publishes records by one connection and tells of each what JetStream answers: nothing when it is stored on all copies,
 * or the error. One inbox serves all, where the client's own `publish` takes a timer and a promise for each message.
 */
export class Acks {
  readonly #client: Client;
  readonly #told: (item: Item, error?: unknown) => void;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #deafen: () => void;
  /** By the number that stands at the end of the reply's subject. */
  readonly #sent = new Map<string, Sent>();
  #number = 0;
  #bytes = 0;

  constructor(client: Client, told: (item: Item, error?: unknown) => void) {
    this.#client = client;
    this.#told = told;
    this.#subscription = client.nats.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => this.#answer(error, message),
    });
    this.#deafen = client.whenDenied((error) => this.#refuse(error));
  }

  /** Records without an answer. */
  get count(): number {
    return this.#sent.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  send(item: Item, subject: string, at: number): void {
    const number = String((this.#number += 1));
    this.#client.nats.publish(subject, item.value, { headers: item.headers, reply: `${this.#inbox}.${number}` });
    this.#sent.set(number, { item, subject, at });
    this.#bytes += item.bytes;
  }

  /** Those that were sent before `at` are not waited for any more. */
  giveUp(at: number): Item[] {
    // In the order in which they were sent.
    const old = [...this.#sent].filter(([, sent]) => sent.at < at);
    return old.map(([number]) => this.#take(number)?.item).filter((item) => item !== undefined);
  }

  /** Answers with the records that nothing was heard of. */
  close(): Item[] {
    this.#subscription.unsubscribe();
    this.#deafen();
    return this.giveUp(Number.POSITIVE_INFINITY);
  }

  #answer(error: Error | null, message: Msg): void {
    if (error !== null) {
      for (const item of this.giveUp(Number.POSITIVE_INFINITY)) this.#told(item, error);
      return;
    }
    const sent = this.#take(message.subject.slice(this.#inbox.length + 1));
    if (sent !== undefined) this.#told(sent.item, errorOf(message, sent.subject));
  }

  /** The server does not answer what it does not let through. */
  #refuse(error: Denial): void {
    for (const [number, { subject }] of this.#sent) {
      if (subject !== error.subject) continue;
      const sent = this.#take(number);
      if (sent !== undefined) this.#told(sent.item, error);
    }
  }

  #take(number: string): Sent | undefined {
    const sent = this.#sent.get(number);
    if (sent === undefined) return undefined;
    this.#sent.delete(number);
    this.#bytes -= sent.item.bytes;
    return sent;
  }
}
