import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, expect, it } from "vitest";
import { redisLog } from "../../../src/adapters/redis/index.ts";
import { limit } from "../../../src/core/limit.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { LogRecord } from "../../../src/ports/log.ts";
import { describeWith } from "../../servers/not-run.ts";
import { startRedis } from "../../servers/redis.ts";
import type { RestartableServer } from "../../servers/server.ts";
import {
  context,
  Reading,
  explained,
  failure,
  firstLane,
  readAll,
  readSome,
  record,
  textOf,
  until,
  valuesOf,
} from "../brokers/scene.ts";
import { freshName, makeLog, removeLog, withLog, withRedis } from "./scene.ts";

describeWith("redis", "appending to Redis", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startRedis({ durable: true });
  });
  afterAll(() => server?.stop());

  const place = (query = "lanes=3"): { name: string; url: string } => {
    const name = freshName();
    return { name, url: `${server.url}/0?stream=${name}&${query}` };
  };
  const many = (count: number, bytes: number): LogRecord[] =>
    Array.from({ length: count }, (_, index) => ({ ...record(String(index), "k"), value: randomBytes(bytes) }));

  it("keeps every byte of keys, values and ids, and the time", async () => {
    const records: LogRecord[] = [
      { key: randomBytes(300), value: randomBytes(1000), id: "plain-1", timeMs: 1_700_000_000_001 },
      { key: new Uint8Array(0), value: new Uint8Array(0), id: "", timeMs: 0 },
      { value: Uint8Array.of(0, 13, 10, 255), id: " blank\r\n é 日本 ", timeMs: 1.5 },
      { key: Uint8Array.of(128), value: Uint8Array.of(1), timeMs: 5 },
    ];
    await withLog(place("lanes=1").url, async (log) => {
      await log.append(records);
      const kept = await readSome(log, await firstLane(log), 4);
      const bytes = (some: Uint8Array | undefined) => (some === undefined ? undefined : Buffer.from(some));
      const plain = ({ key, value, id, timeMs }: LogRecord) => ({ key: bytes(key), value: bytes(value), id, timeMs });
      expect(kept.map(plain)).toEqual(records.map(plain));
    });
  });

  it("keeps the order of each key, also of appends that take several scripts while others come", async () => {
    await withLog(place().url, async (log) => {
      const values = Array.from({ length: 3 * limit.redisScriptRecords }, (_, index) => index);
      const appends = [0, 1, 2, 3, 4, 5].map((part) =>
        log.append(values.filter((n) => n % 6 === part).map((n) => record(String(n), `key ${part % 2}`))),
      );
      appends.push(log.append(values.map((n) => record(String(n), "all"))));
      await Promise.all(appends);
      const kept = [...(await readAll(log)).values()].flat();
      const own = (key: string) => valuesOf(kept.filter((one) => textOf(one.key) === key));
      expect(own("all")).toEqual(values.map(String));
      const even = [0, 2, 4].flatMap((part) => values.filter((n) => n % 6 === part));
      expect(own("key 0")).toEqual(even.map(String));
    });
  });

  it("makes lanes anew that were removed meanwhile, with the number of lanes that others have made", async () => {
    const { name, url } = place();
    await withLog(url, async (log) => {
      await log.append([record("before", "a")]);
      await removeLog(server.url, name);
      await withLog(url.replace("lanes=3", "lanes=5"), (other) =>
        other.append([record("one", "b"), record("two", "c")]),
      );
      await log.append(Array.from({ length: 100 }, (_, index) => record(String(index), `key ${index}`)));
      const all = await readAll(log);
      expect([all.size, [...all.values()].flat().length]).toEqual([5, 102]);
      await withLog(url, async (other) => {
        await other.append([record("again", "key 7")]);
        const lane = [...(await readAll(other))].find(([, some]) => some.some((one) => textOf(one.key) === "key 7"));
        expect(valuesOf((lane?.[1] ?? []).filter((one) => textOf(one.key) === "key 7"))).toEqual(["7", "again"]);
      });
    });
  });

  it("is full when a lane is, before anything is appended, until there is room again", async () => {
    const { name, url } = place("lanes=1&max=1MB");
    await withLog(url, async (log) => {
      await log.append(many(12, 64_000));
      const { end } = await firstLane(log);
      const [small, large] = [log.append(many(1, 100)), explained(log, log.append(many(12, 64_000)))];
      const full = await large;
      expect([full.code, log.classify(full)]).toEqual(["SINK_FULL", "wait"]);
      // One that came at the same time and fits is not refused with it.
      await small;
      const [first, second] = await readSome(log, { ...(await firstLane(log)), start: end }, 1);
      expect([first?.value.length, second]).toEqual([100, undefined]);
      // A larger one than a script takes is refused before its first part.
      const huge = await explained(log, log.append(many(limit.redisScriptRecords + 500, 100)));
      expect(huge.code).toBe("SINK_FULL");
      await withRedis(server.url, (redis) => redis.xtrim(`{${name}}:0`, "MAXLEN", 1));
      await log.append(many(12, 64_000));
    });
  });

  it("removes what is older than its retention, and what it then says is gone", async () => {
    const { name, url } = place("lanes=1&retention=1s");
    const clock = { nowMs: Date.now() };
    const log = redisLog(parsePlace(url), { ...context, now: () => clock.nowMs });
    await log.open();
    await log.append([record("old", "k")]);
    const lane = await firstLane(log);
    await until(async () => {
      // How often it is looked is by this clock; how old entries are, by the server's.
      clock.nowMs += limit.redisTrimMs;
      await log.append([record("new", "k")]);
      return (
        (await withRedis(server.url, (redis) => redis.xrange(`{${name}}:0`, "-", "+", "COUNT", 1)))[0]?.[1][5] === "new"
      );
    }, "the first entry to go");
    expect(await failure(readSome(log, lane, 1))).toMatchObject({ lane: "0", wanted: lane.start });
    await log.close();
  });

  it("counts its offsets up from 1, over the bounds of ids, and behind whatever others have written", async () => {
    const { name, url } = place("lanes=1");
    const ids = () =>
      withRedis(server.url, (redis) => redis.xrange(`{${name}}:0`, "-", "+").then((all) => all.map(([id]) => id)));
    await withLog(url, async (log) => {
      await log.append([record("a", "k"), record("b", "k")]);
      expect(await ids()).toEqual(["0-1", "0-2"]);
      expect(await firstLane(log)).toMatchObject({ start: 1n, end: 3n, appended: 2n });
      await withRedis(server.url, (redis) => redis.xadd(`{${name}}:0`, "7-2097150", "_value", "c"));
      await log.append([record("d", "k"), record("e", "k"), record("f", "k")]);
      expect((await ids()).slice(2)).toEqual(["7-2097150", "7-2097151", "8-0", "8-1"]);
      const now = await withRedis(server.url, (redis) => redis.xadd(`{${name}}:0`, "*", "_value", "g"));
      await log.append([record("h", "k")]);
      expect((await ids()).slice(-2)).toEqual([now, `${now?.split("-")[0]}-1`]);
      expect(valuesOf(await readSome(log, await firstLane(log), 8)).join("")).toBe("abcdefgh");
      expect((await firstLane(log)).appended).toBe(8n);
      await withRedis(server.url, (redis) => redis.xadd(`{${name}}:0`, "4398046511103-2097151", "_value", "last"));
      expect(await explained(log, log.append([record("beyond", "k")]))).toMatchObject({ code: "SINK_REFUSED" });
    });
  });

  it("writes to a stream that others made, and to none of its name that is something else", async () => {
    const [name, other] = [freshName(), freshName()];
    await withRedis(server.url, async (redis) => {
      await redis.xadd(name, "*", "a", "1");
      await redis.set(`{${other}}:0`, "text");
    });
    await withLog(`${server.url}?stream=${name}&lanes=7`, async (log) => {
      await log.append([record("from here", "k")]);
      expect((await log.lanes()).length).toBe(1);
      expect(valuesOf(await readSome(log, await firstLane(log), 2))).toEqual(['{"a":"1"}', "from here"]);
    });
    const log = makeLog(`${server.url}?stream=${other}`);
    expect(await explained(log, log.open())).toMatchObject({ code: "SINK_REFUSED" });
    await log.close();
  });
});

