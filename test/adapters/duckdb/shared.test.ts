import { existsSync, readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Reject } from "../../../src/core/reject.ts";
import { tableRows } from "../../../src/engine/table-rows.ts";
import { RepeatedMessages, type Sink } from "../../../src/ports/sink.ts";
import { HostProcess } from "./host-process.ts";
import { makeTarget, readQuery, Scene } from "./scene.ts";

let scene: Scene;
let host: HostProcess;
beforeEach(async () => {
  scene = await Scene.open();
  host = new HostProcess();
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

const through = (): string => `duckdb:${scene.file} is held by a service (process ${host.pid}); working through it`;

async function preparedGuest(): Promise<Sink> {
  const guest = await scene.opened();
  await guest.prepare(makeTarget());
  return guest;
}

describe("a file that a service has", () => {
  it("is loaded through the service without waiting, which is said once however many sinks open it", async () => {
    await host.share(scene.file);
    const never = { pause: () => Promise.reject(new Error("nothing is waited for")) };
    const guest = scene.make(undefined, {}, never);
    await guest.open();
    await guest.open();
    await guest.prepare(makeTarget());
    expect((await scene.load(guest, makeTarget(), [{ id: 1, name: "a" }])).loaded).toBe(1);
    const another = scene.make(undefined, {}, never);
    await another.open();
    expect(await readQuery(another, "select name from t")).toEqual([{ name: "a" }]);
    expect(scene.rows.notices).toEqual([through()]);
    expect(await host.all(scene.file, "select id, name from t")).toEqual([{ id: 1, name: "a" }]);
  });

  it("is read through the service, which nobody is told of", async () => {
    await host.share(scene.file);
    await host.run(scene.file, "create table t as select 7 as id");
    const reader = scene.make();
    expect(await readQuery(reader, "select id from t")).toEqual([{ id: 7 }]);
    await reader.open("read");
    expect(await reader.records.ledger({ limit: 1 })).toEqual([]);
    const other = scene.make();
    const looks = [other.records.countRejects({}), other.records.checkpoints("p"), other.checkpoint("p", "lane")];
    expect(await Promise.all(looks)).toEqual([0, [], undefined]);
    expect(scene.rows.notices).toEqual([]);
  });

  it("is seen with the schemas of the guest's own URL", async () => {
    await host.share(scene.file);
    const guest = await scene.opened(`duckdb:${scene.file}?schema=hr&millrace_schema=kept`);
    await guest.prepare(makeTarget());
    await scene.load(guest, makeTarget(), [{ id: 1, name: "a" }]);
    expect(await host.all(scene.file, "select id from hr.t")).toEqual([{ id: 1 }]);
    expect(await host.all(scene.file, "select count(*) as n from kept.millrace_ledger")).toEqual([{ n: 1n }]);
    expect(await host.all(scene.file, "select count(*) as n from main.millrace_ledger")).toEqual([{ n: 0n }]);
  });

  it("takes the units of two guests one after another", async () => {
    await host.share(scene.file);
    const guests = [await preparedGuest(), await preparedGuest()];
    const target = makeTarget();
    const work = guests.map(async (guest, n) => {
      const claim = await guest.claim("p", `lane ${n}`, "lane.csv", { row: 0 });
      for (let row = 0; row < 10; row += 1) {
        const rows = [{ id: n * 100 + row, name: `guest ${n}` }];
        const batch = await scene.batch(guest, target, { ...claim, position: { row } }, rows);
        const unit = await guest.begin(target);
        await unit.write(batch);
        await unit.commit();
      }
    });
    await Promise.all(work);
    const [found] = await host.all(scene.file, "select count(*) as n, count(distinct id) as d from t");
    expect(found).toEqual({ n: 20n, d: 20n });
    const ledger = await guests[0]?.records.ledger({ limit: 100 });
    expect(new Set(ledger?.map(({ batch }) => batch)).size).toBe(20);
  });

  it("is shared until the last sink of the service that shares it closes, which leaves nothing behind", async () => {
    const isShared = (): boolean => existsSync(`${scene.file}.shared`);
    await host.share(scene.file);
    await host.share(scene.file);
    await host.hold(scene.file);
    const guest = await preparedGuest();
    await scene.load(guest, makeTarget(), [{ id: 1, name: "a" }]);
    await host.close(scene.file);
    expect(await readQuery(guest, "select id from t")).toEqual([{ id: 1 }]);
    await host.close(scene.file);
    expect(isShared()).toBe(false);
    await expect(readQuery(scene.make(), "select id from t")).rejects.toMatchObject({ code: "SINK_BUSY" });
    await host[Symbol.asyncDispose]();
    await guest.close();
    expect(readdirSync(scene.folder)).toEqual(["hr.db"]);
  });
});

describe("a service that comes and goes", () => {
  it("is worked through as soon as it shares the file that is waited for", async () => {
    await host.hold(scene.file);
    let pauses = 0;
    const pause = async (): Promise<void> => {
      pauses += 1;
      if (pauses === 2) await host.share(scene.file);
    };
    const guest = scene.make(undefined, {}, { pause });
    await guest.open();
    expect(pauses).toBe(2);
    const waiting = `duckdb:${scene.file} is in use by another process (PID ${host.pid}); waiting for it`;
    expect(scene.rows.notices).toEqual([waiting, through()]);
  });

  it("hands the file over when it closes: its guest goes on by itself, and shares it if it was told to", async () => {
    await host.share(scene.file);
    const guest = await preparedGuest();
    await guest.share?.();
    const unit = await guest.begin(makeTarget());
    await host.close(scene.file);
    const failure: unknown = await unit.commit().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: "SINK_UNREACHABLE", message: expect.stringContaining("has gone") });
    expect(guest.classify(failure)).toBe("wait");
    await unit.rollback();
    expect((await scene.load(guest, makeTarget(), [{ id: 1, name: "a" }])).loaded).toBe(1);
    // Now the former service is the guest.
    await host.hold(scene.file);
    expect(existsSync(`${scene.file}.shared`)).toBe(true);
    await guest.close();
    expect(existsSync(`${scene.file}.shared`)).toBe(false);
  });

  it("comes back, and is worked through again", async () => {
    await host.share(scene.file);
    const guest = await preparedGuest();
    await scene.load(guest, makeTarget(), [{ id: 1, name: "a" }]);
    await host.close(scene.file);
    await host.share(scene.file);
    const claim = await guest.claim("p", "lane", "lane.csv", { row: 0 });
    expect({ epoch: claim.epoch, row: claim.position.row }).toEqual({ epoch: 2, row: 1 });
    expect(await readQuery(guest, "select id from t")).toEqual([{ id: 1 }]);
    // The same process as before: nothing new to say.
    expect(scene.rows.notices).toEqual([through()]);
  });
});

