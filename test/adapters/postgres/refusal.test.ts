import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { EngineRow } from "../../../src/ports/engine.ts";
import type { Sink, Target } from "../../../src/ports/sink.ts";
import { startPostgres } from "../../servers/postgres.ts";
import type { RestartableServer } from "../../servers/server.ts";
import { csvOf, load, makeSink, makeTarget, run } from "./scene.ts";

let server: RestartableServer;
let sink: Sink;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

beforeEach(async () => {
  await run(server.url, "drop schema public cascade; create schema public");
  sink = makeSink(server.url);
  await sink.open();
  return () => sink.close();
});

/** Creates the table by hand and prepares the target on it. */
async function given(ddl: string, more: Partial<Target> = {}): Promise<Target> {
  await run(server.url, ddl);
  const target = makeTarget(more);
  await sink.prepare(target);
  return target;
}

const ids = async (table = "t"): Promise<unknown[]> =>
  (await run(server.url, `select id from ${table} order by id`)).map((row) => row["id"]);

const rowsTo = (count: number, name: (id: number) => string | null = (id) => `n${id}`): EngineRow[] =>
  Array.from({ length: count }, (_, id) => ({ id, name: name(id) }));

const without = (count: number, bad: readonly number[]): number[] =>
  rowsTo(count).flatMap((_, id) => (bad.includes(id) ? [] : [id]));

