import { limit } from "../../core/limit.ts";
import type { FailureKind } from "../../core/retry.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
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
import { askFacts, durabilityOf, type ServerFacts, warningOf } from "./durability.ts";
import { classifyError, explainError } from "./errors.ts";
import { Lanes } from "./lanes.ts";
import { type LogAddress, readLogAddress } from "./log-address.ts";
import { type LogClient, type LogConnection, logConnection } from "./log-connection.ts";
import { assignmentsOf } from "./members.ts";
import { LaneReader } from "./reader.ts";
import { closedLog, logRemedies } from "./refusals.ts";
import { Settled } from "./settled.ts";
import { Writer } from "./writer.ts";

type LogContext = Omit<AdapterContext, "engine">;

/** `redis://` and `rediss://`: a log on streams of Redis. See docs/logs-redis.md. */
export const redisLog: LogFactory = (place, context) => new RedisLog(readLogAddress(place), context);

class RedisLog implements Log {
  readonly shown: string;
  readonly #address: LogAddress;
  readonly #context: LogContext;
  readonly #connection: LogConnection;
  readonly #writing: LogConnection;
  readonly #lanes: Lanes;
  readonly #writer: Writer;
  readonly #settled: Settled;
  readonly #closing = new AbortController();
  /** Members of groups that have not left yet. */
  readonly #members = new Set<Promise<void>>();
  readonly #asked = new WeakMap<LogClient, Promise<ServerFacts>>();
  #facts: ServerFacts | undefined;

  constructor(address: LogAddress, context: LogContext) {
    this.shown = address.shown;
    this.#address = address;
    this.#context = context;
    this.#connection = logConnection(address);
    this.#writing = logConnection(address);
    this.#lanes = new Lanes(address, this.#connection);
    this.#writer = new Writer({
      address,
      connection: this.#writing,
      lanes: this.#lanes,
      facts: (client) => this.#factsOf(client),
      time: context,
    });
    this.#settled = new Settled({
      connection: this.#connection,
      keyOf: (lane) => this.#lanes.layout?.keys[Number(lane.name)],
      trims: address.trimsSettled,
      time: context,
    });
  }

  get facts(): LogFacts {
    return { durability: durabilityOf(this.#facts, this.#address), valueBytesMax: limit.logValueBytes };
  }

  async open(): Promise<void> {
    const before = this.#facts;
    const facts = await this.#factsOf(await this.#connection.client());
    const warning = before === undefined ? warningOf(facts, this.#address) : undefined;
    if (warning !== undefined) this.#context.notice(warning);
    await this.#lanes.ensure();
  }

  append(records: readonly LogRecord[]): Promise<void> {
    return this.#writer.append(records);
  }

  async lanes(): Promise<readonly LogLane[]> {
    await this.#factsOf(await this.#connection.client());
    return this.#lanes.list();
  }

  async *assignments(group: string, signal: AbortSignal): AsyncGenerator<Assignment, void> {
    if (this.#closing.signal.aborted) throw closedLog(this.#address);
    const place = {
      connection: this.#connection,
      keys: [this.#lanes.keyOf(`members:${group}`), this.#lanes.keyOf(`shares:${group}`)],
      lanes: () => this.#lanesFor(group),
      time: this.#context,
      track: (work: Promise<void>) => this.#track(work),
    } as const;
    yield* assignmentsOf(place, AbortSignal.any([signal, this.#closing.signal]));
  }

  async *read(lane: LogLane, offset: bigint, signal: AbortSignal): AsyncGenerator<readonly KeptRecord[], void> {
    if (this.#closing.signal.aborted) throw closedLog(this.#address);
    if (this.#lanes.layout === undefined) await this.lanes();
    const key = this.#lanes.layout?.keys[Number(lane.name)];
    if (key === undefined) throw new LaneReplaced(`the log has no lane ${lane.name} any more`);
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const parts = { address: this.#address, time: this.#context };
    yield* new LaneReader(parts, { lane, key, offset, signal: ended }).pieces();
  }

  async settle(group: string, lane: LogLane, offset: bigint): Promise<void> {
    this.#settled.settle({ group, lane, offset });
  }

  classify(error: unknown): FailureKind {
    return classifyError(error);
  }

  explain(error: unknown): Error {
    return explainError(error, this.#address, logRemedies);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#members);
    await this.#writer.close();
    await this.#settled.close();
    await this.#writing.close();
    await this.#connection.close();
  }

  async #lanesFor(group: string): Promise<readonly LogLane[]> {
    const lanes = await this.lanes();
    await this.#settled.begin(group, lanes);
    return lanes;
  }

  /** What the server says of itself, asked for with each connection: it may have been started with other settings. */
  async #factsOf(client: LogClient): Promise<ServerFacts> {
    const asked = this.#asked.get(client) ?? askFacts(client, this.#address);
    this.#asked.set(client, asked);
    try {
      this.#facts = await asked;
      return this.#facts;
    } catch (error) {
      this.#asked.delete(client);
      throw error;
    }
  }

  #track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => this.#members.delete(tracked));
    this.#members.add(tracked);
    return tracked;
  }
}
