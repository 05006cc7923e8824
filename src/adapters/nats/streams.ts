import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig, type StreamInfo } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { limit } from "../../core/limit.ts";
import type { LogLane } from "../../ports/log.ts";
import type { Address } from "./address.ts";
import type { Client, Connection } from "./connection.ts";
import { apiCode, apiCodeOf, asking, isDenied, isMissing, withPurpose } from "./errors.ts";
import { notALog } from "./refusals.ts";

/** A lane as JetStream has it. */
export interface LaneStream {
  readonly stream: string;
  /** What to publish to; undefined when the stream takes more than one subject. */
  readonly subject: string | undefined;
}

/** Which streams the log consists of. */
export type Layout = readonly LaneStream[];

/** JetStream forgets ids by which it knows repeats after this; no longer than it keeps messages. */
const repeatsMs = 120_000;
const nanosPerMs = 1_000_000;

/**
 * The streams of a log. A log is the stream of its name, where there is one, as its only lane: one that others have made
 * and write to. Otherwise its lanes are streams of their own, `name-0`, `name-1`, …, with the subjects `name.0`, `name.1`,
 * …: sequences without gaps of other lanes, of which JetStream itself tells first and last, and each lane with a leader of
 * its own in a cluster. How many they are stands in the description of the first, which is made before all others:
 * processes that create a log at the same time, with other numbers, agree on one.
 */
export class Streams {
  readonly #address: Address;
  readonly #connection: Connection;
  #layout: Layout | undefined;

  constructor(address: Address, connection: Connection) {
    this.#address = address;
    this.#connection = connection;
  }

  /** As it was known last; undefined before the log was looked at. */
  get layout(): Layout | undefined {
    return this.#layout;
  }

  /** Creates what is missing. */
  async ensure(): Promise<Layout> {
    const client = await this.#connection.client();
    const only = await infoOf(client, this.#address.name);
    if (only !== undefined) return this.#know(layoutOfOne(only));
    const second = await infoOf(client, laneName(this.#address, 1));
    const lanes = second === undefined ? this.#address.lanes : this.#countOf(second);
    const layout = lanesOf(this.#address, this.#countOf(await this.#ensureLane(client, 0, lanes)));
    const others = layout.slice(1);
    await Promise.all(others.map((_, index) => this.#ensureLane(client, index + 1, layout.length)));
    return this.#know(layout);
  }

  /** The lanes that are there. */
  async lanes(): Promise<readonly LogLane[]> {
    const infos = await this.#infos();
    return infos.flatMap((info, index) => (info === undefined ? [] : [laneOf(info, index)]));
  }

  /**
   * Resolves when the stream of a lane can be asked for its messages. A server says that a stream is there before it has
   * made its store, and ends, up to 2.9.10 at least, when it is asked for what is in it then. So it is sent a message that
   * it must not store, to which it answers when it is ready.
   */
  async ready({ subject, stream }: LaneStream): Promise<void> {
    if (subject === undefined) return;
    const { nats } = await this.#connection.client();
    const wrong = headers();
    wrong.set("Nats-Expected-Stream", `not ${stream}`);
    try {
      await nats.request(subject, "", { headers: wrong, timeout: limit.natsRequestMs });
    } catch (error) {
      // Who may not publish has to take it as it is.
      if (!isDenied(error)) throw withPurpose(error, `looking at the stream ${stream}`);
    }
  }

  /** What JetStream says of each lane; undefined for one that is missing. The layout is looked at anew with it. */
  async #infos(): Promise<readonly (StreamInfo | undefined)[]> {
    const client = await this.#connection.client();
    const only = await infoOf(client, this.#address.name);
    if (only !== undefined) {
      this.#know(layoutOfOne(only));
      return [only];
    }
    const first = await infoOf(client, laneName(this.#address, 0));
    const known = first === undefined ? this.#layout : lanesOf(this.#address, this.#countOf(first));
    if (known === undefined) return [];
    const layout = this.#know(known);
    return [first, ...(await Promise.all(layout.slice(1).map(({ stream }) => infoOf(client, stream))))];
  }

  /** See `#infos`; by stream. */
  async infos(): Promise<ReadonlyMap<string, StreamInfo>> {
    const infos = await this.#infos();
    return new Map(infos.flatMap((info) => (info === undefined ? [] : [[info.config.name, info]])));
  }

  #know(layout: Layout): Layout {
    // The same array while nothing has changed: others compare it.
    if (JSON.stringify(layout) !== JSON.stringify(this.#layout)) this.#layout = layout;
    return this.#layout ?? layout;
  }

  async #ensureLane(client: Client, lane: number, lanes: number): Promise<StreamInfo> {
    const stream = laneName(this.#address, lane);
    const found = await infoOf(client, stream);
    if (found !== undefined) return found;
    try {
      return await asking(`creating the stream ${stream}`, client.streams.add(configOf(this.#address, lane, lanes)));
    } catch (error) {
      // Another process was first, with other settings: those hold. Which of the two it says depends on the moment.
      const isMade = apiCodeOf(error) === apiCode.streamExists || apiCodeOf(error) === apiCode.subjectsTaken;
      const made = isMade ? await infoOf(client, stream) : undefined;
      if (made === undefined) throw error;
      return made;
    }
  }

  #countOf(first: StreamInfo): number {
    const [, count] = /^Lane \d+ of (\d{1,4}) of a log of Millrace\b/.exec(first.config.description ?? "") ?? [];
    if (count === undefined || Number(count) < 1) throw notALog(this.#address, first.config.name);
    return Number(count);
  }
}

/** Undefined when there is no such stream. */
export async function infoOf(client: Client, stream: string): Promise<StreamInfo | undefined> {
  try {
    return await asking(`looking at the stream ${stream}`, client.streams.info(stream));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export function laneOf({ created, state }: StreamInfo, lane: number): LogLane {
  const end = BigInt(state.last_seq) + 1n;
  return {
    name: String(lane),
    incarnation: created,
    start: state.messages === 0 ? end : BigInt(state.first_seq),
    end,
    // Sequences begin at 1.
    appended: end - 1n,
  };
}

function layoutOfOne({ config }: StreamInfo): Layout {
  const [subject, ...others] = config.subjects ?? [];
  const isOne = subject !== undefined && others.length === 0 && !/(^|\.)[*>](\.|$)/.test(subject);
  return [{ stream: config.name, subject: isOne ? subject : undefined }];
}

function lanesOf(address: Address, count: number): Layout {
  return Array.from({ length: count }, (_, lane) => ({
    stream: laneName(address, lane),
    subject: `${address.name}.${lane}`,
  }));
}

function laneName({ name }: Address, lane: number): string {
  return `${name}-${lane}`;
}

function configOf(address: Address, lane: number, lanes: number): Partial<StreamConfig> & { name: string } {
  const { bytesMax, retentionMs } = address;
  return {
    name: laneName(address, lane),
    description: `Lane ${lane} of ${lanes} of a log of Millrace`,
    subjects: [`${address.name}.${lane}`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: address.replicas,
    // What is there stays: a lane without room refuses what is new, and says so.
    discard: DiscardPolicy.New,
    max_bytes: bytesMax === undefined ? -1 : Math.floor(bytesMax / lanes),
    max_age: (retentionMs ?? 0) * nanosPerMs,
    duplicate_window: Math.min(repeatsMs, retentionMs ?? repeatsMs) * nanosPerMs,
  };
}