describe("rows that PostgreSQL refuses become rejects, and no others", () => {
  it("by a unique constraint that is not the key", async () => {
    const target = await given("create table t (id int primary key, name text unique)");
    const { kept, ...result } = await load(
      sink,
      target,
      rowsTo(10, (id) => (id === 7 ? "n2" : `n${id}`)),
    );
    expect(result).toMatchObject({ loaded: 9, merged: 0, rejected: 1 });
    expect(kept).toEqual([
      [
        7,
        "duplicate",
        "name",
        'duplicate key value violates unique constraint "t_name_key": Key (name)=(n2) already exists.',
      ],
    ]);
    expect(await ids()).toEqual(without(10, [7]));
  });

  it("by a unique constraint that is not the key, in a merge", async () => {
    const target = await given("create table t (id int primary key, name text unique)", { mode: "merge", key: ["id"] });
    await load(sink, target, rowsTo(5));
    const rows = [...rowsTo(4, (id) => `m${id}`), { id: 9, name: "n4" }, { id: 10, name: "new" }];
    const { kept, ...result } = await load(sink, target, rows, "second");
    expect(result).toMatchObject({ loaded: 1, merged: 4, rejected: 1 });
    expect(kept.map(([row, code]) => [row, code])).toEqual([[4, "duplicate"]]);
    expect(await ids()).toEqual([0, 1, 2, 3, 4, 10]);
  });

  it("by a foreign key, which names no line, among thousands", async () => {
    const target = await given(
      "create table jobs (id int primary key); insert into jobs select generate_series(0, 9999, 2); create table t (id int references jobs, name text)",
    );
    const bad = [1, 2501, 6999];
    const rows = rowsTo(7000).map((row, n) => ({ ...row, id: bad.includes(n) ? n : (n * 2) % 9998 }));
    const { kept, ...result } = await load(sink, target, rows);
    expect(result).toMatchObject({ loaded: 6997, rejected: 3 });
    expect(kept).toEqual(
      bad.map((n) => [
        n,
        "reference",
        "id",
        `insert or update on table "t" violates foreign key constraint "t_id_fkey": Key (id)=(${n}) is not present in table "jobs".`,
      ]),
    );
  });

  it("by a check, a length, an overflow, a missing value and a trigger, each with its own words", async () => {
    const target = await given(`create table t (id smallint check (id <> 3), name varchar(5) not null);
      create function loud() returns trigger language plpgsql as $$ begin raise exception 'no % here', new.name; end $$;
      create trigger loud before insert on t for each row when (new.name = 'loud') execute function loud()`);
    const rows = [
      { id: 1, name: "one" },
      { id: 3, name: "three" },
      { id: 4, name: "too long" },
      { id: 70000, name: "big" },
      { id: 5, name: null },
      { id: 6, name: "loud" },
      { id: 7, name: "seven" },
    ];
    const { kept, ...result } = await load(sink, target, rows);
    expect(result).toMatchObject({ loaded: 2, rejected: 5 });
    expect(kept.map(([row, code, column]) => [row, code, column])).toEqual([
      [1, "refused", undefined],
      [2, "refused", expect.anything()],
      [3, "refused", "id"],
      [4, "refused", "name"],
      [5, "refused", undefined],
    ]);
    expect(kept.map(([, , , text]) => text)).toEqual([
      expect.stringContaining('violates check constraint "t_id_check"'),
      expect.stringContaining("value too long for type character varying(5)"),
      expect.stringContaining("out of range for type smallint"),
      expect.stringContaining('null value in column "name"'),
      "no loud here",
    ]);
    expect(await ids()).toEqual([1, 7]);
  });

  it("by a trigger after the insert, which names no line", async () => {
    const target = await given(`create table t (id int, name text);
      create function loud() returns trigger language plpgsql as $$ begin raise exception 'too late'; end $$;
      create trigger loud after insert on t for each row when (new.id % 100 = 42) execute function loud()`);
    const { kept, ...result } = await load(sink, target, rowsTo(250));
    expect(result).toMatchObject({ loaded: 247, rejected: 3 });
    expect(kept.map(([row, , , text]) => [row, text])).toEqual([
      [42, "too late"],
      [142, "too late"],
      [242, "too late"],
    ]);
  });

  it("by an encoding that has no such character", async () => {
    await run(server.url, "create database latin encoding latin1 locale 'C' template template0");
    const latin = makeSink(`${new URL("/latin", server.url).href}`);
    await latin.open();
    const target = makeTarget();
    await latin.prepare(target);
    const result = await load(
      latin,
      target,
      rowsTo(3000, (id) => (id % 1000 === 5 ? "漢字" : `ñ${id}`)),
    );
    await latin.close();
    expect(result).toMatchObject({ loaded: 2997, rejected: 3 });
    expect(result.kept.map(([row, code]) => [row, code])).toEqual([
      [5, "refused"],
      [1005, "refused"],
      [2005, "refused"],
    ]);
  });

  it("by a constraint that waits for the commit", async () => {
    const target = await given(
      "create table jobs (id int primary key); insert into jobs values (1); create table t (id int references jobs deferrable initially deferred, name text)",
    );
    const result = await load(sink, target, [
      { id: 1, name: "a" },
      { id: 2, name: "b" },
      { id: 1, name: "c" },
    ]);
    expect(result).toMatchObject({ loaded: 2, rejected: 1 });
    expect(result.kept.map(([row, code]) => [row, code])).toEqual([[1, "reference"]]);
  });

  it("by a reference to a row that is not there, and not to one that comes later in the batch", async () => {
    const target = await given("create table t (id int primary key, name int references t)", {
      columns: [
        { name: "id", type: "integer" },
        { name: "name", type: "integer", nullable: true },
      ],
    });
    const rows = [
      { id: 1, name: 2 },
      { id: 2, name: 3 },
      { id: 3, name: null },
      { id: 4, name: 99 },
      { id: 5, name: 4 },
    ];
    const result = await load(sink, target, rows);
    expect(result).toMatchObject({ loaded: 3, rejected: 2 });
    expect(result.kept.map(([row, code]) => [row, code])).toEqual([
      [3, "reference"],
      [4, "reference"],
    ]);
    expect(await ids()).toEqual([1, 2, 3]);
  });

  it("when all of them are refused, in reasonable time", async () => {
    const target = await given(
      "create table t (id int primary key, name varchar(3)); insert into t select generate_series(0, 8999)",
    );
    const result = await load(
      sink,
      target,
      rowsTo(9000, () => "abc"),
    );
    expect(result).toMatchObject({ loaded: 0, rejected: 9000 });
    expect(result.kept.every(([, code]) => code === "duplicate")).toBe(true);
  }, 20_000);

  it("when fields hold line breaks, so that lines are not rows", async () => {
    const target = await given("create table t (id int primary key, name text)");
    const rows = rowsTo(6001, (id) => (id % 3 === 0 ? `a\n\\.\r\nb\n${id}` : `n${id}`)).map((row, n) => ({
      ...row,
      id: n === 4004 || n === 4005 || n === 5001 ? 1 : n,
    }));
    const result = await load(sink, target, rows);
    expect(result.kept.map(([row, code]) => [row, code])).toEqual([
      [4004, "duplicate"],
      [4005, "duplicate"],
      [5001, "duplicate"],
    ]);
    expect(await ids()).toEqual(without(6001, [4004, 4005, 5001]));
    const [breaks] = await run(server.url, "select count(*) as n from t where name like E'a\\n\\\\\\\\.\\r\\nb%'");
    expect(breaks).toEqual({ n: 1999n });
  });

  it("takes rows that end in LF and in CRLF, mixed", async () => {
    const target = await given("create table t (id int primary key, name text)");
    const records = ["1,a\n", "2,b\r\n", '3,"c\r\n"\r\n', "1,d\r\n", "4,e\n"];
    const result = await load(sink, target, rowsTo(5), "lane", csvOf(records));
    expect(result).toMatchObject({ loaded: 4, rejected: 1 });
    expect(result.kept.map(([row, code]) => [row, code])).toEqual([[3, "duplicate"]]);
    expect(await run(server.url, "select name from t order by id")).toEqual(
      ["a", "b", "c\r\n", "e"].map((name) => ({ name })),
    );
  });

  it("keeps a row of \\. in a table of one column, and those behind it", async () => {
    const columns = [{ name: "id", type: "text" }] as const;
    const target = await given("create table t (id text unique)", { columns });
    const result = await load(
      sink,
      target,
      ["a", "\\.", "b", "b", "\\.", "c"].map((id) => ({ id })),
    );
    expect(result).toMatchObject({ loaded: 4, rejected: 2 });
    expect(result.kept.map(([row]) => row)).toEqual([3, 4]);
    expect(await ids()).toEqual(["\\.", "a", "b", "c"]);
  });

  it("goes on in batch after batch when each has a few", async () => {
    const target = await given("create table t (id int, name text check (name <> 'bad'))");
    for (const lane of ["a", "b", "c"]) {
      const result = await load(
        sink,
        target,
        rowsTo(10_000, (id) => (id % 4000 === 3999 ? "bad" : "good")),
        lane,
      );
      expect(result).toMatchObject({ loaded: 9998, rejected: 2 });
      expect(result.kept.map(([row]) => row)).toEqual([3999, 7999]);
    }
    const [sum] = await run(server.url, "select count(*) as n, count(distinct id) as distinct from t");
    expect(sum).toEqual({ n: 29_994n, distinct: 9998n });
  });
});

