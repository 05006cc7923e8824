import { setTimeout as sleep } from "node:timers/promises";
import { Admin } from "@platformatic/kafka";
import { expect } from "vitest";
import { kafkaLog } from "../../../src/adapters/kafka/index.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { AdapterContext } from "../../../src/ports/adapter.ts";
import type { KeptRecord, Log, LogLane, LogRecord } from "../../../src/ports/log.ts";
import { Subject } from "../../crash/processes.ts";
import type { MemberEvent } from "./member-child.ts";

export const notices: string[] = [];

export const context: Omit<AdapterContext, "engine"> = {
  now: () => Date.now(),
  pause: async (ms, signal) => {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  },
  notice: (text) => notices.push(text),
};

/** How long a test waits for what is to happen, unless it says otherwise. */
const patienceMs = 25_000;

let topics = 0;

/** A name that no other test has. */
export function newName(prefix = "topic"): string {
  topics += 1;
  return `${prefix}_${process.pid}_${topics}`;
}

/** The logs and admins of a test, closed with it. */
export class Scene implements AsyncDisposable {
  readonly #logs: Log[] = [];
  readonly #server: { readonly url: string };

  constructor(server: { readonly url: string }) {
    this.#server = server;
  }

  /** A log that is not open yet. `options` as in a URL: `partitions=4&session_ms=6000`. */
  log(topic: string, options = ""): Log {
    const log = logAt(this.#server.url, topic, options);
    this.#logs.push(log);
    return log;
  }

  async open(topic: string, options = ""): Promise<Log> {
    const log = this.log(topic, options);
    await log.open();
    return log;
  }

  async admin<Result>(work: (admin: Admin) => Promise<Result>): Promise<Result> {
    return withAdmin(this.#server.url, work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#logs.map((log) => log.close()));
  }
}

/** `url` is that of a server: `kafka://host:port,host:port`. */
export function logAt(url: string, topic: string, options = ""): Log {
  return kafkaLog(parsePlace(`${url}/${topic}?${options}`), context);
}

export function brokersOf(url: string): string[] {
  return url.replace("kafka://", "").split(",");
}

export async function withAdmin<Result>(url: string, work: (admin: Admin) => Promise<Result>): Promise<Result> {
  const admin = new Admin({ clientId: "test", bootstrapBrokers: brokersOf(url), retries: 10, retryDelay: 300 });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

/** A process of its own that takes part in a group. */
export function startMember(url: string, group: string): Subject {
  return new Subject("test/adapters/kafka/member-child.ts", [url, group]);
}

/** The lanes that a member has printed; undefined for something else that it says. */
export function lanesIn(said: object): readonly string[] | undefined {
  const event = said as MemberEvent;
  return event.event === "assigned" ? event.lanes : undefined;
}

/** Removes the records of the lane before `offset`. */
export async function trimTopic(url: string, topic: string, lane: LogLane, offset: bigint): Promise<void> {
  const partitions = [{ partition: Number(lane.name), offset }];
  await withAdmin(url, (admin) => admin.deleteRecords({ topics: [{ name: topic, partitions }] }));
}

/** Deletes the topic and creates it again, as soon as the broker lets it be. */
export async function recreateTopic(url: string, topic: string, partitions: number): Promise<void> {
  await withAdmin(url, (admin) => admin.deleteTopics({ topics: [topic] }));
  await until("the topic can be created again", async () => {
    try {
      await withAdmin(url, (admin) => admin.createTopics({ topics: [topic], partitions, replicas: 1 }));
      return true;
    } catch {
      return false;
    }
  });
}

/** A record with the key `k0`, `k1`, … of its number, whose value and id say which it is. */
export function recordOf(number: number, keys = 10, pad = ""): LogRecord {
  return {
    key: Buffer.from(`k${number % keys}`),
    value: Buffer.from(`${number}:${pad}`),
    id: `id-${number}`,
    timeMs: Date.now(),
  };
}

export function numberOf({ value }: KeptRecord): number {
  return Number.parseInt(Buffer.from(value).toString(), 10);
}

/** Reads a lane until it has `count` records. */
export async function take(
  log: Log,
  lane: LogLane,
  count: number,
  from = lane.start,
  ms = patienceMs,
): Promise<KeptRecord[]> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ms);
  const taken: KeptRecord[] = [];
  try {
    if (count > 0) {
      for await (const piece of log.read(lane, from, stop.signal)) {
        taken.push(...piece);
        if (taken.length >= count) break;
      }
    }
  } finally {
    clearTimeout(timer);
  }
  expect(taken.length, `records of lane ${lane.name}`).toBeGreaterThanOrEqual(count);
  return taken;
}

/** All that the log holds now, by lane. */
export async function takeAll(log: Log): Promise<Map<string, KeptRecord[]>> {
  const lanes = await log.lanes();
  const all = await Promise.all(
    lanes.map(async (lane) => {
      const taken: KeptRecord[] = [];
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), patienceMs);
      if (lane.end > lane.start) {
        for await (const piece of log.read(lane, lane.start, stop.signal)) {
          taken.push(...piece.filter(({ offset }) => offset < lane.end));
          if ((piece.at(-1)?.offset ?? 0n) >= lane.end - 1n) break;
        }
      }
      clearTimeout(timer);
      expect(stop.signal.aborted, `lane ${lane.name} was read to its end`).toBe(false);
      return [lane.name, taken] as const;
    }),
  );
  return new Map(all);
}

/** Waits until it is so. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, ms = patienceMs): Promise<void> {
  await expect.poll(isSo, { timeout: ms, interval: 25, message: what }).toBe(true);
}

/** What the call throws. */
export async function thrown(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("it did not throw");
}
