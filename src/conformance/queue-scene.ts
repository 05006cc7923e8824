import type { Delivery, Queue, QueueConsumer, QueueMessage } from "../ports/queue.ts";
import type { TestApi } from "./harness.ts";
import { soon, textOf } from "./log-scene.ts";

/** A fresh place, for one behaviour. The suite closes the queues; `dispose` removes the place. */
export interface QueuePlace {
  /** A queue on the place, not yet opened, as another process would have it: nothing is shared with the others. */
  queue(): Promise<Queue>;
  /** Deletes the queue with all that is in it, as its owner might, while others use it. */
  remove(): Promise<void>;
  /** A queue, not yet opened, that cannot be opened, and the texts that no message may hold: passwords, tokens. */
  unusable(): Promise<{ readonly queue: Queue; readonly secrets: readonly string[] }>;
  dispose(): Promise<void>;
}

/** A behaviour of the suite. Its name is what a skip refers to, so it is never changed lightly. */
export interface QueueBehaviour {
  readonly name: string;
  /** True when the behaviour is about opening: its queue is not opened for it. */
  readonly unopened?: true;
  run(scene: QueueScene): Promise<void>;
}

/** What one behaviour plays on: a fresh place. */
export interface QueueScene {
  readonly queue: Queue;
  readonly place: QueuePlace;
  readonly expect: TestApi["expect"];
  /** How long is waited for what has to come. */
  readonly patienceMs: number;
  /** A further queue on the same place, opened; closed with the scene. */
  other(): Promise<Queue>;
}

const encoder = new TextEncoder();

export function message(text: string): QueueMessage {
  return { id: `id of ${text}`, body: encoder.encode(text) };
}

export const textsOf = (some: readonly QueueMessage[]): string[] => some.map(({ body }) => textOf(body));

/** So many deliveries of a consumer, in the order in which they come; more than wanted when they come together. */
export async function take(scene: QueueScene, consumer: QueueConsumer, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = [];
  while (taken.length < count) {
    const more = await soon(scene, consumer.next(), () => `delivery ${taken.length + 1} of ${count}`);
    if (more === undefined) throw new Error(`the consumer ended after ${taken.length} of ${count} deliveries`);
    taken.push(...more);
  }
  return taken;
}

/** Whether nothing more is handed out. For what must not come there is nothing to wait for but a while. */
export async function takesNothing(consumer: QueueConsumer): Promise<boolean> {
  return (await consumer.next(300)) === undefined;
}