describe("a batch of a guest", () => {
  it("has its refused rows made rejects by the guest, however many", async () => {
    await host.share(scene.file);
    const guest = await preparedGuest();
    const target = makeTarget();
    const objects = Array.from({ length: 2500 }, (_, id) => ({ id, name: `row ${id}` }));
    await scene.load(guest, target, objects);
    const claim = await guest.claim("p", "again", "again.csv", { row: 0 });
    const batch = await scene.batch(guest, target, claim, [...objects, { id: 9999, name: "new" }]);
    const unit = await guest.begin(target);
    const result = await unit.write(batch);
    await unit.commit();
    expect({ loaded: result.loaded, rejected: result.rejected }).toEqual({ loaded: 1, rejected: 2500 });
    expect(result.refused.map(({ record }) => record)).toEqual([0, 1, 2, 3, 4]);
    const kept = await guest.records.rejects({ pipeline: "p", limit: 5000 });
    expect(kept.length).toBe(2500);
    expect(kept.every(({ record, bytes }) => Buffer.from(bytes).toString() === `row ${record}`)).toBe(true);
    expect(kept[7]?.reasons).toEqual([
      { code: "duplicate", column: "id", value: "7", message: "(id) = (7) is in the table already" },
    ]);
  });

  it("brings rejects and message ids of many frames", async () => {
    await host.share(scene.file);
    const guest = await preparedGuest();
    const bytes = Buffer.alloc(2000, "x");
    const rejects = Array.from({ length: 3000 }, (_, record): Reject => {
      const reasons = [{ code: "malformed", message: "it is" } as const];
      return { record, line: record + 1, offset: BigInt(record * 2000), bytes, truncated: false, reasons };
    });
    const messageIds = rejects.map(({ record }) => `message ${record} ${"y".repeat(300)}`);
    const more = { rejects, messageIds, read: 3000, end: { row: 3000 } };
    expect((await scene.load(guest, makeTarget(), [], more)).rejected).toBe(3000);
    const [kept] = await host.all(
      scene.file,
      "select count(*) as n, sum(octet_length(bytes))::bigint as b, (select count(*) from millrace_seen) as ids from millrace_reject",
    );
    expect(kept).toEqual({ n: 3000n, b: 6_000_000n, ids: 3000n });
    const failure: unknown = await scene.load(guest, makeTarget(), [], { ...more, end: { row: 6000 } }).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!(failure instanceof RepeatedMessages)) throw new Error("no message was taken for a repeated one");
    expect({ where: failure.where, ids: new Set(failure.ids).size }).toEqual({ where: "sink", ids: 3000 });
  });

  it("keeps values whose SQL type is wider than the column says, which a file would round", async () => {
    await host.share(scene.file);
    const guest = await scene.opened();
    const columns = [
      { name: "n", type: "decimal", precision: 38, scale: 0 },
      { name: "tree", type: "json" },
    ] as const;
    const target = makeTarget({ columns, key: [] });
    await guest.prepare(target);
    const connection = await scene.rows.engine.connect();
    const rows = tableRows({
      ...{ connection, columns, count: 1, recordOf: (row) => row },
      sql: async () => "select 12345678901234567890123456789012345678::hugeint as n, {'a': [1, null]} as tree",
    });
    await scene.load(guest, target, [], { rows, read: 1, end: { row: 1 } });
    expect(await host.all(scene.file, "select n, tree from t")).toEqual([
      { n: "12345678901234567890123456789012345678", tree: { a: [1, null] } },
    ]);
  });
});
