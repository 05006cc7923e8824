import { afterAll, beforeAll, expect, it } from "vitest";
import { limit } from "../../../src/core/limit.ts";
import { startNats } from "../../servers/nats.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { RestartableServer } from "../../servers/server.ts";
import { Member, MemberProcess, failure, firstLane, record, until } from "../brokers/scene.ts";
import { freshName, makeLog, memberProgram, removeLog, withLog, withStreams } from "./scene.ts";

const ms = async (work: Promise<void>): Promise<number> => {
  const begun = Date.now();
  await work;
  return Date.now() - begun;
};

describeWith("nats", "groups on JetStream", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(() => server?.stop());

  const place = (query = "lanes=4"): { name: string; url: string } => {
    const name = freshName();
    return { name, url: `${server.url}/${name}?${query}` };
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
      expect(await left).toBeLessThan(limit.natsBeatMs * 2);

      const dies = new MemberProcess(memberProgram, url, "a group: of (ours)");
      await dies.joined();
      await until(() => stays.lanes === "0,1" && dies.lanes === "2,3", "two halves again");
      await dies.kill();
      expect(await ms(until(() => stays.lanes === "0,1,2,3", "the lanes of who died"))).toBeLessThan(
        limit.natsLeaseMs + limit.natsBeatMs * 4,
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

  it("leave nothing in the bucket of members, and what they settled for people to see", async () => {
    const { name, url } = place();
    await withLog(url, async (log) => {
      const member = new Member(log, "my.group");
      await until(() => member.lanes === "0,1,2,3", "all lanes");
      await log.append([record("one", "k")]);
      await log.settle("my.group", await firstLane(log), 1n);
      await member.leave();
    });
    await withStreams(server.url, async ({ streams }) => {
      const filter = { subjects_filter: ">" };
      expect((await streams.info(`KV_millrace_${name}_members`, filter)).state.subjects ?? {}).toEqual({});
      const kept = Object.keys((await streams.info(`KV_millrace_${name}`, filter)).state.subjects ?? {});
      expect(kept).toEqual([`$KV.millrace_${name}.settled.my=2egroup.0`]);
    });
  });

  it("let go of what all of them have settled, where the URL says so", async () => {
    const { url } = place("lanes=1&trim=settled");
    await withLog(url, async (log) => {
      const members = [new Member(log, "one"), new Member(log, "two")];
      await until(() => members.every(({ lanes }) => lanes === "0"), "both groups");
      await log.append(Array.from({ length: 10 }, (_, index) => record(String(index), "k")));
      const lane = await firstLane(log);
      await log.settle("one", lane, 9n);
      for (const member of members) await member.leave();
    });
    await withLog(url, async (log) => {
      const lane = await firstLane(log);
      expect(lane.start).toBe(1n);
      await log.settle("two", lane, 5n);
    });
    await withLog(url, async (log) => {
      expect(await firstLane(log)).toMatchObject({ start: 5n, end: 11n });
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
