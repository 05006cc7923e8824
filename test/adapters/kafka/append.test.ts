import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster } from "../../../src/adapters/kafka/cluster.ts";
import { readAddress } from "../../../src/adapters/kafka/address.ts";
import { batchesOf, BatchBytes, type KeptBatch, stampBatch } from "../../../src/adapters/kafka/record-batch.ts";
import { requests } from "../../../src/adapters/kafka/requests.ts";
import { partitionOf } from "../../../src/adapters/kafka/partition.ts";
import { MillraceError } from "../../../src/core/error.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { LogRecord } from "../../../src/ports/log.ts";
import { type KafkaServer, startKafka } from "../../servers/kafka.ts";
import { describeWith } from "../../servers/not-run.ts";
import { newName, notices, numberOf, recordOf, Scene, takeAll, thrown, until } from "./scene.ts";

describeWith("kafka", "appending to Kafka", () => {
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

  /** The batches of a partition as the broker keeps them. */
  async function batches(topic: string, partition = 0): Promise<KeptBatch[]> {
    const cluster = new Cluster(readAddress(parsePlace(`${server.url}/${topic}`)));
    try {
      const view = await cluster.look();
      const broker = cluster.broker(view?.partitions[partition]?.leader);
      if (view === undefined || broker === undefined) throw new Error("the topic has no leader");
      const wanted = [{ topicId: view.id, places: [{ partition, offset: 0n }] }];
      const bounds = { waitMs: 0, bytes: 2 ** 24, partitionBytes: 2 ** 24 };
      const { partitions } = await cluster.wires.send(broker, "fetch", requests.fetch, wanted, bounds);
      return batchesOf(partitions[0]?.records ?? Buffer.alloc(0));
    } finally {
      await cluster.wires.close();
    }
  }

  test("what was appended is read back: keys, ids, times, values of all bytes and of none", async () => {
    const log = await scene.open(newName(), "partitions=3");
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    // Brokers delete by these times: what is old would be gone soon.
    const now = Date.now();
    const records: LogRecord[] = [
      { key: Buffer.from("one"), value: bytes, id: "the first é", timeMs: now + 123 },
      { value: Buffer.from("no key and no id"), timeMs: now },
      { key: new Uint8Array(), value: new Uint8Array(), id: "", timeMs: now - 3_600_000 },
      { key: bytes, value: Buffer.alloc(100_000, 7), id: "x".repeat(200), timeMs: now + 456 },
    ];
    await log.append(records);
    const lanes = await takeAll(log);
    const kept = [...lanes.values()].flat();
    expect(kept).toHaveLength(4);
    for (const { key, value, id, timeMs } of records) {
      const found = kept.find((one) => one.timeMs === timeMs);
      expect(found?.id).toBe(id);
      expect(Buffer.from(found?.value ?? []).equals(value)).toBe(true);
      expect(found?.key === undefined ? undefined : Buffer.from(found.key)).toEqual(
        key === undefined ? undefined : Buffer.from(key),
      );
      if (key === undefined) continue;
      expect(lanes.get(String(partitionOf(key, 3)))).toContain(found);
    }
  });

  test("single appends at the same time share batches and requests", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1");
    await Promise.all(Array.from({ length: 3_000 }, (_, number) => log.append([recordOf(number)])));
    const kept = await batches(topic);
    expect(kept.length).toBeLessThan(300);
    const numbers = [...(await takeAll(log)).values()].flat().map(numberOf);
    expect(numbers).toEqual(Array.from({ length: 3_000 }, (_, number) => number));
  });

  test("records without a key fill one batch after another, on all partitions in the end", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=4&linger_ms=50");
    const value = Buffer.alloc(1_000);
    const append = (): Promise<void> =>
      log.append(Array.from({ length: 3_000 }, () => ({ value, timeMs: Date.now() })));
    for (let times = 0; times < 4; times += 1) await append();
    const counts = [...(await takeAll(log)).values()].map(({ length }) => length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(12_000);
    expect(counts.filter((count) => count > 0).length).toBeGreaterThan(1);
  });

  for (const compression of ["gzip", "snappy", "lz4", "zstd"]) {
    test(`${compression} is what brokers understand`, async () => {
      const topic = newName();
      const log = await scene.open(topic, `partitions=1&compression=${compression}`);
      const pad = "the same again and again ".repeat(20);
      await log.append(Array.from({ length: 2_000 }, (_, number) => recordOf(number, 10, pad)));
      const bytes = (await batches(topic)).reduce((sum, batch) => sum + batch.bytes.length, 0);
      expect(bytes).toBeLessThan(500_000);
      const numbers = [...(await takeAll(log)).values()].flat().map(numberOf);
      expect(numbers).toEqual(Array.from({ length: 2_000 }, (_, number) => number));
    });
  }

  test("a value as large as the facts say is taken; a larger one is refused with its size and the limit", async () => {
    const log = await scene.open(newName(), "partitions=1");
    const { valueBytesMax } = log.facts;
    expect(valueBytesMax).toBe(1_048_588 - 4_096);
    await log.append([
      { key: Buffer.from("k"), id: "large", value: Buffer.alloc(valueBytesMax, 1), timeMs: Date.now() },
    ]);
    const large = { value: Buffer.alloc(10_000_000), timeMs: Date.now() };
    const error = log.explain(await thrown(() => log.append([recordOf(1), large])));
    expect(error).toMatchObject({ code: "SINK_REFUSED" });
    expect(error.message).toContain("10000000 bytes");
    expect(error.message).toContain(String(valueBytesMax));
    expect(log.classify(error)).toBe("stop");
    expect([...(await takeAll(log)).values()].flat()).toHaveLength(1);
  });

  test("a topic made for large values takes them", async () => {
    const log = await scene.open(newName(), "partitions=2&topic.max.message.bytes=12000000");
    expect(log.facts.valueBytesMax).toBe(12_000_000 - 4_096);
    const value = Buffer.alloc(10_000_000);
    for (let index = 0; index < value.length; index += 1) value[index] = index % 251;
    await log.append([{ key: Buffer.from("a"), value, timeMs: Date.now() }, recordOf(1), recordOf(2)]);
    const kept = [...(await takeAll(log)).values()].flat();
    expect(kept).toHaveLength(3);
    const found = kept.find((record) => record.value.length === value.length);
    expect(Buffer.from(found?.value ?? []).equals(value)).toBe(true);
  });

  test("one record that the topic does not take fails its own append, and none beside it", async () => {
    const log = await scene.open(newName(), "partitions=1&topic.message.timestamp.after.max.ms=3600000");
    const good = Array.from({ length: 40 }, (_, number) => log.append([recordOf(number)]));
    const bad = log.append([{ ...recordOf(1_000), timeMs: Date.now() + 10 * 86_400_000 }]);
    const more = Array.from({ length: 40 }, (_, number) => log.append([recordOf(number + 40)]));
    const [outcome] = await Promise.allSettled([bad, ...good, ...more]);
    expect(outcome.status).toBe("rejected");
    await Promise.all([...good, ...more]);
    const numbers = [...(await takeAll(log)).values()].flat().map(numberOf);
    expect(numbers).toEqual(Array.from({ length: 80 }, (_, number) => number));
  });

  test("large values among small ones are all taken, however they meet in batches", async () => {
    const log = await scene.open(newName(), "partitions=1&linger_ms=20");
    const { valueBytesMax } = log.facts;
    const sizes = [10, 300_000, valueBytesMax, 10, 520_000, valueBytesMax, valueBytesMax, 500_000, 40_000, 10];
    const records = sizes.map((size, index) => ({ ...recordOf(index), value: Buffer.alloc(size, index) }));
    await Promise.all([log.append(records), ...records.map((record) => log.append([record]))]);
    const kept = [...(await takeAll(log)).values()].flat();
    expect(kept.map(({ value }) => value.length)).toEqual([...sizes, ...sizes]);
  });

  test("a key that makes a record too large is refused by its size", async () => {
    const log = await scene.open(newName(), "partitions=1");
    const record = { key: Buffer.alloc(1_040_000), value: Buffer.alloc(20_000), timeMs: Date.now() };
    const [outcome, beside] = await Promise.allSettled([log.append([record]), log.append([recordOf(1)])]);
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "SINK_REFUSED" } });
    expect(String((outcome as PromiseRejectedResult).reason)).toMatch(/a record of 10\d{5} bytes .* 1048588/);
    expect(beside.status).toBe("fulfilled");
  });

  test("a writer that was fenced fails what it was writing, and goes on as a new one", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1");
    await log.append([recordOf(0)]);
    const [mine] = await batches(topic);
    if (mine === undefined) throw new Error("nothing was written");
    await writeAs(topic, mine.producerId, 7);
    const error = await thrown(() => log.append([recordOf(1)]));
    expect(log.explain(error)).toMatchObject({ code: "SINK_UNREACHABLE" });
    expect(log.classify(error)).toBe("wait");
    await log.append([recordOf(2)]);
    const kept = await batches(topic);
    expect(kept).toHaveLength(3);
    expect(kept.at(-1)?.producerId).not.toBe(mine.producerId);
  });

  /** As another process that took the writer over. */
  async function writeAs(topic: string, producerId: bigint, producerEpoch: number): Promise<void> {
    const cluster = new Cluster(readAddress(parsePlace(`${server.url}/${topic}`)));
    try {
      const view = await cluster.look();
      const broker = cluster.broker(view?.partitions[0]?.leader);
      if (broker === undefined) throw new Error("the topic has no leader");
      const batch = new BatchBytes();
      batch.add(recordOf(99));
      const sealed = await batch.seal("none");
      stampBatch(sealed, { producerId, producerEpoch, baseSequence: 0 });
      await cluster.wires.send(broker, "produce", requests.produce, topic, new Map([[0, sealed]]), 5_000);
    } finally {
      await cluster.wires.close();
    }
  }

  test("while the broker is away appends wait, are refused beyond a bound, and are given up in time", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1&timeout_ms=2500");
    const value = Buffer.alloc(1_000_000);
    await log.append([{ value, timeMs: Date.now() }]);
    await server.kill9();
    const begunAt = Date.now();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 120 }, () => log.append([{ value, timeMs: Date.now() }])),
    );
    const waitedMs = Date.now() - begunAt;
    const codes = outcomes.map((outcome) => {
      if (outcome.status === "fulfilled") return "confirmed";
      expect(log.classify(outcome.reason)).toBe("wait");
      const error = log.explain(outcome.reason);
      return error instanceof MillraceError ? error.code : "none";
    });
    expect(codes).not.toContain("confirmed");
    // 32 MiB stand in batches and 64 MiB wait; the others are refused at once.
    expect(codes.filter((code) => code === "SINK_FULL").length).toBeGreaterThan(15);
    expect(codes.filter((code) => code === "SINK_UNREACHABLE").length).toBeGreaterThan(80);
    expect(waitedMs).toBeGreaterThan(2_000);
    expect(waitedMs).toBeLessThan(15_000);
    await server.start();
    await until("an append is confirmed again", async () => {
      try {
        await log.append([recordOf(1)]);
        return true;
      } catch {
        return false;
      }
    });
  });

  test("a broker that is killed and comes back has every confirmed record once, in order within each key", async () => {
    const log = await scene.open(newName(), "partitions=4");
    const confirmed = new Set<number>();
    let next = 0;
    let stopped = false;
    const appends: Promise<unknown>[] = [];
    const feed = (async () => {
      while (!stopped) {
        const numbers = Array.from({ length: 25 }, () => next++);
        const append = log.append(numbers.map((number) => recordOf(number, 20))).then(() => {
          for (const number of numbers) confirmed.add(number);
        });
        appends.push(append.catch(() => {}));
        await new Promise((resolve) => setImmediate(resolve));
        if (appends.length % 4 === 0) await append.catch(() => {});
      }
    })();
    for (let deaths = 0; deaths < 2; deaths += 1) {
      const before = confirmed.size;
      await until("records are confirmed", () => confirmed.size > before + 2_000);
      await server.kill9();
      await server.start();
    }
    const before = confirmed.size;
    await until("records are confirmed again", () => confirmed.size > before + 2_000);
    stopped = true;
    await feed;
    await Promise.all(appends);
    const lanes = await takeAll(log);
    const seen = [...lanes.values()].flat().map(numberOf);
    expect(new Set(seen).size).toBe(seen.length);
    expect([...confirmed.difference(new Set(seen))]).toEqual([]);
    for (const records of lanes.values()) {
      const last = new Map<number, number>();
      for (const number of records.map(numberOf)) {
        expect(number).toBeGreaterThan(last.get(number % 20) ?? -1);
        last.set(number % 20, number);
      }
    }
  }, 90_000);

  test("a topic that is there is left as it is, and it is said that it is not as the URL asks", async () => {
    const topic = newName();
    await scene.open(topic, "partitions=2");
    const log = await scene.open(topic, "partitions=5");
    expect(await log.lanes()).toHaveLength(2);
    expect(notices.filter((text) => text.includes(topic))).toEqual([
      expect.stringContaining("the topic is there with 2 partitions, and is left as it is"),
    ]);
  });

  test("a topic that cannot be as the URL asks is refused with the broker's words", async () => {
    const log = scene.log(newName(), "replicas=3");
    const error = await thrown(() => log.open());
    expect(log.explain(error)).toMatchObject({
      code: "SINK_REFUSED",
      message: expect.stringMatching(/replication factor/i),
    });
    expect(log.classify(error)).toBe("stop");
    const wrong = scene.log(newName(), "topic.no.such.setting=1");
    expect(wrong.explain(await thrown(() => wrong.open()))).toMatchObject({ code: "SINK_REFUSED" });
  });

  test("a broker that stands still fails appends in time, and goes on where it stood", async () => {
    const log = await scene.open(newName(), "partitions=1&timeout_ms=2000");
    await log.append([recordOf(0, 1)]);
    const pid = server.brokers[0]?.pid ?? -1;
    process.kill(pid, "SIGSTOP");
    const begunAt = Date.now();
    const outcomes = await Promise.allSettled([1, 2, 3].map((number) => log.append([recordOf(number, 1)])));
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(Date.now() - begunAt).toBeLessThan(8_000);
    const closing = scene.log(newName(), "timeout_ms=2000");
    const [opening] = [closing.open().catch(() => {}), await closing.close()];
    await opening;
    expect(Date.now() - begunAt).toBeLessThan(10_000);
    process.kill(pid, "SIGCONT");
    const confirmed: number[] = [];
    await until("appends are confirmed again", async () => {
      const number = 10 + confirmed.length;
      const [outcome] = await Promise.allSettled([log.append([recordOf(number, 1)])]);
      if (outcome.status === "fulfilled") confirmed.push(number);
      return confirmed.length > 5;
    });
    const seen = [...(await takeAll(log)).values()].flat().map(numberOf);
    expect(seen).toEqual([...seen].sort((one, other) => one - other));
    expect(seen).toEqual(expect.arrayContaining([0, ...confirmed]));
  });

  test("what is confirmed is let go", async () => {
    const log = await scene.open(newName(), "partitions=1");
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const appended: WeakRef<LogRecord[]>[] = [];
    for (let number = 0; number < 60; number += 1) {
      const records = [recordOf(number)];
      appended.push(new WeakRef(records));
      await log.append(records);
    }
    await log.append([recordOf(60)]);
    collect();
    expect(appended.filter((records) => records.deref() !== undefined).length).toBeLessThan(5);
  });

  test("closing confirms what was appended, refuses what comes after, and leaves no socket", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=2&linger_ms=1000");
    const appends = Promise.all(Array.from({ length: 100 }, (_, number) => log.append([recordOf(number)])));
    await log.close();
    await appends;
    const error = await thrown(() => log.append([recordOf(1)]));
    expect(log.explain(error)).toMatchObject({ code: "INTERRUPTED" });
    const reader = await scene.open(topic);
    expect([...(await takeAll(reader)).values()].flat()).toHaveLength(100);
  });
});
