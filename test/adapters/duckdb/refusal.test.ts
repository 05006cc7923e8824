import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EngineRow } from "../../../src/ports/engine.ts";
import type { SinkColumn } from "../../../src/ports/rows.ts";
import type { Sink, Target } from "../../../src/ports/sink.ts";
import { makeTarget, readQuery, Scene } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(async () => {
  await scene[Symbol.asyncDispose]();
});

/** A table that its owner made, with a sink opened on it and the target prepared. */
async function owned(ddl: readonly string[], target: Target): Promise<Sink> {
  await scene.outside(async (connection) => {
    for (const sql of ddl) await connection.run(sql);
  });
  const sink = await scene.opened();
  await sink.prepare(target);
  return sink;
}

/** `row: code column value` of each reject that the sink kept. */
async function kept(sink: Sink): Promise<string[]> {
  const rejects = await sink.records.rejects({ limit: 1000 });
  return rejects.map(({ record, reasons }) => {
    const [reason] = reasons;
    return [`${record}:`, reason?.code, reason?.column ?? "-", reason?.value ?? "-"].join(" ");
  });
}

const ids = async (sink: Sink): Promise<unknown[]> =>
  (await readQuery(sink, "select id from t order by id")).map((row) => row["id"]);

const wide: readonly SinkColumn[] = [
  { name: "id", type: "bigint", nullable: true },
  { name: "name", type: "text", nullable: true },
  { name: "n", type: "integer", nullable: true },
];
const wideTarget = makeTarget({ columns: wide, key: [] });

function row(id: number | null, name: string | null = null, n: number | null = null): EngineRow {
  return { id: id === null ? null : BigInt(id), name, n };
}

describe("rows that the table refuses", () => {
  it("are found by what the table is held to, all at once", async () => {
    const sink = await owned(
      [
        "create table parent(id integer primary key)",
        "insert into parent values (1), (2)",
        `create table t(id smallint not null, name varchar unique, n integer references parent(id),
           extra integer default 7, check (length(name) < 4 and extra > 0))`,
      ],
      wideTarget,
    );
    const result = await scene.load(sink, wideTarget, [
      row(1, "a", 1),
      row(2, null, null),
      row(3, null, null),
      row(40_000, "b"),
      row(null, "c"),
      row(4, "long name"),
      row(5, "d", 3),
      row(6, "a", 2),
      row(7, "e", 2),
    ]);
    expect(result).toMatchObject({ loaded: 4, merged: 0, rejected: 5 });
    expect(await kept(sink)).toEqual([
      "3: refused id 40000",
      "4: refused id -",
      "5: refused - -",
      "6: reference n 3",
      "7: duplicate name a",
    ]);
    expect(await ids(sink)).toEqual([1, 2, 3, 7]);
  });

  it("leave the first of equal rows, and a row refused for another reason holds no key", async () => {
    const sink = await owned(
      ["create table t(id bigint primary key, name varchar check (name <> 'bad'), n integer unique)"],
      wideTarget,
    );
    await scene.load(sink, wideTarget, [row(1, "x", 1)]);
    const rows = [row(2, "bad", 2), row(2, "good", 2), row(3, "c", 2), row(3, "d", 3), row(1, "e", 4), row(5, "f", 4)];
    expect(await scene.load(sink, wideTarget, rows)).toMatchObject({ loaded: 3, rejected: 3 });
    expect(await ids(sink)).toEqual([1n, 2n, 3n, 5n]);
    expect(await kept(sink)).toEqual(["0: refused - -", "2: duplicate n 2", "4: duplicate id 1"]);
  });

  it("are found by trial where nothing tells beforehand", async () => {
    const sink = await owned(
      ["create table t(id bigint, name varchar, n integer)", "create unique index lower_name on t (lower(name))"],
      wideTarget,
    );
    await scene.load(sink, wideTarget, [row(0, "Taken")]);
    const rows = Array.from({ length: 200 }, (_, n) => row(n + 1, n === 17 || n === 150 ? "TAKEN" : `name ${n}`));
    expect(await scene.load(sink, wideTarget, rows)).toMatchObject({ loaded: 198, rejected: 2 });
    expect(await kept(sink)).toEqual(["17: refused - -", "150: refused - -"]);
    expect((await ids(sink)).length).toBe(199);
  });

  it("do not undo the batches before them in the unit", async () => {
    const target = makeTarget();
    const sink = await scene.opened();
    await sink.prepare(target);
    const claim = await sink.claim("p", "lane", "lane.csv", { row: 0 });
    const unit = await sink.begin(target);
    const results = [];
    for (const start of [0, 8, 16, 15]) {
      const position = { row: start };
      const rows = Array.from({ length: 10 }, (_, n) => ({ id: start + n, name: `from ${start}` }));
      results.push(await unit.write(await scene.batch(sink, target, { ...claim, position }, rows)));
    }
    await unit.commit();
    expect(results.map(({ loaded, rejected }) => [loaded, rejected])).toEqual([
      [10, 0],
      [8, 2],
      [8, 2],
      [0, 10],
    ]);
    expect(await ids(sink)).toEqual(Array.from({ length: 26 }, (_, n) => n));
    expect((await sink.records.ledger({ limit: 10 })).length).toBe(4);
    expect((await sink.records.rejects({ limit: 100 })).length).toBe(14);
  });

  it("are refused in a merge too, and the others merged", async () => {
    const target = makeTarget({
      columns: wide.map((c) => (c.name === "id" ? { ...c, nullable: false } : c)),
      mode: "merge",
    });
    const sink = await owned(["create table t(id bigint primary key, name varchar, n tinyint)"], target);
    await scene.load(sink, target, [row(1, "a"), row(2, "b")]);
    const result = await scene.load(sink, target, [row(1, "A", 1), row(3, "c", 300), row(4, "d")]);
    expect(result).toMatchObject({ loaded: 1, merged: 1, rejected: 1 });
    expect(await kept(sink)).toEqual(["1: refused n 300"]);
    expect(await readQuery(sink, "select id, name from t order by id")).toEqual([
      { id: 1n, name: "A" },
      { id: 2n, name: "b" },
      { id: 4n, name: "d" },
    ]);
  });
});

describe("a table that does not fit", () => {
  it("is refused with every column named", async () => {
    const columns: readonly SinkColumn[] = [
      { name: "id", type: "integer" },
      { name: "money", type: "decimal", precision: 10, scale: 4 },
      { name: "at", type: "timestamp" },
      { name: "big", type: "bigint" },
      { name: "gone", type: "text" },
    ];
    const ddl = 'create table t(ID bigint, money decimal(18,2), "at" date, big double, must integer not null)';
    const failing = owned([ddl], makeTarget({ columns, key: [] }));
    await expect(failing).rejects.toMatchObject({
      code: "TABLE_MISMATCH",
      message: expect.stringMatching(/"money".*"at".*"big".*"gone".*"must"/s),
    });
    await expect(failing).rejects.not.toMatchObject({ message: expect.stringContaining('"id"') });
  });

  it("is refused when it is a view, or a merge has no key to go by", async () => {
    await expect(owned(["create view t as select 1 as id"], makeTarget())).rejects.toMatchObject({
      code: "TABLE_MISMATCH",
    });
    const sink = scene.make();
    await scene.outside((connection) => connection.run("drop view t; create table t(id integer, name varchar)"));
    await sink.open();
    await expect(sink.prepare(makeTarget({ mode: "merge" }))).rejects.toMatchObject({ code: "TABLE_MISMATCH" });
  });
});
