import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { idOf } from "../../../src/adapters/redis/offset.ts";
import { limit } from "../../../src/core/limit.ts";
import { LaneReplaced, RecordsGone } from "../../../src/ports/log.ts";
import { describeWith } from "../../servers/not-run.ts";
import { startRedis } from "../../servers/redis.ts";
import type { RestartableServer } from "../../servers/server.ts";
import {
  Reading,
  explained,
  failure,
  firstLane,
  readSome,
  record,
  textOf,
  until,
  valuesOf,
  within,
} from "../brokers/scene.ts";
import { freshName, removeLog, withLog, withRedis } from "./scene.ts";

describeWith("redis", "reading from Redis", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startRedis({ durable: true });
  });
  afterAll(() => server?.stop());

  const place = (query = "lanes=1"): { name: string; url: string; key: string } => {
    const name = freshName();
    return { name, url: `${server.url}/0?stream=${name}&${query}`, key: `{${name}}:0` };
  };
  const numbers = (count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => record(`${from + index}`, "k"));
  const numbered = (count: number, from = 0): string[] =>
    Array.from({ length: count }, (_, index) => `${from + index}`);
  const trim = (key: string, offset: bigint) =>
    withRedis(server.url, (redis) => redis.xtrim(key, "MINID", idOf(offset)));

  it("leaves no connection behind, and ends when the signal aborts", async () => {
    const { url, key } = place();
    const blocked = () =>
      withRedis(server.url, (redis) => redis.info("clients").then((text) => /blocked_clients:(\d+)/.exec(text)?.[1]));
    await withLog(url, async (log) => {
      await log.append(numbers(3));
      const one = new Reading(log, await firstLane(log));
      await until(async () => one.records.length === 3 && (await blocked()) === "1", `a reader that waits for ${key}`);
      await one.stop();
      await until(async () => (await blocked()) === "0", "no reader to wait");
    });
    await until(async () => {
      const clients = await withRedis(server.url, (redis) => redis.client("LIST"));
      return !String(clients).includes("name=millrace");
    }, "all connections to be gone");
  });

  it("waits at the end for what comes, in pieces of about the size of the limit", async () => {
    await withLog(place().url, async (log) => {
      await log.append(numbers(3));
      const lane = await firstLane(log);
      const one = new Reading(log, lane, lane.end);
      for (let count = 0; count < 3; count += 1) {
        await log.append(numbers(1, 3 + count));
        await until(() => one.records.length === count + 1, "the next record");
      }
      expect(valuesOf(one.records)).toEqual(numbered(3, 3));
      await one.stop();
      const sizes = [limit.logValueBytes, 10, 600_000, 600_000, 5];
      const behind = (await firstLane(log)).end;
      for (const size of sizes) await log.append([{ value: randomBytes(size), timeMs: 1 }]);
      expect((await readSome(log, lane, 5, behind)).map(({ value }) => value.length)).toEqual(sizes);
      for await (const piece of log.read(lane, lane.start, new AbortController().signal)) {
        expect(piece.length).toBeLessThanOrEqual(limit.redisPiece);
        break;
      }
    });
  });

  it("says what is gone when others have trimmed, and reads what is left", async () => {
    const { url, key } = place();
    await withLog(url, async (log) => {
      await log.append(numbers(10));
      const lane = await firstLane(log);
      const all = await readSome(log, lane, 10);
      const [third, sixth] = [all[2]?.offset ?? 0n, all[5]?.offset ?? 0n];
      await trim(key, sixth);
      expect(await failure(readSome(log, lane, 1, third))).toMatchObject({ lane: "0", wanted: third, start: sixth });
      expect(await firstLane(log)).toMatchObject({ start: sixth, end: lane.end });
      // Also when it asks for what lies between two entries.
      expect(await failure(readSome(log, lane, 1, sixth - 1n))).toMatchObject({ wanted: sixth - 1n });
      expect(valuesOf(await readSome(log, lane, 5, sixth))).toEqual(numbered(5, 5));
    });
  });

  it("says that all records are gone, and goes on with the next", async () => {
    const { url, key } = place();
    await withLog(url, async (log) => {
      await log.append(numbers(10));
      const before = await firstLane(log);
      await trim(key, before.end);
      const lane = await firstLane(log);
      expect([lane.start, lane.end, lane.incarnation]).toEqual([before.end, before.end, before.incarnation]);
      expect(await failure(readSome(log, lane, 1, before.start))).toBeInstanceOf(RecordsGone);
      await log.append(numbers(3, 10));
      expect(valuesOf(await readSome(log, lane, 3, lane.start))).toEqual(numbered(3, 10));
      expect(await failure(readSome(log, lane, 1, before.end - 1n))).toBeInstanceOf(RecordsGone);
    });
  });

  it("misses nothing that is trimmed while it waits, unless it says so", async () => {
    const { url, key } = place();
    await withLog(url, async (log) => {
      await log.append(numbers(5));
      const lane = await firstLane(log);
      const one = new Reading(log, lane);
      await until(() => one.records.length === 5, "five records");
      // What it has read goes: that is nothing to it.
      await trim(key, lane.end);
      await log.append(numbers(1, 5));
      await until(() => one.records.length === 6, "the next record");
      // What it has not read goes with the same command that adds another one.
      await withRedis(server.url, async (redis) => {
        await redis.multi().xadd(key, "*", "_value", "6").xadd(key, "MAXLEN", 1, "*", "_value", "7").exec();
      });
      expect(await failure(within(one.ended, "records to be gone"))).toBeInstanceOf(RecordsGone);
      expect(valuesOf(one.records)).toEqual(numbered(6));
    });
  });

  it("skips entries that were removed one by one", async () => {
    const { url, key } = place();
    await withLog(url, async (log) => {
      await log.append(numbers(5));
      const lane = await firstLane(log);
      const [, , third] = await readSome(log, lane, 5);
      await withRedis(server.url, (redis) => redis.xdel(key, idOf(third?.offset ?? 0n)));
      expect(valuesOf(await readSome(log, lane, 4))).toEqual(["0", "1", "3", "4"]);
    });
  });

  it("ends with LaneReplaced when a stream was removed by hand and made anew, by whomever, while it waits and before", async () => {
    const { name, url, key } = place();
    await withLog(url, async (log) => {
      await log.append(numbers(3));
      const lane = await firstLane(log);
      const waiting = new Reading(log, lane, lane.end);
      await withRedis(server.url, async (redis) => {
        await redis.multi().del(key).xadd(key, "*", "_value", "not to be taken for the next").exec();
      });
      expect(await failure(within(waiting.ended, "the end of the old lane"))).toBeInstanceOf(LaneReplaced);
      expect(waiting.records).toEqual([]);
      expect(await log.lanes()).toEqual([]);
      await log.append(numbers(1, 100));
      const anew = await firstLane(log);
      expect(anew.incarnation).not.toBe(lane.incarnation);
      expect(await failure(readSome(log, lane, 1, lane.end))).toBeInstanceOf(LaneReplaced);
      expect(valuesOf(await readSome(log, anew, 2))).toEqual(["not to be taken for the next", "100"]);
      await removeLog(server.url, name);
      expect(await failure(readSome(log, anew, 1))).toBeInstanceOf(LaneReplaced);
      await withRedis(server.url, (redis) => redis.flushall());
      await log.append(numbers(1));
      expect(valuesOf(await readSome(log, await firstLane(log), 1))).toEqual(["0"]);
    });
  });

  it("stops at a position behind the end, where entries were lost that it had read", async () => {
    await withLog(place().url, async (log) => {
      await log.append(numbers(3));
      const lane = await firstLane(log);
      const error = await explained(log, readSome(log, lane, 1, lane.end + 1n));
      expect([error.code, log.classify(error)]).toEqual(["SINK_REFUSED", "stop"]);
    });
  });

  it("reads what others have written, from their streams and from its own", async () => {
    const { name, url, key } = place();
    const theirs = freshName();
    await withRedis(server.url, async (redis) => {
      await redis.xadd(theirs, "*", "sensor", "12", "note", 'é "quoted"', "__proto__", "odd");
      await redis.xadd(theirs, "*", "_value", "as it is", "_time", "never");
    });
    await withLog(`${server.url}?stream=${theirs}`, async (log) => {
      const [plain, value] = await readSome(log, await firstLane(log), 2);
      expect(JSON.parse(textOf(plain?.value))).toEqual(
        JSON.parse('{"sensor":"12","note":"é \\"quoted\\"","__proto__":"odd"}'),
      );
      expect([plain?.key, plain?.id, value?.key, value?.id]).toEqual([undefined, undefined, undefined, undefined]);
      expect(textOf(value?.value)).toBe("as it is");
      for (const one of [plain, value]) expect(Math.abs((one?.timeMs ?? 0) - Date.now())).toBeLessThan(60_000);
    });
    await withLog(url, async (log) => {
      await log.append(numbers(1));
      await withRedis(server.url, (redis) => redis.xadd(key, "*", "a", "b"));
      await log.append(numbers(1, 1));
      expect(valuesOf(await readSome(log, await firstLane(log), 3))).toEqual(["0", '{"a":"b"}', "1"]);
      await withRedis(server.url, (redis) => redis.xadd(key, "18446744073709551615-0", "a", "b"));
      expect(await explained(log, log.lanes())).toMatchObject({ code: "SINK_REFUSED" });
      expect(name).toContain("log");
    });
  });
});
