import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MillraceError } from "../../../src/core/error.ts";
import { makeTarget, readQuery, Scene } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(async () => {
  await scene[Symbol.asyncDispose]();
});

const rows = [{ id: 1, name: "a" }];

describe("a unit", () => {
  it("is fenced when its lane is claimed after the unit began to look", async () => {
    const target = makeTarget();
    const sink = await scene.opened();
    await sink.prepare(target);
    const first = await sink.claim("p", "first", "first.csv", { row: 0 });
    const second = await sink.claim("p", "second", "second.csv", { row: 0 });
    const unit = await sink.begin(target);
    await unit.write(await scene.batch(sink, target, first, rows));
    await sink.claim("p", "second", "second.csv", { row: 0 });
    const batch = await scene.batch(sink, target, second, [{ id: 2, name: "b" }]);
    await expect(unit.write(batch)).rejects.toMatchObject({ code: "FENCED" });
    await expect(unit.commit()).rejects.toBeInstanceOf(MillraceError);
    await unit.rollback();
    expect(await readQuery(sink, "select * from t")).toEqual([]);
  });

  it("goes on when a lane of its own was claimed while it was open", async () => {
    const target = makeTarget();
    const sink = await scene.opened();
    await sink.prepare(target);
    const first = await sink.claim("p", "first", "first.csv", { row: 0 });
    const unit = await sink.begin(target);
    await unit.write(await scene.batch(sink, target, first, rows));
    // Neither waits for the open unit: a runner claims and reserves while it writes a file as a whole.
    const second = await sink.claim("p", "second", "second.csv", { row: 0 });
    await unit.write(await scene.batch(sink, target, second, [{ id: 2, name: "b" }]));
    const again = await sink.claim("p", "third", "third.csv", { row: 0 });
    await sink.claim("p", "third", "third.csv", { row: 0 });
    await unit.write(await scene.batch(sink, target, { ...again, epoch: 2 }, [{ id: 3, name: "c" }]));
    await unit.commit();
    expect((await readQuery(sink, "select id from t order by id")).map((row) => row["id"])).toEqual([1, 2, 3]);
    const positions = (await sink.records.checkpoints("p")).map(({ lane, epoch, position }) => [
      lane,
      epoch,
      position.row,
    ]);
    expect(positions).toEqual([
      ["first", 1, 1],
      ["second", 1, 1],
      ["third", 2, 1],
    ]);
  });

  it("waits for the open one, in order", async () => {
    const target = makeTarget();
    const sink = await scene.opened();
    const other = await scene.opened();
    await sink.prepare(target);
    const order: number[] = [];
    const first = await sink.begin(target);
    const waiting = [other, sink, other].map(async (one, n) => {
      const unit = await one.begin(target);
      order.push(n);
      await unit.rollback();
    });
    await scene.rows.engine.connect().then((connection) => connection.close());
    expect(order).toEqual([]);
    await first.rollback();
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2]);
  });
});

describe("a sink that is closed", () => {
  it("while a unit of it waits for its turn lets that one write nothing", async () => {
    const target = makeTarget();
    const sink = await scene.opened();
    const other = await scene.opened();
    await sink.prepare(target);
    const claim = await sink.claim("p", "lane", "lane.csv", { row: 0 });
    const batch = await scene.batch(sink, target, claim, rows);
    const first = await other.begin(target);
    const waiting = sink.begin(target);
    await sink.close();
    await first.rollback();
    await expect((await waiting).write(batch)).rejects.toMatchObject({ code: "INTERNAL" });
    // The turn was given on.
    await (await other.begin(target)).rollback();
    expect(await readQuery(other, "select * from t")).toEqual([]);
  });

  it("while a batch is written leaves nothing of it", async () => {
    const target = makeTarget();
    const sink = await scene.opened();
    await sink.prepare(target);
    const claim = await sink.claim("p", "lane", "lane.csv", { row: 0 });
    for (let statements = 0; statements < 6; statements += 1) {
      const closing = await scene.opened();
      const unit = await closing.begin(target);
      const writing = unit.write(await scene.batch(sink, target, claim, rows));
      writing.catch(() => undefined); // Whether it still ends well is told by what it leaves.
      for (let n = 0; n < statements; n += 1) await readQuery(sink, "select 1");
      await closing.close();
      expect(await readQuery(sink, "select * from t union all select 1, lane from millrace_ledger")).toEqual([]);
      expect(await sink.checkpoint("p", "lane")).toMatchObject({ position: { row: 0 } });
    }
  });
});

describe("the checkpoint", () => {
  it("is moved thousands of times without failing or growing", async () => {
    const target = makeTarget({ key: [] });
    const sink = await scene.opened();
    await sink.prepare(target);
    const claim = await sink.claim("p", "lane", "lane.csv", { row: 0 });
    const spent: number[] = [];
    for (let n = 0; n < 400; n += 1) {
      const began = performance.now();
      const unit = await sink.begin(target);
      const batch = await scene.batch(sink, target, { ...claim, position: { row: n } }, [], {
        read: 1,
        filtered: 1,
        end: { row: n + 1 },
      });
      await unit.write(batch);
      await unit.commit();
      spent.push(performance.now() - began);
    }
    expect((await sink.checkpoint("p", "lane"))?.position).toEqual({ row: 400 });
    const median = (some: number[]): number => some.toSorted((a, b) => a - b)[some.length >> 1] ?? 0;
    expect(median(spent.slice(-100)) / median(spent.slice(0, 100))).toBeLessThan(3);
  }, 60_000);
});

describe("the file", () => {
  it("is one for all sinks of the process, and let go with the last", async () => {
    const target = makeTarget();
    const sink = await scene.opened();
    const other = await scene.opened(`duckdb:${scene.folder}/./hr.db?schema=other&millrace_schema=kept "by"`);
    await sink.prepare(target);
    await other.prepare(target);
    await scene.load(sink, target, rows);
    await sink.close();
    await scene.load(other, target, rows);
    expect(existsSync(`${scene.file}.wal`)).toBe(true);
    await other.close();
    await other.close();
    expect(existsSync(`${scene.file}.wal`)).toBe(false);
    const tables = await scene.outside((connection) =>
      connection.all(
        `select distinct schema_name as s from duckdb_tables() where database_name = current_database() order by 1`,
      ),
    );
    expect(tables.map((row) => row["s"])).toEqual(['kept "by"', "main", "other"]);
  });

  it("is read without being opened for writing, and not written by a query", async () => {
    const target = makeTarget();
    const writer = await scene.opened();
    await writer.prepare(target);
    await scene.load(writer, target, rows);
    const refused = { code: "SINK_REFUSED" };
    for (const sql of ["drop table t", "delete from t", "select 1; drop table t", "copy t to 'x.csv'", "begin"]) {
      await expect(readQuery(writer, sql)).rejects.toMatchObject(refused);
    }
    await expect(readQuery(writer, "select nextval('millrace_batch')")).rejects.toThrow(/read-only/);
    await writer.close();
    const reader = scene.make();
    expect(await readQuery(reader, "select name from t order by id")).toEqual([{ name: "a" }]);
    expect((await readQuery(reader, "describe t")).length).toBe(2);
    expect((await reader.records.ledger({ limit: 5 })).length).toBe(1);
    expect((await reader.checkpoint("p", "lane"))?.position).toEqual({ row: 1 });
    await expect(readQuery(reader, "delete from t")).rejects.toMatchObject(refused);
  });
});