describeWith("redis", "a Redis server that lacks something", () => {
  it("without memory is full, without eviction, and all of an append is refused", async () => {
    const server = await startRedis({ settings: { maxmemory: "8mb", "maxmemory-policy": "noeviction" } });
    try {
      await withLog(`${server.url}?stream=log&lanes=2`, async (log) => {
        const some = Array.from({ length: 10 }, (_, index) => ({
          value: randomBytes(100_000),
          key: Buffer.of(index),
          timeMs: 1,
        }));
        const fill = async (): Promise<void> => {
          for (;;) await log.append(some);
        };
        const full = await explained(log, fill());
        expect([full.code, log.classify(full)]).toEqual(["SINK_FULL", "wait"]);
        const count = [...(await readAll(log)).values()].flat().length;
        expect([count > 0, count % 10]).toEqual([true, 0]);
      });
    } finally {
      await server.stop();
    }
  });

  it("says how durable an append is, and warns where it is not", async () => {
    const notices: string[] = [];
    const open = async (settings: Record<string, string>, query = ""): Promise<string> => {
      const server = await startRedis({ settings });
      const log = redisLog(parsePlace(`${server.url}?stream=log${query}`), {
        ...context,
        notice: (text) => notices.push(text),
      });
      try {
        await log.open();
        await log.append([record("one")]);
        return log.facts.durability;
      } finally {
        await log.close();
        await server.stop();
      }
    };
    expect(await open({ appendonly: "no" })).toMatch(/memory only/);
    expect(notices.splice(0)).toMatchObject([expect.stringContaining("appendonly yes")]);
    expect(await open({ appendonly: "yes", appendfsync: "always" })).toMatch(/is on disk \(appendfsync always\)/);
    expect(await open({ appendonly: "yes", appendfsync: "everysec" }, "&sync=false")).toMatch(
      /within about two seconds/,
    );
    // Redis 7.2 can say when it is on disk.
    expect(await open({ appendonly: "yes", appendfsync: "everysec" })).toMatch(/within about two seconds|WAITAOF/);
    expect(await open({ appendonly: "yes", appendfsync: "no" })).toMatch(/when the operating system writes it/);
    expect(notices.splice(0)).toEqual([]);
    await open({ appendonly: "yes", maxmemory: "100mb", "maxmemory-policy": "allkeys-lru" });
    expect(notices.splice(0)).toMatchObject([expect.stringContaining("noeviction")]);
  });

  it("and comes back without its newest records gives their numbers to no other", async () => {
    // No append-only file, and a snapshot when it is asked for.
    const server = await startRedis();
    try {
      await withLog(`${server.url}?stream=log&lanes=1`, async (log) => {
        await log.append(["0", "1", "2"].map((value) => record(value, "k")));
        await withRedis(server.url, (redis) => redis.save());
        await log.append(["lost 3", "lost 4"].map((value) => record(value, "k")));
        const before = await firstLane(log);
        const reader = new Reading(log, before);
        await until(() => reader.records.length === 5, "five records");
        await server.kill9();
        await server.start();
        const after = await firstLane(log);
        expect([after.incarnation, after.end]).toEqual([before.incarnation, 4n]);
        // Who had read the lost ones is told so, and goes on behind them with what comes.
        const lost = await explained(log, reader.ended);
        expect([lost.code, log.classify(lost)]).toEqual(["SINK_REFUSED", "stop"]);
        await log.append([record("3", "k"), record("4", "k"), record("5", "k")]);
        const [three, four] = await readSome(log, await firstLane(log), 2, before.end);
        expect([three?.offset, four?.offset]).toEqual([(1n << 36n) + 4n, (1n << 36n) + 5n]);
        const all = valuesOf(await readSome(log, await firstLane(log), 6));
        expect(all).toEqual(["0", "1", "2", "3", "4", "5"]);
        expect((await firstLane(log)).appended).toBe(6n);
      });
    } finally {
      await server.stop();
    }
  });

  it("without as many replicas as the URL asks for confirms nothing", async () => {
    const server = await startRedis({ durable: true, settings: { "repl-diskless-sync-delay": 0 } });
    const replica = await startRedis();
    const follow = async (): Promise<void> => {
      const { hostname, port } = new URL(server.url);
      await withRedis(replica.url, (redis) => redis.replicaof(hostname, port));
      const isThere = async (redis: Redis) => (await redis.info("replication")).includes("state=online");
      await until(() => withRedis(server.url, isThere), "the replica");
    };
    try {
      await follow();
      const url = `${server.url}?stream=log&replicas=1`;
      await withLog(url, async (log) => {
        await log.append([record("to two", "k")]);
        expect(log.facts.durability).toContain("1 replicas");
        const reader = makeLog(url.replace(server.url, replica.url));
        expect(await explained(reader, reader.append([record("to a replica")]))).toMatchObject({
          code: "SINK_READ_ONLY",
        });
        await reader.close();
        await replica.kill9();
        const error = await explained(log, log.append([record("to one", "k")]));
        expect([error.code, log.classify(error)]).toEqual(["SINK_UNREACHABLE", "wait"]);
      });
    } finally {
      await replica.stop();
      await server.stop();
    }
  }, 60_000);
});