describe("merges", () => {
  const keyed = { mode: "merge", key: ["id"] } as const;

  it("many batches into one table with equal keys within and across batches", async () => {
    const target = await given("create table t (id int primary key, name text)", keyed);
    let merged = 0;
    let loaded = 0;
    for (const lane of ["a", "b", "c", "d"]) {
      const rows = rowsTo(9000, (id) => `${lane}${id}`).map((row, n) => ({ ...row, id: n % 3000 }));
      const result = await load(sink, target, rows, lane);
      merged += result.merged;
      loaded += result.loaded;
    }
    expect({ loaded, merged }).toEqual({ loaded: 3000, merged: 33_000 });
    const [state] = await run(server.url, "select count(*) as n, min(name) as low, max(name) as high from t");
    expect(state).toEqual({ n: 3000n, low: "d6000", high: "d8999" });
  });

  it("now and then, in batch after batch, and refuses rows meanwhile", async () => {
    const target = await given("create table t (id int primary key, name varchar(9))", keyed);
    for (const [n, lane] of ["a", "b", "c"].entries()) {
      const rows = rowsTo(10_000).map((_, at) => {
        if (at === 6001) return { id: 1, name: lane };
        return { id: n * 10_000 + at, name: at === 2500 ? "much too long" : lane };
      });
      const result = await load(sink, target, rows, lane);
      expect(result).toMatchObject({ loaded: 9998, merged: 1, rejected: 1 });
      expect(result.kept.map(([row]) => row)).toEqual([2500]);
    }
    expect(await run(server.url, "select name from t where id = 1")).toEqual([{ name: "c" }]);
  });

  it("rows of whatever text, few or many, as they are", async () => {
    const target = await given("create table t (id int primary key, name text)", keyed);
    const special = [
      "",
      "null",
      "NULL",
      "{}",
      "\\",
      '"',
      '""',
      "a,b",
      "\r",
      "x\r\ny",
      " ",
      "\\N",
      "\\.",
      "1",
      "日本",
      "'",
      null,
    ];
    const names = [
      ...special,
      ...fc.sample(
        fc.string({ unit: fc.constantFrom("a", "b", ",", '"', "\\", "{", "}", "\n", "\r", "\t", "é") }),
        200,
      ),
    ];
    for (const [n, plain] of [names.filter((name) => !/[",\r\n]|^$/.test(name ?? "x")), names].entries()) {
      // Those that follow are there already: they are merged without COPY.
      await load(sink, target, [{ id: 0, name: "first" }], `a${n}`);
      const rows = plain.map((name, id) => ({ id, name }));
      expect(await load(sink, target, rows, `b${n}`)).toMatchObject({ rejected: 0 });
      const found = await run(server.url, `select name from t where id < ${rows.length} order by id`);
      expect(found).toEqual(plain.map((name) => ({ name })));
    }
  });

  it("isolates refused rows among merged ones", async () => {
    const target = await given(
      "create table t (id int primary key, name varchar(6)); insert into t select n, 'old' from generate_series(0, 99) n",
      keyed,
    );
    const rows = rowsTo(5000, (id) => (id % 1000 === 50 ? "far too long" : `n${id}`));
    const result = await load(sink, target, rows);
    expect(result).toMatchObject({ loaded: 4896, merged: 99, rejected: 5 });
    expect(result.kept.map(([row]) => row)).toEqual([50, 1050, 2050, 3050, 4050]);
    expect(await run(server.url, "select name from t where id = 50")).toEqual([{ name: "old" }]);
  });

  it("keys that only the table holds for equal", async () => {
    await run(
      server.url,
      "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
    const columns = [
      { name: "id", type: "text" },
      { name: "name", type: "text" },
    ] as const;
    const target = await given("create table t (id text collate nocase primary key, name text)", { ...keyed, columns });
    const result = await load(sink, target, [
      { id: "a", name: "1" },
      { id: "A", name: "2" },
      { id: "b", name: "3" },
    ]);
    expect(result).toMatchObject({ loaded: 2, merged: 1, rejected: 0 });
    expect(await run(server.url, "select name from t order by name")).toEqual([{ name: "2" }, { name: "3" }]);
  });

  it("a table of keys only, identities and partitions", async () => {
    await given("create table t (id int primary key)", { ...keyed, columns: [{ name: "id", type: "integer" }] });
    const only = makeTarget({ ...keyed, columns: [{ name: "id", type: "integer" }] });
    expect(await load(sink, only, [{ id: 1 }, { id: 1 }])).toMatchObject({ loaded: 1, merged: 1 });
    await run(
      server.url,
      `create table i (id int generated always as identity primary key, name text);
      create table p (id int primary key, name text) partition by range (id);
      create table p1 partition of p for values from (0) to (10); create table p2 partition of p for values from (10) to (20)`,
    );
    for (const table of ["i", "p"]) {
      const target = makeTarget({ ...keyed, table, pipeline: table });
      await sink.prepare(target);
      expect(
        await load(sink, target, [
          { id: 5, name: "a" },
          { id: 15, name: "b" },
        ]),
      ).toMatchObject({ loaded: 2, merged: 0 });
      expect(
        await load(
          sink,
          target,
          [
            { id: 5, name: "c" },
            { id: 6, name: "d" },
          ],
          "x",
        ),
      ).toMatchObject({ loaded: 1, merged: 1 });
      expect(await run(server.url, `select name from ${table} order by id`)).toEqual([
        { name: "c" },
        { name: "d" },
        { name: "b" },
      ]);
    }
  });
});
