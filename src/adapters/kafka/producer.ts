import { type produceV9, ProtocolError, ResponseError } from "@platformatic/kafka";
import { Bell } from "../../core/bell.ts";
import { limit } from "../../core/limit.ts";
import { retryPauseMs } from "../../core/retry.ts";
import type { Time } from "../../core/time.ts";
import type { LogRecord } from "../../ports/log.ts";
import type { Address } from "./address.ts";
import { AppendCall } from "./append-call.ts";
import { AppendIntake } from "./append-intake.ts";
import { type Cluster, topicError } from "./cluster.ts";
import { brokerError, brokerErrorsOf, classifyError, withPurpose } from "./errors.ts";
import type { PartitionQueue, PendingBatch, Writer } from "./partition-queue.ts";
import { closedLog, notConfirmed, recordTooLarge } from "./refusals.ts";
import { requests } from "./requests.ts";
import type { TopicWatch } from "./topic-watch.ts";

/** How long a broker may wait for the other copies before it says that they are late. */
const copiesMs = 10_000;
const retryMaxMs = 1_000;

/** Errors of a batch as a whole that one of its records can cause. */
const tooLarge: ReadonlySet<string> = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);
const recordErrors: ReadonlySet<string> = new Set([...tooLarge, "INVALID_RECORD", "INVALID_TIMESTAMP"]);
/** The broker knows another past of the writer than the writer itself; or it takes nothing more from it. */
const lostTrack: ReadonlySet<string> = new Set(["OUT_OF_ORDER_SEQUENCE_NUMBER", "UNKNOWN_PRODUCER_ID"]);
const fenced: ReadonlySet<string> = new Set([
  ...["INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED", "INVALID_PRODUCER_ID_MAPPING"],
]);
/** It was written before, by an attempt whose answer was lost. */
const repeatedSequence = 46;

/** A batch in a request. */
interface Sent {
  readonly queue: PartitionQueue;
  readonly batch: PendingBatch;
}

/**
 * Writes records to the partitions of a topic. Each broker has one request under way at a time, with a batch for each of
 * its partitions that has records; what comes meanwhile goes with the next. All copies in step confirm (acks=all).
 */
export class Producer {
  readonly #address: Address;
  readonly #cluster: Cluster;
  readonly #watch: TopicWatch;
  readonly #time: Time;
  readonly #bell: Bell;
  readonly #busy = new Set<number>();
  readonly #tasks = new Set<Promise<void>>();
  readonly intake: AppendIntake;
  #running: Promise<void> | undefined;
  #closing = false;
  #writer: Promise<Writer> | undefined;

  constructor(address: Address, cluster: Cluster, watch: TopicWatch, time: Time) {
    this.#address = address;
    this.#cluster = cluster;
    this.#watch = watch;
    this.#time = time;
    this.#bell = new Bell(time);
    this.intake = new AppendIntake(
      address,
      () => time.now(),
      () => this.#bell.ring(),
    );
  }

