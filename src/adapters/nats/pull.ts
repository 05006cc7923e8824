import { AckPolicy, DeliverPolicy, JetStreamApiError, ReplayPolicy } from "@nats-io/jetstream";
import { createInbox, errors, type Msg, type Subscription } from "@nats-io/transport-node";
import { Bell } from "../../core/bell.ts";
import { limit } from "../../core/limit.ts";
import type { Time } from "../../core/time.ts";
import type { KeptRecord } from "../../ports/log.ts";
import type { Client } from "./connection.ts";
import { apiCode, asking } from "./errors.ts";
import { deliveryOf, recordOf } from "./record.ts";

const nanosPerMs = 1_000_000;

/** Messages of one stream from a sequence on, by a consumer of its own that acknowledges nothing and keeps nothing. */
export class Pull {
  readonly #client: Client;
  readonly #stream: string;
  readonly #consumer: string;
  readonly #time: Time;
  readonly #bell: Bell;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #deafen: readonly (() => void)[];
  #arrived: KeptRecord[] = [];
  #arrivedBytes = 0;
  #delivered = 0;
  /** Messages still to come of those asked for; 0 when nothing is asked for. */
  #wanted = 0;
  #gotOfThese = 0;
  #heardAt: number;
  #failure: Error | undefined;

  private constructor(client: Client, stream: string, consumer: string, time: Time) {
    this.#client = client;
    this.#stream = stream;
    this.#consumer = consumer;
    this.#time = time;
    this.#bell = new Bell(time);
    this.#heardAt = time.now();
    this.#subscription = client.nats.subscribe(this.#inbox, {
      callback: (error, message) => this.#hear(error, message),
    });
    this.#deafen = [
      client.whenLost((error) => this.#fail(error)),
      client.whenDenied((error) => {
        if (error.subject.startsWith("$JS.API.CONSUMER.MSG.NEXT.")) this.#fail(error);
      }),
    ];
  }

  /** The stream must be looked at after this: what was made with another stream of that name ends with it. */
  static async from(client: Client, stream: string, sequence: bigint, time: Time): Promise<Pull> {
    const added = client.consumers.add(stream, {
      name: `millrace_${crypto.randomUUID()}`,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Number(sequence),
      ack_policy: AckPolicy.None,
      replay_policy: ReplayPolicy.Instant,
      inactive_threshold: limit.natsIdleMs * nanosPerMs,
      num_replicas: 1,
      mem_storage: true,
      max_deliver: 1,
    });
    const { name } = await asking(`making a consumer of the stream ${stream}`, added);
    return new Pull(client, stream, name, time);
  }

  /**
   * What has arrived, not empty; waits for it. At most the messages that were asked for at once stand ready. Undefined
   * when the signal aborts. Throws when the consumer has ended, or nothing is heard of it.
   */
  async next(signal: AbortSignal): Promise<readonly KeptRecord[] | undefined> {
    const onAbort = () => this.#bell.ring();
    signal.addEventListener("abort", onAbort);
    try {
      for (;;) {
        if (signal.aborted) return undefined;
        if (this.#arrived.length > 0) return this.#takeArrived();
        if (this.#failure !== undefined) throw this.#failure;
        this.#ask();
        const quietMs = this.#time.now() - this.#heardAt;
        if (quietMs > 3 * limit.natsPulseMs) throw new errors.TimeoutError();
        await this.#bell.heard(limit.natsPulseMs);
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Removes the consumer; one that is gone already, or cannot be reached, is removed by the server. */
  async end(): Promise<void> {
    for (const deafen of this.#deafen) deafen();
    this.#subscription.unsubscribe();
    if (this.#client.lost !== undefined) return;
    await this.#client.consumers.delete(this.#stream, this.#consumer).catch(() => false);
  }

  /** Asks for the next ones before these are worked on, as the answer takes its time. */
  #takeArrived(): readonly KeptRecord[] {
    const arrived = this.#arrived;
    this.#arrived = [];
    this.#arrivedBytes = 0;
    if (this.#failure === undefined) this.#ask();
    return arrived;
  }

  /** https://docs.nats.io/reference/reference-protocols/nats_api_reference, "Pull-based consumers" */
  #ask(alone = false): void {
    if (this.#wanted > 0 || this.#arrivedBytes >= limit.logPieceBytes || this.#client.lost !== undefined) return;
    this.#wanted = alone ? 1 : limit.natsPull;
    this.#gotOfThese = 0;
    this.#heardAt = this.#time.now();
    const request = {
      batch: this.#wanted,
      ...(alone ? {} : { max_bytes: limit.logPieceBytes }),
      expires: limit.natsPullMs * nanosPerMs,
      idle_heartbeat: limit.natsPulseMs * nanosPerMs,
    };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${this.#consumer}`;
    this.#client.nats.publish(subject, JSON.stringify(request), { reply: this.#inbox });
  }

  #hear(error: Error | null, message: Msg): void {
    if (error !== null) {
      this.#fail(error);
      return;
    }
    this.#heardAt = this.#time.now();
    const delivery = deliveryOf(message.reply ?? "");
    if (delivery === undefined) {
      this.#hearStatus(message);
      return;
    }
    this.#delivered += 1;
    if (delivery.delivered !== this.#delivered) {
      this.#fail(new Error("a message was lost on its way"));
      return;
    }
    this.#wanted -= 1;
    this.#gotOfThese += 1;
    const record = recordOf(message, delivery);
    this.#arrived.push(record);
    this.#arrivedBytes += record.value.length;
    this.#bell.ring();
  }

  /** 100: it lives. 408: time is over. 409 with bytes in it: the next message would be beyond those asked for. */
  #hearStatus({ headers: status }: Msg): void {
    const code = status?.code ?? 0;
    if (code === 100) return;
    const words = status?.description ?? "";
    if (code === 503) this.#fail(new errors.NoRespondersError(`the consumer of ${this.#stream}`));
    else if (code === 408 || /maxbytes/i.test(words)) {
      const isLarge = code === 409 && this.#gotOfThese === 0;
      this.#wanted = 0;
      if (isLarge) this.#ask(true);
    } else this.#fail(new JetStreamApiError({ code, err_code: apiCode.consumerNotFound, description: words }));
    this.#bell.ring();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#bell.ring();
  }
}
