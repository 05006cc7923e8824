import { limit } from "../../core/limit.ts";
import type { FailureKind } from "../../core/retry.ts";
import type { Time } from "../../core/time.ts";
import {
  type Assignment,
  type KeptRecord,
  LaneReplaced,
  type Log,
  type LogFacts,
  type LogFactory,
  type LogLane,
  type LogRecord,
} from "../../ports/log.ts";
import { type Address, readAddress } from "./address.ts";
import { Bucket } from "./bucket.ts";
import { Connection } from "./connection.ts";
import { classifyError, explainError } from "./errors.ts";
import { assignmentsOf } from "./members.ts";
import { Publisher } from "./publisher.ts";
import { LaneReader } from "./reader.ts";
import { closedLog } from "./refusals.ts";
import { Settled } from "./settled.ts";
import { type LaneStream, Streams } from "./streams.ts";

/** `nats://`: a log on JetStream, the streams of NATS. See docs/logs-nats.md. */
export const natsLog: LogFactory = (place, context) => new NatsLog(readAddress(place), context);

class NatsLog implements Log {
  readonly shown: string;
  readonly #address: Address;
  readonly #time: Time;
  readonly #connection: Connection;
  readonly #streams: Streams;
  readonly #publisher: Publisher;
  readonly #leases: Bucket;
  readonly #agreements: Bucket;
  readonly #settled: Settled;
  readonly #closing = new AbortController();
  /** Members of groups that have not left yet. */
  readonly #members = new Set<Promise<void>>();

  constructor(address: Address, time: Time) {
    const { name, replicas } = address;
    this.shown = address.shown;
    this.#address = address;
    this.#time = time;
    this.#connection = new Connection(address);
    this.#streams = new Streams(address, this.#connection);
    this.#publisher = new Publisher(address, this.#connection, this.#streams, time);
    const bucket = { name: `millrace_${name}`, replicas, ageMs: undefined };
    this.#agreements = new Bucket(this.#connection, bucket);
    this.#leases = new Bucket(this.#connection, {
      ...bucket,
      name: `${bucket.name}_members`,
      ageMs: limit.natsLeaseMs,
    });
    this.#settled = new Settled({
      connection: this.#connection,
      entries: this.#agreements,
      streamOf: (lane) => this.#streamOf(lane).stream,
      trims: address.trimsSettled,
      time,
    });
  }

  get facts(): LogFacts {
    return {
      durability:
        "JetStream has written the record to the file of the stream, on most of its copies; a server writes its files to disk within sync_interval (2 minutes unless it is set).",
      valueBytesMax: this.#connection.server.valueBytesMax,
    };
  }

  async open(): Promise<void> {
    await this.#streams.ensure();
  }

  append(records: readonly LogRecord[]): Promise<void> {
    return this.#publisher.append(records);
  }

  lanes(): Promise<readonly LogLane[]> {
    return this.#streams.lanes();
  }

  async *assignments(group: string, signal: AbortSignal): AsyncGenerator<Assignment, void> {
    if (this.#closing.signal.aborted) throw closedLog(this.#address);
    const place = {
      connection: this.#connection,
      leases: this.#leases,
      agreements: this.#agreements,
      lanes: () => this.#lanesFor(group),
      time: this.#time,
      track: (work: Promise<void>) => this.#track(work),
    };
    yield* assignmentsOf(place, group, AbortSignal.any([signal, this.#closing.signal]));
  }

  async *read(lane: LogLane, offset: bigint, signal: AbortSignal): AsyncGenerator<readonly KeptRecord[], void> {
    if (this.#closing.signal.aborted) throw closedLog(this.#address);
    if (this.#streams.layout === undefined) await this.lanes();
    const parts = {
      address: this.#address,
      connection: this.#connection,
      streams: this.#streams,
      time: this.#time,
    };
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    yield* new LaneReader(parts, lane, this.#streamOf(lane), offset, ended).pieces();
  }

  async settle(group: string, lane: LogLane, offset: bigint): Promise<void> {
    this.#settled.settle({ group, lane, offset });
  }

  classify(error: unknown): FailureKind {
    return classifyError(error);
  }

  explain(error: unknown): Error {
    return explainError(error, this.#address);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#members);
    await this.#publisher.close();
    await this.#settled.close();
    await this.#connection.close();
  }

  async #lanesFor(group: string): Promise<readonly LogLane[]> {
    const lanes = await this.lanes();
    await this.#settled.begin(group, lanes);
    return lanes;
  }

  #track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => this.#members.delete(tracked));
    this.#members.add(tracked);
    return tracked;
  }

  /** Throws LaneReplaced. */
  #streamOf({ name }: LogLane): LaneStream {
    const found = this.#streams.layout?.[Number(name)];
    if (found === undefined) throw new LaneReplaced(`the log has no lane ${name} any more`);
    return found;
  }
}
