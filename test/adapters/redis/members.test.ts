import { afterAll, beforeAll, expect, it } from "vitest";
import { limit } from "../../../src/core/limit.ts";
import { RecordsGone } from "../../../src/ports/log.ts";
import { startRedis } from "../../servers/redis.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { RestartableServer } from "../../servers/server.ts";
import {
  Member,
  MemberProcess,
  failure,
  firstLane,
  readAll,
  readSome,
  record,
  until,
  valuesOf,
} from "../brokers/scene.ts";
import { freshName, makeLog, memberProgram, removeLog, withLog, withRedis } from "./scene.ts";

const ms = async (work: Promise<void>): Promise<number> => {
  const begun = Date.now();
  await work;
  return Date.now() - begun;
};

describeWith("redis", "groups on Redis", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startRedis({ durable: true });
  });
  afterAll(() => server?.stop());

  const place = (query = "lanes=4"): { name: string; url: string } => {
    const name = freshName();
    return { name, url: `${server.url}/0?stream=${name}&${query}` };
  };

  it("share at once what a member leaves in order, and within seconds what one leaves that dies", async () => {
    const { url } = place();
    await withLog(url, async (log) => {
      const stays = new Member(log, "a group: of (ours)");
      await until(() => stays.lanes === "0,1,2,3", "all lanes of one");
      const leaves = new Member(log, "a group: of (ours)");
      await until(() => stays.lanes === "0,1" && leaves.lanes === "2,3", "two halves");
      const left = ms(until(() => stays.lanes === "0,1,2,3", "the lanes of who left"));
      await leaves.leave();
      expect(await left).toBeLessThan(limit.redisBeatMs * 2);

      const dies = new MemberProcess(memberProgram, url, "a group: of (ours)");
      await dies.joined();
      await until(() => stays.lanes === "0,1" && dies.lanes === "2,3", "two halves again");
      await dies.kill();
      expect(await ms(until(() => stays.lanes === "0,1,2,3", "the lanes of who died"))).toBeLessThan(
        limit.redisLeaseMs + limit.redisBeatMs * 4,
      );
      await stays.leave();
    });
  }, 60_000);

  it("outlive a restart of the server, without a change for those who are there before and after", async () => {
    const { url } = place();
    const logs = [makeLog(url), makeLog(url)];
    for (const log of logs) await log.open();
    const members = logs.map((log) => new Member(log, "group"));
    await until(() => members.map(({ lanes }) => lanes.length).join() === "3,3", "two halves");
    const before = members.map(({ lanes }) => lanes);
    await server.kill9();
    await server.start();
    const third = new Member(logs[0] ?? makeLog(url), "group");
    await until(() => third.lanes.length > 0, "a member that comes later");
    await third.leave();
    await until(() => members.map(({ lanes }) => lanes.length).join() === "3,3", "two halves again");
    expect(before.map((lanes) => lanes.length)).toEqual([3, 3]);
    for (const log of logs) await log.close();
    for (const { ended } of members) await ended;
  }, 60_000);

  it("tell one that was taken for dead that it has lost everything, before it gets anything back", async () => {
    const { url } = place();
    await withLog(url, async (log) => {
      const sleeps = new MemberProcess(memberProgram, url, "group");
      await until(() => sleeps.lanes === "0,1,2,3", "all lanes of one");
      sleeps.suspend();
      const other = new Member(log, "group");
      await until(() => other.lanes === "0,1,2,3", "the lanes of who sleeps");
      await other.leave();
      const told = sleeps.told.length;
      sleeps.resume();
      await until(() => sleeps.told.length >= told + 2, "what it is told");
      expect(sleeps.told.slice(told)).toEqual(["", "0,1,2,3"]);
      await sleeps.kill();
    });
  }, 60_000);

  it("are told of lanes that were made anew", async () => {
    const { name, url } = place();
    await withLog(url, async (log) => {
      const member = new Member(log, "group");
      await until(() => member.lanes === "0,1,2,3", "all lanes");
      const before = member.changes.at(-1)?.[0]?.incarnation;
      await removeLog(server.url, name);
      await log.append([record("anew", "k")]);
      await until(() => member.lanes === "0,1,2,3" && member.changes.at(-1)?.[0]?.incarnation !== before, "new lanes");
      await member.leave();
    });
  });

  it("leave nothing behind but what they settled, as groups of the streams for people to see", async () => {
    const { name, url } = place();
    await withLog(url, async (log) => {
      const member = new Member(log, "my group");
      await until(() => member.lanes === "0,1,2,3", "all lanes");
      await log.append([record("one", "k")]);
      for (const lane of await log.lanes()) await log.settle("my group", lane, lane.end);
      await member.leave();
    });
    // What was settled is still there, from where it was.
    await withLog(url, async (log) => {
      const again = new Member(log, "my group");
      await until(() => again.lanes === "0,1,2,3", "all lanes");
      expect(again.changes.at(-1)).toEqual(await log.lanes());
      expect(valuesOf([...(await readAll(log)).values()].flat())).toEqual(["one"]);
      await again.leave();
    });
    await withRedis(server.url, async (redis) => {
      const keys = (await redis.keys(`{${name}}:*`)).sort();
      expect(keys).toEqual(["0", "1", "2", "3", "lanes", "lives"].map((what) => `{${name}}:${what}`));
      const groups = JSON.stringify(await redis.xinfo("GROUPS", `{${name}}:0`));
      expect(groups).toContain('"millrace:my group"');
    });
  });

  it("let go of what all of them have settled, where the URL says so", async () => {
    const { url } = place("lanes=1&trim=settled");
    let offsets: bigint[] = [];
    await withLog(url, async (log) => {
      const members = [new Member(log, "one"), new Member(log, "two")];
      await until(() => members.every(({ lanes }) => lanes === "0"), "both groups");
      await log.append(Array.from({ length: 10 }, (_, index) => record(String(index), "k")));
      const lane = await firstLane(log);
      offsets = (await readSome(log, lane, 10)).map(({ offset }) => offset);
      await log.settle("one", lane, offsets[8] ?? 0n);
      for (const member of members) await member.leave();
    });
    await withLog(url, async (log) => {
      const lane = await firstLane(log);
      expect(lane.start).toBe(offsets[0]);
      await log.settle("two", lane, offsets[4] ?? 0n);
    });
    await withLog(url, async (log) => {
      const lane = await firstLane(log);
      expect(lane.start).toBe(offsets[4]);
      // Whoever has settled it misses nothing, and whoever asks for less is told.
      expect((await readSome(log, lane, 6, offsets[4])).length).toBe(6);
      expect((await readSome(log, lane, 6, (offsets[3] ?? 0n) + 1n)).length).toBe(6);
      expect(await failure(readSome(log, lane, 1, offsets[3]))).toBeInstanceOf(RecordsGone);
    });
  });

  it("cannot be joined when the log is closed", async () => {
    const log = makeLog(place().url);
    await log.open();
    await log.close();
    const joining = log.assignments("group", new AbortController().signal)[Symbol.asyncIterator]().next();
    expect(log.explain(await failure(joining))).toMatchObject({ code: "INTERRUPTED" });
  });
});
