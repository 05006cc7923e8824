import { Producer as ClientProducer } from "@platformatic/kafka";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readAddress } from "../../../src/adapters/kafka/address.ts";
import { Cluster } from "../../../src/adapters/kafka/cluster.ts";
import { Fetcher } from "../../../src/adapters/kafka/fetcher.ts";
import { TopicWatch } from "../../../src/adapters/kafka/topic-watch.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { type KeptRecord, LaneReplaced, type Log, type LogLane, RecordsGone } from "../../../src/ports/log.ts";
import { type KafkaServer, startKafka } from "../../servers/kafka.ts";
import { describeWith } from "../../servers/not-run.ts";
import {
  brokersOf,
  context,
  newName,
  numberOf,
  recordOf,
  recreateTopic,
  Scene,
  take,
  thrown,
  trimTopic,
  until,
} from "./scene.ts";

describeWith("kafka", "reading from Kafka", () => {
  let server: KafkaServer;
  let scene: Scene;

  beforeAll(async () => {
    server = await startKafka();
    scene = new Scene(server);
  });
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
    await server.stop();
  });

  async function withProducer<Result>(work: (producer: ClientProducer) => Promise<Result>): Promise<Result> {
    const producer = new ClientProducer({
      clientId: "test",
      bootstrapBrokers: brokersOf(server.url),
      idempotent: true,
    });
    try {
      return await work(producer);
    } finally {
      await producer.close();
    }
  }

  async function onlyLane(log: Log): Promise<LogLane> {
    const [lane] = await log.lanes();
    if (lane === undefined) throw new Error("the topic has no partition");
    return lane;
  }

  function valuesOf(records: readonly KeptRecord[]): string[] {
    return records.map(({ value }) => Buffer.from(value).toString());
  }

  /** Reads in the background, until it ends. */
  function reading(
    log: Log,
    lane: LogLane,
    from = lane.start,
  ): { numbers: number[]; stop(): void; ended: Promise<unknown> } {
    const stop = new AbortController();
    const numbers: number[] = [];
    const ended = (async () => {
      for await (const piece of log.read(lane, from, stop.signal)) numbers.push(...piece.map(numberOf));
    })();
    return { numbers, stop: () => stop.abort(), ended: ended.catch((error: unknown) => error) };
  }

  for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
    test(`what another client wrote with compression ${compression} is read`, async () => {
      const topic = newName();
      const log = await scene.open(topic, "partitions=1");
      const messages = Array.from({ length: 500 }, (_, number) => ({
        topic,
        key: Buffer.from(`k${number}`),
        value: Buffer.from(`${number}:${"again ".repeat(50)}`),
        headers: new Map([[Buffer.from("other"), Buffer.from("header")]]),
      }));
      await withProducer((producer) => producer.send({ messages, compression }));
      const kept = await take(log, await onlyLane(log), 500);
      expect(kept.map(numberOf)).toEqual(Array.from({ length: 500 }, (_, number) => number));
      expect(kept[7]).toMatchObject({ key: Buffer.from("k7"), offset: 7n });
      expect(kept[7]?.id).toBeUndefined();
    });
  }

  test("a tombstone is an empty value", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1");
    const tombstone = { topic, key: Buffer.from("k"), value: null as unknown as Buffer };
    await withProducer((producer) => producer.send({ messages: [tombstone] }));
    const [kept] = await take(log, await onlyLane(log), 1);
    expect(kept).toMatchObject({ key: Buffer.from("k"), value: Buffer.alloc(0) });
  });

  test("of transactions only what was committed is read, and the end stands behind the last record", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1");
    const message = (text: string) => ({ topic, partition: 0, value: Buffer.from(text) });
    await withProducer(async (producer) => {
      for (const [text, isKept] of [
        ["a", true],
        ["b", false],
        ["c", true],
        ["d", false],
      ] as const) {
        const transaction = await producer.beginTransaction();
        await transaction.send({ messages: [message(`${text}1`), message(`${text}2`)] });
        await (isKept ? transaction.commit() : transaction.abort());
      }
    });
    const lane = await onlyLane(log);
    // Offsets: a1 a2 mark, b1 b2 mark, c1 c2 mark, d1 d2 mark.
    expect(lane).toMatchObject({ start: 0n, end: 8n });
    expect(valuesOf(await take(log, lane, 4))).toEqual(["a1", "a2", "c1", "c2"]);
    await log.append([recordOf(5)]);
    expect(valuesOf(await take(log, lane, 1, 8n))).toEqual(["5:"]);
    expect(valuesOf(await take(log, lane, 3, 4n))).toEqual(["c1", "c2", "5:"]);
  });

  test("a topic that holds nothing but an aborted transaction has no records", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1");
    await withProducer(async (producer) => {
      const transaction = await producer.beginTransaction();
      await transaction.send({ messages: [{ topic, partition: 0, value: Buffer.from("x") }] });
      await transaction.abort();
    });
    expect(await onlyLane(log)).toMatchObject({ start: 0n, end: 0n });
  });

  test("at the end a reader waits, and has a new record at once", async () => {
    const log = await scene.open(newName(), "partitions=3");
    const lanes = await log.lanes();
    const readers = lanes.map((lane) => reading(log, lane));
    const seen = (): number => readers.reduce((sum, { numbers }) => sum + numbers.length, 0);
    const waits: number[] = [];
    for (let number = 0; number < 30; number += 1) {
      await log.append([recordOf(number)]);
      const begunAt = performance.now();
      await until("the record is read", () => seen() > number);
      waits.push(performance.now() - begunAt);
    }
    for (const reader of readers) reader.stop();
    expect(await Promise.all(readers.map(({ ended }) => ended))).toEqual([undefined, undefined, undefined]);
    expect(waits.sort((one, other) => one - other)[15]).toBeLessThan(200);
  });

  test("an offset whose records were deleted throws where the records begin", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1");
    await log.append(Array.from({ length: 100 }, (_, number) => recordOf(number)));
    await trimTopic(server.url, topic, await onlyLane(log), 40n);
    const lane = await onlyLane(log);
    expect(lane).toMatchObject({ start: 40n, end: 100n });
    const error = await thrown(() => take(log, lane, 1, 10n));
    expect(error).toBeInstanceOf(RecordsGone);
    expect(error).toMatchObject({ lane: "0", wanted: 10n, start: 40n });
    expect((await take(log, lane, 60, 40n)).map(numberOf)[0]).toBe(40);
  });

  test("records deleted while they are read throw the same, after those that were at hand", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1");
    const pad = "x".repeat(100_000);
    for (let number = 0; number < 100; number += 1) await log.append([recordOf(number, 1, pad)]);
    const lane = await onlyLane(log);
    const numbers: number[] = [];
    const error = await thrown(async () => {
      for await (const piece of log.read(lane, 0n, new AbortController().signal)) {
        if (numbers.length === 0) await trimTopic(server.url, topic, lane, 90n);
        numbers.push(...piece.map(numberOf));
      }
    });
    expect(error).toBeInstanceOf(RecordsGone);
    expect(error).toMatchObject({ start: 90n, wanted: BigInt(numbers.length) });
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, number) => number));
  });

  test("an offset behind the end is an error that says so", async () => {
    const log = await scene.open(newName(), "partitions=1");
    await log.append([recordOf(0), recordOf(1)]);
    const error = log.explain(await thrown(async () => take(log, await onlyLane(log), 1, 50n)));
    expect(error).toMatchObject({ code: "SINK_REFUSED" });
    expect(error.message).toContain("lane 0 ends at offset 2, and 50 is next");
    expect(log.classify(error)).toBe("stop");
  });

  test("a reader at the end of a topic that is made anew is told so, and so is one that comes later", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1");
    await log.append([recordOf(0)]);
    const lane = await onlyLane(log);
    const reader = reading(log, lane);
    await until("it waits at the end", () => reader.numbers.length === 1);
    await recreateTopic(server.url, topic, 1);
    expect(await reader.ended).toBeInstanceOf(LaneReplaced);
    expect(await thrown(() => take(log, lane, 1))).toBeInstanceOf(LaneReplaced);
    const anew = await onlyLane(log);
    expect(anew.name).toBe(lane.name);
    expect(anew.incarnation).not.toBe(lane.incarnation);
    await log.append([recordOf(7)]);
    expect((await take(log, anew, 1)).map(numberOf)).toEqual([7]);
  });

  test("a reader of a topic that is deleted is told so", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1");
    const reader = reading(log, await onlyLane(log));
    await scene.admin((admin) => admin.deleteTopics({ topics: [topic] }));
    expect(await reader.ended).toBeInstanceOf(LaneReplaced);
  });

  test("no more is fetched ahead than a few pieces", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1");
    const value = Buffer.alloc(100_000);
    for (let times = 0; times < 20; times += 1) {
      await log.append(Array.from({ length: 10 }, () => ({ value, timeMs: Date.now() })));
    }
    const address = readAddress(parsePlace(`${server.url}/${topic}`));
    const cluster = new Cluster(address);
    const watch = new TopicWatch(cluster, context);
    const fetcher = new Fetcher(address, cluster, watch, context);
    await cluster.look();
    const feed = fetcher.add(await onlyLane(log), 0n);
    await until("something is fetched", () => feed.bytes > 0);
    const pieces = feed.read(new AbortController().signal);
    let taken = 0;
    let most = 0;
    while (taken < 200) {
      const { value: piece } = await pieces.next();
      taken += piece?.length ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 5));
      most = Math.max(most, feed.bytes);
    }
    expect(most).toBeLessThan(3 * 2 ** 20);
    await watch.close();
    await cluster.wires.close();
    await fetcher.close();
  });

  test("lanes of one process share connections, and closing leaves no socket and no timer", async () => {
    const kinds = (kind: RegExp): number => process.getActiveResourcesInfo().filter((name) => kind.test(name)).length;
    const before = { sockets: kinds(/TCPSocket/), timers: kinds(/Timeout/) };
    const log = await scene.open(newName(), "partitions=12");
    const readers = (await log.lanes()).map((lane) => reading(log, lane));
    await log.append(Array.from({ length: 100 }, (_, number) => recordOf(number)));
    await until("all is read", () => readers.reduce((sum, { numbers }) => sum + numbers.length, 0) === 100);
    expect(kinds(/TCPSocket/) - before.sockets).toBeLessThanOrEqual(5);
    await log.close();
    expect(await Promise.all(readers.map(({ ended }) => ended))).toEqual(readers.map(() => undefined));
    await until("nothing is left", () => kinds(/TCPSocket/) <= before.sockets && kinds(/Timeout/) <= before.timers + 1);
  });

  test("readers outlive a broker that is killed and comes back: no record is missing, none comes twice", async () => {
    const log = await scene.open(newName(), "partitions=3");
    const readers = (await log.lanes()).map((lane) => reading(log, lane));
    const seen = (): number => readers.reduce((sum, { numbers }) => sum + numbers.length, 0);
    let appended = 0;
    let stopped = false;
    const writing = (async () => {
      while (!stopped) {
        await log.append(Array.from({ length: 20 }, () => recordOf(appended++)));
      }
    })();
    await until("records are read", () => seen() > 2_000);
    await server.kill9();
    await server.start();
    const before = seen();
    await until("records are read again", () => seen() > before + 2_000);
    stopped = true;
    await writing;
    await until("all is read", () => seen() >= appended);
    const numbers = readers.flatMap((reader) => reader.numbers);
    expect(numbers.sort((one, other) => one - other)).toEqual(Array.from({ length: appended }, (_, number) => number));
    for (const reader of readers) reader.stop();
    expect(await Promise.all(readers.map(({ ended }) => ended))).toEqual([undefined, undefined, undefined]);
  }, 90_000);
});
