import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Sink } from "../../../src/ports/sink.ts";
import { startPostgres } from "../../servers/postgres.ts";
import type { RestartableServer } from "../../servers/server.ts";
import { failureOf, load, makeSink, makeTarget, run } from "./scene.ts";

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

const append = makeTarget();
const merge = makeTarget({
  mode: "merge",
  key: ["id"],
  columns: [
    { name: "id", type: "integer", key: true },
    { name: "name", type: "text", nullable: true },
  ],
});
const idsOnly = makeTarget({ mode: "merge", key: ["id"], columns: [{ name: "id", type: "integer", key: true }] });

const row = (id: number) => ({ id, name: `n${id}` });
const keyed = "create table t (id int primary key, name text)";

/** A trigger that takes the rows of `when` out of the way, as hand-made partitions and old filters do. */
const dropping = (when: string, event = "insert or update", on = "t"): string =>
  `create function skip() returns trigger language plpgsql as $$ begin return null; end $$;
  create trigger skip before ${event} on ${on} for each row when (${when}) execute function skip()`;

async function expectNothing(): Promise<void> {
  expect(await run(server.url, "select count(*) as n from millrace_ledger where pipeline = 'p'")).toEqual([{ n: 0n }]);
  expect(await sink.checkpoint("p", "lane")).toMatchObject({ position: { row: 0 } });
}

describe("rows that are dropped without a word are not counted as loaded", () => {
  it.each([
    ["by COPY", append, "create table t (id int, name text)", dropping("new.id = 2"), [1, 2, 3]],
    [
      "by COPY into a partition",
      append,
      "create table t (id int, name text) partition by range (id); create table t1 partition of t default",
      dropping("new.id = 2", "insert", "t1"),
      [1, 2, 3],
    ],
    ["beside a refused row", makeTarget({ key: ["id"] }), keyed, dropping("new.id = 2"), [1, 1, 2, 3]],
    ["by a merge", merge, `${keyed}; insert into t values (1)`, dropping("new.id = 2"), [1, 2, 3]],
    [
      "by a merge of keys only",
      idsOnly,
      "create table t (id int primary key); insert into t values (1)",
      dropping("new.id = 2"),
      [1, 2, 3],
    ],
    [
      "by a merge into a partition",
      merge,
      "create table t (id int primary key, name text) partition by range (id); create table t1 partition of t default; insert into t values (1)",
      dropping("new.id = 2", "insert", "t1"),
      [1, 2, 3],
    ],
    [
      "by INSERT into a view",
      append,
      "create table b (id int, name text); create view t as select * from b",
      "create function skip() returns trigger language plpgsql as $$ begin return null; end $$; create trigger skip instead of insert on t for each row execute function skip()",
      [1],
    ],
    [
      "by a rule",
      append,
      "create table b (id int, name text); create view t as select * from b",
      "create rule skip as on insert to t do instead nothing",
      [1, 2],
    ],
  ])("%s", async (_, target, table, drops, ids) => {
    await run(server.url, `${table}; ${drops}`);
    await sink.prepare(target);
    const failure = await failureOf(sink, load(sink, target, ids.map(row)));
    expect(failure).toMatchObject({ code: "NOT_BALANCED", kind: "stop" });
    expect(failure.text).toMatch(/did not store \d+ rows/);
    await expectNothing();
  });

  it("among thousands, of which some are refused", async () => {
    await run(server.url, `${keyed}; alter table t add check (id % 100 <> 7); ${dropping("new.id = 2345")}`);
    for (const target of [makeTarget({ key: ["id"] }), merge]) {
      await sink.prepare(target);
      const rows = Array.from({ length: 5000 }, (_, id) => row(id));
      expect(await failureOf(sink, load(sink, target, rows))).toMatchObject({ code: "NOT_BALANCED" });
      await expectNothing();
    }
  });
});

describe("a trigger that lets rows in", () => {
  it("may change them, also their keys", async () => {
    await run(
      server.url,
      `${keyed}; insert into t values (11, 'there'); alter table t add check (id <> 19);
      create function change() returns trigger language plpgsql as $$ begin new.id = new.id + 10; return new; end $$;
      create trigger change before insert on t for each row execute function change()`,
    );
    await sink.prepare(merge);
    const result = await load(sink, merge, [row(1), row(2), row(3), row(9)]);
    expect(result).toMatchObject({ loaded: 2, merged: 1, rejected: 1 });
    expect(await run(server.url, "select id from t order by id")).toEqual([{ id: 11 }, { id: 12 }, { id: 13 }]);
  });

  it("may refuse them aloud: they become rejects", async () => {
    await run(
      server.url,
      `${keyed}; create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not %', new.id; end $$;
      create trigger refuse before insert on t for each row when (new.id = 2) execute function refuse()`,
    );
    await sink.prepare(append);
    expect(await load(sink, append, [row(1), row(2), row(3)])).toMatchObject({ loaded: 2, rejected: 1 });
  });
});
