import type { Place } from "../core/place.ts";
import type { FailureKind } from "../core/retry.ts";
import type { AdapterContext } from "./adapter.ts";

/** A message on its way into a queue. */
export interface QueueMessage {
  /** By which repeats are known: the same for the same message however often it is published. */
  readonly id?: string;
  readonly body: Uint8Array;
  /** Which records the body holds, a line each, where it holds several: kept as it is, and handed out again. */
  readonly records?: string;
  /** Milliseconds since 1970; of a message of others perhaps to the second. Absent where nobody said. */
  readonly timeMs?: number;
}

/** A message as a queue hands it out, to one of those who consume. */
export interface Delivery extends QueueMessage {
  /** Rises from delivery to delivery of one consumer. */
  readonly number: number;
  /** How often it was handed out before and came back, where the queue counts; else 0. */
  readonly attempts: number;
}

export interface QueueFacts {
  /** One sentence: what `publish` has done when it resolves. */
  readonly durability: string;
  /** Largest body that can be published, in bytes. */
  readonly bodyBytesMax: number;
  /** Records that go into one message when Millrace itself publishes them. */
  readonly recordsMax: number;
  /** Messages that one who consumes may hold at once without having acknowledged them. */
  readonly prefetchMax: number;
  /** What came back so often is set aside. */
  readonly attemptsMax: number;
  /** How long after a message was taken a repeat of it may still come: so long its id is kept. */
  readonly repeatMs: number;
}

/** How much waits in a queue, as its broker sees it. */
export interface QueueDepth {
  /** Messages that are with nobody. */
  readonly waiting: number;
  /** Messages that were set aside. */
  readonly setAside: number;
  /** Those who consume. */
  readonly consumers: number;
}

/**
 * One who consumes, from `consume` on until it is closed or lost. It is lost with its connection, with the queue, or when
 * the broker wants it so: then `next` rejects, and what was not acknowledged is handed out again, to whoever consumes.
 */
export interface QueueConsumer {
  /**
   * Deliveries that are at hand, one at least, in the order of their numbers; waits for more, but no longer than `waitMs`
   * where that is given, and until it is closed: then undefined. For one caller at a time.
   */
  next(waitMs?: number): Promise<readonly Delivery[] | undefined>;
  /** How many deliveries may be handed out that are not acknowledged. Those that are stay. */
  prefetch(count: number): Promise<void>;
  /**
   * Says that this delivery, or it and all before it, is done with, so that the queue forgets it. A hint as far as the
   * caller goes: when this consumer is lost meanwhile they come again.
   */
  acknowledge(delivery: Pick<Delivery, "number">, which: "alone" | "all before"): void;
  /** Messages of the queue that are with nobody: none of them was on its way here when this is answered. */
  waiting(): Promise<number>;
  close(): Promise<void>;
}

/**
 * A durable queue of messages: each goes to one of those who consume, and is forgotten when that one acknowledges it. It has
 * no positions; what was not acknowledged comes again. Errors are MillraceErrors naming the place, or the client's own,
 * which `classify` sorts. Methods may be called at the same time.
 */
export interface Queue {
  /** The place without secrets. */
  readonly shown: string;
  readonly facts: QueueFacts;
  /** Connects, and creates the queue and that of what is set aside where they are missing. Idempotent. */
  open(): Promise<void>;
  /**
   * Publishes all messages, in order. Resolves when every one of them is durable. Rejects when one is not, or may not be:
   * those of the call may then be in the queue or not, any of them. SINK_FULL while the broker takes nothing.
   */
  publish(messages: readonly QueueMessage[]): Promise<void>;
  /** Begins to consume, with at most so many deliveries that are not acknowledged. */
  consume(prefetch: number): Promise<QueueConsumer>;
  /** Puts a message into the queue of what is set aside, with why. Durable when it resolves; it is still to be acknowledged. */
  setAside(message: QueueMessage, reason: string): Promise<void>;
  /** Undefined when there is no such queue. Creates none. */
  depth(): Promise<QueueDepth | undefined>;
  /** Whether an error passes by itself (`wait`) or not. */
  classify(error: unknown): FailureKind;
  /** The client's own error as one with a code, without secrets. */
  explain(error: unknown): Error;
  /** Ends all who consume through it. From then on `publish` throws INTERRUPTED. May be called again. */
  close(): Promise<void>;
}

/** The queue role of an adapter. Connects to nothing yet. Throws URL_INVALID. */
export type QueueFactory = (place: Place, context: Omit<AdapterContext, "engine">) => Queue;