  /** See `Log.append`. */
  async append(records: readonly LogRecord[]): Promise<void> {
    if (this.#closing) throw closedLog(this.#address);
    if (records.length === 0) return;
    const call = new AppendCall(records, this.#time.now() + this.#address.timeoutMs);
    this.intake.take(call);
    this.#place();
    this.#running ??= this.#run();
    await call.done;
  }

  /** Resolves when everything appended before is confirmed, or given up. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#bell.ring();
    await this.#running;
  }

  /** Resolves when nothing is under way. The connections are to be closed first, which ends the requests. */
  async ended(): Promise<void> {
    await Promise.all(this.#tasks);
  }

  #place(): void {
    this.intake.place(this.#cluster.view?.partitions.length ?? 0);
  }

  async #run(): Promise<void> {
    const deafen = this.#watch.listen(() => this.#bell.ring());
    while (!this.#closing || !this.intake.idle) {
      const now = this.#time.now();
      this.#expire(now);
      this.#place();
      this.#watch.wantAfter(this.#cluster.view === undefined ? 0 : limit.kafkaTopicMs);
      const wakeAt = Math.min(this.#sendDue(now), this.#nextDeadline());
      await this.#bell.heard(Number.isFinite(wakeAt) ? Math.max(0, wakeAt - this.#time.now()) : undefined);
    }
    deafen();
  }

  #nextDeadline(): number {
    const { queues, oldest } = this.intake;
    return Math.min(...queues.map(({ deadline }) => deadline), oldest?.deadline ?? Number.POSITIVE_INFINITY);
  }

  /** Gives up what was not confirmed in time. A batch under way stays until its answer, which says how to go on. */
  #expire(now: number): void {
    const { intake } = this;
    for (let call = intake.oldest; call !== undefined && call.deadline <= now; call = intake.oldest) {
      call.fail(notConfirmed(this.#address, this.#watch.error));
      intake.forgetOldest();
    }
    for (const queue of intake.queues) {
      for (const batch of queue.expired(now)) {
        if (!batch.givenUp) batch.fail(notConfirmed(this.#address, batch.lastError ?? this.#watch.error));
        if (!queue.sending || batch !== queue.head) this.#remove({ queue, batch }, "unknown");
      }
    }
  }

  #remove({ queue, batch }: Sent, fate: Parameters<PartitionQueue["remove"]>[1]): void {
    this.intake.release(batch);
    if (queue.remove(batch, fate)) this.#writer = undefined;
  }

  /** Sends what is due to brokers that have nothing under way. Answers when more is due. */
  #sendDue(now: number): number {
    const byLeader = new Map<number, Sent[]>();
    let wakeAt = Number.POSITIVE_INFINITY;
    for (const queue of this.intake.queues) {
      const dueAt = queue.dueAt(this.#closing ? 0 : this.#address.lingerMs);
      if (queue.head === undefined || dueAt === undefined) continue;
      if (dueAt > now) {
        wakeAt = Math.min(wakeAt, dueAt);
        continue;
      }
      const leader = this.#cluster.view?.partitions[queue.partition]?.leader;
      if (leader === undefined || this.#cluster.broker(leader) === undefined) this.#watch.want();
      else if (!this.#busy.has(leader)) {
        byLeader.set(leader, [...(byLeader.get(leader) ?? []), { queue, batch: queue.head }]);
      }
    }
    for (const [leader, due] of byLeader) this.#begin(leader, withinBytes(due));
    return wakeAt;
  }

  #begin(leader: number, sent: readonly Sent[]): void {
    this.#busy.add(leader);
    for (const { queue } of sent) queue.sending = true;
    const task = this.#send(leader, sent).finally(() => {
      this.#busy.delete(leader);
      this.#tasks.delete(task);
      this.#bell.ring();
    });
    this.#tasks.add(task);
  }

  async #send(leader: number, sent: readonly Sent[]): Promise<void> {
    const errors = await this.#request(leader, sent);
    for (const one of sent) {
      one.queue.sending = false;
      try {
        await this.#settle(one, errors.get(one.queue.partition));
      } catch (error) {
        one.batch.fail(error);
        this.#remove(one, "unknown");
      }
    }
    this.#place();
  }

  /** Answers with the error of each partition that has one. */
  async #request(leader: number, sent: readonly Sent[]): Promise<ReadonlyMap<number, unknown>> {
    const errors = new Map<number, unknown>();
    const records = new Map<number, Buffer>();
    try {
      const writer = await this.#currentWriter();
      for (const { queue, batch } of sent) {
        const sealed = await batch.seal(this.#address.compression);
        if (sealed.length > (this.intake.batchBytesMax ?? Number.POSITIVE_INFINITY)) {
          errors.set(queue.partition, brokerError(topicError.messageTooLarge));
          continue;
        }
        queue.stamp(batch, sealed, writer);
        batch.attempts += 1;
        records.set(queue.partition, sealed);
      }
      if (records.size > 0) await this.#ask(leader, records, errors);
    } catch (error) {
      for (const { queue } of sent) if (!errors.has(queue.partition)) errors.set(queue.partition, error);
    }
    return errors;
  }

  async #ask(leader: number, records: ReadonlyMap<number, Buffer>, errors: Map<number, unknown>): Promise<void> {
    const broker = this.#cluster.broker(leader);
    if (broker === undefined) throw brokerError(topicError.leaderNotAvailable);
    const { topic, timeoutMs } = this.#address;
    const request: [string, ReadonlyMap<number, Buffer>, number] = [topic, records, Math.min(copiesMs, timeoutMs)];
    const answer = await answerOf(this.#cluster.wires.send(broker, "produce", requests.produce, ...request));
    const answered = new Map(
      answer.responses.flatMap(({ partitionResponses }) => partitionResponses.map((one) => [one.index, one])),
    );
    for (const partition of records.keys()) {
      const one = answered.get(partition);
      if (one === undefined) errors.set(partition, brokerError(topicError.leaderNotAvailable));
      else if (one.errorCode !== 0 && one.errorCode !== repeatedSequence) {
        errors.set(partition, new ProtocolError(one.errorCode, one.errorMessage));
      }
    }
  }

  async #settle(sent: Sent, error: unknown): Promise<void> {
    const { batch } = sent;
    if (error === undefined) {
      this.#remove(sent, "written");
      batch.confirm();
      return;
    }
    const names = brokerErrorsOf(error);
    if (names.some((name) => recordErrors.has(name))) return this.#refuse(sent, error, names);
    const fate =
      fateOf(names) ?? (classifyError(error) === "wait" ? undefined : names.length > 0 ? "refused" : "unknown");
    if (fate !== undefined) {
      batch.fail(withPurpose(error, "appending"));
      return this.#remove(sent, fate);
    }
    batch.lastError = withPurpose(error, "appending");
    batch.retryAt = this.#time.now() + Math.min(retryMaxMs, retryPauseMs(batch.attempts, Math.random()));
    this.#watch.want();
  }

