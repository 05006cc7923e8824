import { limit } from "../../core/limit.ts";
import type { FailureKind } from "../../core/retry.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { Assignment, KeptRecord, Log, LogFacts, LogFactory, LogLane, LogRecord } from "../../ports/log.ts";
import { type Address, readAddress } from "./address.ts";
import { usualBatchBytesMax } from "./append-intake.ts";
import { assignmentsOf } from "./assignments.ts";
import { Cluster, topicError, type TopicView } from "./cluster.ts";
import { Coordinators } from "./coordinators.ts";
import { brokerError, classifyError, explainError, withPurpose } from "./errors.ts";
import { Fetcher } from "./fetcher.ts";
import type { Membership, MembershipParts } from "./membership.ts";
import { offsetsOf, recordEnd } from "./offsets.ts";
import { persist } from "./patience.ts";
import { Producer } from "./producer.ts";
import { closedLog, valueTooLarge } from "./refusals.ts";
import { SettledOffsets } from "./settled-offsets.ts";
import { batchBytesMaxOf, checkVersions, createTopic, noticeDifference, readyView } from "./topic-creation.ts";
import { TopicWatch } from "./topic-watch.ts";

type Context = Omit<AdapterContext, "engine">;

/** For the key, the id and the head of the batch, which count too. */
const besidesValueBytes = 4_096;

/** The log role: a topic whose lanes are its partitions. Throws URL_INVALID. */
export const kafkaLog: LogFactory = (place, context) => new KafkaLog(readAddress(place), context);

class KafkaLog implements Log {
  readonly shown: string;
  readonly #address: Address;
  readonly #context: Context;
  readonly #cluster: Cluster;
  readonly #watch: TopicWatch;
  readonly #producer: Producer;
  readonly #fetcher: Fetcher;
  readonly #parts: MembershipParts;
  readonly #members = new Set<Membership>();
  readonly #settled: SettledOffsets;
  readonly #closing = new AbortController();
  readonly #tasks: Promise<void>[] = [];
  #opening: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(address: Address, context: Context) {
    this.shown = address.shown;
    this.#address = address;
    this.#context = context;
    this.#cluster = new Cluster(address);
    this.#watch = new TopicWatch(this.#cluster, context);
    this.#producer = new Producer(address, this.#cluster, this.#watch, context);
    this.#fetcher = new Fetcher(address, this.#cluster, this.#watch, context);
    const coordinators = new Coordinators(this.#cluster);
    this.#parts = { address, cluster: this.#cluster, coordinators, watch: this.#watch, time: context };
    this.#settled = new SettledOffsets(this.#parts, this.#members);
  }

  /** The largest value is known once the log is open; before, it is what brokers usually take. */
  get facts(): LogFacts {
    const batchBytesMax = this.#producer.intake.batchBytesMax ?? usualBatchBytesMax;
    return {
      durability:
        "Every copy of the partition that is in step has the records (acks=all), at least min.insync.replicas of them; brokers do not wait for their disks.",
      valueBytesMax: Math.min(limit.logValueBytes, Math.max(1, batchBytesMax - besidesValueBytes)),
    };
  }

  async open(): Promise<void> {
    this.#opening ??= this.#open();
    await this.#opening;
  }

  async append(records: readonly LogRecord[]): Promise<void> {
    const { valueBytesMax } = this.facts;
    const large = records.find(({ value }) => value.length > valueBytesMax);
    if (large !== undefined) throw valueTooLarge(this.#address, large.value.length, valueBytesMax);
    await this.#producer.append(records);
  }

  lanes(): Promise<readonly LogLane[]> {
    return this.#persist("listing the partitions", async () => {
      const view = await this.#cluster.look();
      if (view === undefined) throw brokerError(topicError.unknownTopic);
      return this.#lanesOf(
        view,
        view.partitions.map(({ index }) => index),
      );
    });
  }

  assignments(group: string, signal: AbortSignal): AsyncIterable<Assignment> {
    const parts = {
      ...this.#parts,
      members: this.#members,
      keep: (task: Promise<void>) => this.#tasks.push(task),
      lanesOf: (view: TopicView, partitions: readonly number[]) => this.#lanesOf(view, partitions),
    };
    return assignmentsOf(group, parts, this.#untilClosed(signal));
  }

  async *read(lane: LogLane, offset: bigint, signal: AbortSignal): AsyncIterable<readonly KeptRecord[]> {
    if (this.#closing.signal.aborted) throw closedLog(this.#address);
    const feed = this.#fetcher.add(lane, offset);
    try {
      yield* feed.read(this.#untilClosed(signal));
    } finally {
      this.#fetcher.remove(feed);
    }
  }

  async settle(group: string, lane: LogLane, offset: bigint): Promise<void> {
    if (!this.#closing.signal.aborted) this.#settled.settle(group, lane, offset);
  }

  classify(error: unknown): FailureKind {
    return classifyError(error);
  }

  explain(error: unknown): Error {
    return explainError(error, this.#address);
  }

  /** Resolves when what was appended is confirmed or given up, and nothing of the log is left in this process. */
  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  #untilClosed(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closing.signal]);
  }

  async #open(): Promise<void> {
    try {
      await checkVersions(this.#address, this.#cluster);
      if ((await this.#cluster.look()) === undefined) await createTopic(this.#address, this.#cluster);
      const view = await this.#persist("waiting for the partitions", () => readyView(this.#cluster));
      this.#producer.intake.batchBytesMax = await batchBytesMaxOf(this.#address, this.#cluster);
      noticeDifference(this.#address, view, (text) => this.#context.notice(text));
    } catch (error) {
      this.#opening = undefined;
      throw withPurpose(error, "opening the topic");
    }
  }

  async #lanesOf(view: TopicView, partitions: readonly number[]): Promise<readonly LogLane[]> {
    const offsets = (edge: "start" | "end") => offsetsOf(this.#address, this.#cluster, view, partitions, edge);
    const [starts, ends] = await Promise.all([offsets("start"), offsets("end")]);
    return Promise.all(
      partitions
        .toSorted((one, other) => one - other)
        .map(async (partition) => {
          const start = starts.get(partition) ?? 0n;
          const end = await recordEnd(this.#cluster, view, partition, { start, end: ends.get(partition) ?? start });
          return { name: String(partition), incarnation: view.id, start, end };
        }),
    );
  }

  async #persist<Result>(purpose: string, work: () => Promise<Result>): Promise<Result> {
    const { signal } = this.#closing;
    try {
      return await persist(work, { time: this.#context, signal, patienceMs: limit.kafkaPatienceMs });
    } catch (error) {
      throw withPurpose(signal.aborted ? closedLog(this.#address) : error, purpose);
    }
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#producer.close(), this.#leaveGroups()]);
    const watched = this.#watch.close();
    await this.#cluster.wires.close();
    await Promise.all([watched, this.#producer.ended(), this.#fetcher.close(), ...this.#tasks]);
  }

  async #leaveGroups(): Promise<void> {
    const members = [...this.#members];
    for (const member of members) this.#tasks.push(member.ended());
    await this.#settled.close();
    await Promise.all(members.map((member) => member.leave()));
  }
}
