import { afterAll, beforeAll, expect, test } from "vitest";
import type { Log } from "../../../src/ports/log.ts";
import { startKafkaCluster } from "../../servers/kafka-cluster.ts";
import type { KafkaServer } from "../../servers/kafka.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { RestartableServer } from "../../servers/server.ts";
import { newName, numberOf, recordOf, Scene, takeAll, until } from "./scene.ts";

/** Three brokers are slow to start, and to agree on who leads. */
const slowMs = 60_000;

describeWith("kafka", "three brokers", () => {
  let server: KafkaServer;
  let scene: Scene;

  beforeAll(async () => {
    server = await startKafkaCluster();
    scene = new Scene(server);
  }, 120_000);
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
    await server.stop();
  });

  /** The broker that leads the first partition. */
  async function leaderOf(topic: string): Promise<RestartableServer> {
    const leader = await scene.admin(async (admin) => {
      const { brokers, topics } = await admin.metadata({ topics: [topic], forceUpdate: true });
      return brokers.get(topics.get(topic)?.partitions[0]?.leader ?? -1);
    });
    const found = server.brokers.find(({ url }) => url.endsWith(`:${leader?.port}`));
    if (found === undefined) throw new Error("no broker of the cluster leads the partition");
    return found;
  }

  test("records flow on when a broker is killed: none that was confirmed is lost or doubled, order per key is kept", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=6&replicas=3");
    const confirmed = new Set<number>();
    const writer = keepWriting(log, confirmed);
    const stop = new AbortController();
    const read: number[] = [];
    const readers = (await log.lanes()).map(async (lane) => {
      for await (const piece of log.read(lane, lane.start, stop.signal)) read.push(...piece.map(numberOf));
    });
    await until("records are confirmed", () => confirmed.size > 500, slowMs);
    const broker = await leaderOf(topic);
    await broker.kill9();
    const before = confirmed.size;
    await until("records are confirmed again", () => confirmed.size > before + 500, slowMs);
    await broker.start();
    const back = confirmed.size;
    await until("and when it is back", () => confirmed.size > back + 500, slowMs);
    await writer.stop();
    const lanes = await takeAll(log);
    const seen = [...lanes.values()].flat().map(numberOf);
    expect(new Set(seen).size).toBe(seen.length);
    expect([...confirmed.difference(new Set(seen))]).toEqual([]);
    for (const records of lanes.values()) expectOrder(records.map(numberOf));
    // The readers see the same, while it happens.
    await until("the readers have all", () => read.length >= seen.length, slowMs);
    stop.abort();
    await Promise.all(readers);
    expect(new Set(read)).toEqual(new Set(seen));
    expect(read).toHaveLength(seen.length);
  }, 240_000);

  function expectOrder(numbers: readonly number[]): void {
    const last = new Map<number, number>();
    for (const number of numbers) {
      expect(number).toBeGreaterThan(last.get(number % 20) ?? -1);
      last.set(number % 20, number);
    }
  }

  /** Appends without an end, a few at the same time. */
  function keepWriting(log: Log, confirmed: Set<number>) {
    let next = 0;
    let stopped = false;
    const appends: Promise<unknown>[] = [];
    const writing = (async () => {
      while (!stopped) {
        const numbers = Array.from({ length: 25 }, () => next++);
        const append = log
          .append(numbers.map((number) => recordOf(number, 20)))
          .then(() => {
            for (const number of numbers) confirmed.add(number);
          })
          .catch(() => {});
        appends.push(append);
        await new Promise((resolve) => setImmediate(resolve));
        if (appends.length % 4 === 0) await append;
      }
    })();
    return {
      stop: async () => {
        stopped = true;
        await writing;
        await Promise.all(appends);
      },
    };
  }

  test("without enough copies in step nothing is confirmed, and when they are back it goes on", async () => {
    const topic = newName();
    const log = await scene.open(topic, "partitions=1&replicas=3&timeout_ms=3000");
    await log.append([recordOf(0)]);
    const leader = await leaderOf(topic);
    const others = server.brokers.filter((broker) => broker !== leader);
    // Two of three are halted: no majority of controllers, and no second copy.
    await Promise.all(others.map((broker) => broker.kill9()));
    const [outcome] = await Promise.allSettled([log.append([recordOf(1)])]);
    expect(outcome).toMatchObject({ status: "rejected" });
    const { reason } = outcome as PromiseRejectedResult;
    expect(log.classify(reason)).toBe("wait");
    expect(log.explain(reason)).toMatchObject({ code: "SINK_UNREACHABLE" });
    await Promise.all(others.map((broker) => broker.start()));
    const isConfirmed = async (): Promise<boolean> => {
      const [again] = await Promise.allSettled([log.append([recordOf(2)])]);
      return again.status === "fulfilled";
    };
    await until("an append is confirmed again", isConfirmed, slowMs);
    const numbers = [...(await takeAll(log)).values()].flat().map(numberOf);
    expect(numbers).toContain(0);
    expect(numbers).toContain(2);
  }, 240_000);

  test("a group goes on when the broker that keeps it is killed", async () => {
    const [topic, group] = [newName(), newName("group")];
    const log = await scene.open(topic, "partitions=6&replicas=3&session_ms=6000");
    const stop = new AbortController();
    const shown: string[][] = [];
    const running = (async () => {
      for await (const lanes of log.assignments(group, stop.signal)) shown.push(lanes.map(({ name }) => name));
    })();
    await until("it has all lanes", () => shown.at(-1)?.length === 6);
    const keeper = await scene.admin(async (admin) => {
      const [found] = await admin.findCoordinator({ keyType: 0, keys: [group] });
      return found;
    });
    const broker = server.brokers.find(({ url }) => url.endsWith(`:${keeper?.port}`));
    if (broker === undefined) throw new Error("no broker keeps the group");
    await broker.kill9();
    const other = await scene.open(topic, "session_ms=6000");
    const stopOther = new AbortController();
    let others = 0;
    const otherRunning = (async () => {
      for await (const lanes of other.assignments(group, stopOther.signal)) others = lanes.length;
    })();
    await until("two share", () => shown.at(-1)?.length === 3 && others === 3, slowMs);
    stopOther.abort();
    stop.abort();
    await Promise.all([running, otherRunning]);
    await broker.start();
  }, 240_000);
});
