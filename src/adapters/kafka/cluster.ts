import { type API, type metadataV12, ResponseError } from "@platformatic/kafka";
import type { Address, BrokerAddress } from "./address.ts";
import { brokerError } from "./errors.ts";
import { requests } from "./requests.ts";
import { Wires } from "./wires.ts";

type Metadata = metadataV12.MetadataResponse;

export interface TopicPartition {
  readonly index: number;
  /** Undefined while none is elected. */
  readonly leader: number | undefined;
}

/** A topic as a broker knows it. */
export interface TopicView {
  /** Another one when it was deleted and created anew (KIP-516). */
  readonly id: string;
  /** By index, from 0. */
  readonly partitions: readonly TopicPartition[];
}

/** Numbers of errors that tell of topics and their partitions. */
export const topicError = {
  offsetOutOfRange: 1,
  unknownTopic: 3,
  leaderNotAvailable: 5,
  messageTooLarge: 10,
  notAuthorized: 29,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
} as const;

/** The brokers of a cluster and what they know of topics. Nothing is tried again here. */
export class Cluster {
  readonly wires: Wires;
  readonly #address: Address;
  #brokers: ReadonlyMap<number, BrokerAddress> = new Map();
  #controller: number | undefined;
  /** Where the next question begins: a broker that did not answer is asked last. */
  #turn = 0;
  #asking: Promise<TopicView | undefined> | undefined;
  /** The topic as last looked at; undefined when it was not there, or not looked at yet. */
  view: TopicView | undefined;

  constructor(address: Address) {
    this.#address = address;
    this.wires = new Wires(address);
  }

  /** Where the broker of this number listens; undefined when nobody has told. */
  broker(node: number | undefined): BrokerAddress | undefined {
    return node === undefined ? undefined : this.#brokers.get(node);
  }

  get controller(): BrokerAddress | undefined {
    return this.broker(this.#controller);
  }

  /** Asks the brokers in turn until one answers. Rejects with all their errors when none does, or with its answer. */
  async ask<Request extends unknown[], Answer>(api: API<Request, Answer>, ...request: Request): Promise<Answer> {
    const brokers = [...this.#brokers.values(), ...this.#address.brokers];
    const errors: unknown[] = [];
    for (let tries = 0; tries < brokers.length; tries += 1) {
      const broker = brokers[this.#turn % brokers.length];
      if (broker === undefined) break;
      try {
        return await this.wires.send(broker, "ask", api, ...request);
      } catch (error) {
        if (error instanceof ResponseError) throw error;
        errors.push(error);
        this.#turn += 1;
      }
    }
    throw errors.length === 1 ? errors[0] : new AggregateError(errors, "none of the brokers answers");
  }

  /** Looks the topic up anew; undefined when there is none. Callers at the same time share the question. */
  look(): Promise<TopicView | undefined> {
    this.#asking ??= this.#look();
    return this.#asking;
  }

  /** The number of partitions of other topics, by name; those that are not there are left out. */
  async partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (topics.length === 0) return new Map();
    const { topics: found } = await this.#metadata(topics);
    const own = found.find(({ name }) => name === this.#address.topic);
    // What is shared out and what is looked at later must not be two things.
    if (own?.errorCode === 0) this.view = viewOf(own);
    const there = found.filter(({ name, partitions }) => name !== null && partitions.length > 0);
    return new Map(there.map(({ name, partitions }) => [name ?? "", partitions.length]));
  }

  async #look(): Promise<TopicView | undefined> {
    try {
      const { topics } = await this.#metadata([this.#address.topic]);
      this.view = viewOf(topics[0]);
      return this.view;
    } finally {
      this.#asking = undefined;
    }
  }

  async #metadata(topics: readonly string[]): Promise<Metadata> {
    const createMissing = false;
    const answer = await answerOf(this.ask(requests.metadata, [...topics], createMissing, false));
    // Brokers that are down are left out by those that know; without any, it is better to know the old ones.
    if (answer.brokers.length > 0) {
      this.#brokers = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    }
    this.#controller = answer.controllerId;
    return answer;
  }
}

/** A topic's errors stand in the answer, which the client throws away as soon as there is one. */
async function answerOf(asked: Promise<Metadata>): Promise<Metadata> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ResponseError) return error["response"] as Metadata;
    throw error;
  }
}

function viewOf(topic: Metadata["topics"][number] | undefined): TopicView | undefined {
  const code = topic?.errorCode ?? topicError.unknownTopic;
  if (code === topicError.unknownTopic || code === topicError.unknownTopicId) return undefined;
  if (topic === undefined || (code !== 0 && topic.partitions.length === 0)) throw brokerError(code);
  const partitions = topic.partitions
    .map(({ partitionIndex, leaderId }) => ({ index: partitionIndex, leader: leaderId < 0 ? undefined : leaderId }))
    .sort((one, other) => one.index - other.index);
  return { id: topic.topicId, partitions };
}