  /** One record can have a whole batch refused: it is halved until that one is alone. */
  async #refuse(sent: Sent, error: unknown, names: readonly string[]): Promise<void> {
    const { queue, batch } = sent;
    if (batch.bytes.count > 1) {
      if (await queue.halve(batch)) this.#writer = undefined;
      return;
    }
    const isTooLarge = names.some((name) => tooLarge.has(name));
    const { batchBytesMax } = this.intake;
    const told = isTooLarge ? recordTooLarge(this.#address, batch.bytes.size, batchBytesMax, error) : error;
    batch.fail(withPurpose(told, "appending"));
    this.#remove(sent, "refused");
  }

  #currentWriter(): Promise<Writer> {
    this.#writer ??= this.#newWriter();
    return this.#writer;
  }

  async #newWriter(): Promise<Writer> {
    // Only transactions have a name, a time, and an earlier life to go on from.
    const [noName, noTimeMs, noId, noEpoch] = [null, copiesMs, -1n, -1] as const;
    try {
      const answer = await this.#cluster.ask(requests.initProducerId, noName, noTimeMs, noId, noEpoch);
      return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
    } catch (error) {
      this.#writer = undefined;
      throw withPurpose(error, "asking for a producer id");
    }
  }
}

/** Where trying again could write the records twice, or out of order. */
function fateOf(names: readonly string[]): "fenced" | "unknown" | undefined {
  if (names.some((name) => fenced.has(name))) return "fenced";
  return names.some((name) => lostTrack.has(name)) ? "unknown" : undefined;
}

/** As many as fit into one request, and at least one. */
function withinBytes(due: readonly Sent[]): readonly Sent[] {
  let bytes = 0;
  return due.filter(({ batch }, index) => {
    bytes += batch.bytes.size;
    return index === 0 || bytes <= limit.kafkaRequestBytes;
  });
}

/** The client throws the answer away when a partition has an error; the others have none. */
async function answerOf(asked: Promise<produceV9.ProduceResponse>): Promise<produceV9.ProduceResponse> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ResponseError) return error["response"] as produceV9.ProduceResponse;
    throw error;
  }
}
