import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { EngineRow } from "../../../src/ports/engine.ts";
import type { SinkColumn } from "../../../src/ports/rows.ts";
import type { Sink } from "../../../src/ports/sink.ts";
import { startPostgres } from "../../servers/postgres.ts";
import type { RestartableServer } from "../../servers/server.ts";
import {
  commitBatch,
  failureOf,
  load,
  makeBatch,
  makeReject,
  makeRows,
  makeSink,
  makeTarget,
  run,
  zero,
} from "./scene.ts";

let server: RestartableServer;
let sink: Sink;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

beforeEach(async () => {
  await run(
    server.url,
    'drop schema if exists "St ate" cascade; drop schema if exists hr cascade; drop schema public cascade; create schema public',
  );
  sink = makeSink(server.url);
  await sink.open();
  return () => sink.close();
});

const target = makeTarget();
const naming = (text: string): unknown => expect.stringContaining(text);
const one: readonly EngineRow[] = [{ id: 1, name: "a" }];

async function collect(sql: string, from = sink): Promise<EngineRow[]> {
  const rows: EngineRow[] = [];
  for await (const piece of from.query(sql)) rows.push(...piece);
  return rows;
}

describe("the place", () => {
  it("puts tables and Millrace's own into the schemas of the URL, and creates them", async () => {
    const own = makeSink(`${server.url}?schema=hr&millrace_schema=St%20ate`);
    await own.open();
    expect(own.ddl(target)).toContain('create table "hr"."t"');
    await own.prepare(target);
    await load(own, target, one);
    expect(await run(server.url, "select name from hr.t")).toEqual([{ name: "a" }]);
    expect(await run(server.url, 'select loaded from "St ate".millrace_ledger')).toEqual([{ loaded: 1 }]);
    expect(await collect("select name from t", own)).toEqual([{ name: "a" }]);
    await own.close();
    const option = makeSink(`${server.url}?millrace_schema=public`, { stateSchema: "hr" });
    await option.open();
    expect(await option.reserveBatches(1)).toEqual([1n]);
    await option.close();
    expect(await run(server.url, "select to_regclass('hr.millrace_ledger') is not null as there")).toEqual([
      { there: true },
    ]);
  });

  it("opens without the right to create, once everything is there", async () => {
    await run(server.url, "drop role if exists modest");
    await run(
      server.url,
      `create role modest login password 'modest'; grant usage on schema public to modest;
      grant all on all tables in schema public to modest; grant usage on all sequences in schema public to modest`,
    );
    const url = new URL(server.url);
    [url.username, url.password] = ["modest", "modest"];
    const modest = makeSink(url.href);
    await modest.open();
    expect(await modest.claim("p", "lane", "a", zero)).toMatchObject({ epoch: 1 });
    await modest.close();
    await run(server.url, "drop owned by modest; drop role modest");
  });

  it("is read without the right to create, and nothing is created", async () => {
    await run(server.url, "drop schema public cascade; create schema public; drop role if exists reader");
    await run(server.url, "create role reader login password 'reader'; grant usage on schema public to reader");
    const url = new URL(server.url);
    [url.username, url.password] = ["reader", "reader"];
    const reader = makeSink(url.href);
    await reader.open("read");
    const found = async (): Promise<number> => (await reader.records.ledger({ limit: 1 })).length;
    expect([await found(), await reader.records.checkpoints("p")]).toEqual([0, []]);
    expect(await run(server.url, "select to_regclass('public.millrace_ledger') as there")).toEqual([{ there: null }]);
    // What a writer makes meanwhile is seen.
    const writer = makeSink(server.url);
    await writer.open();
    await writer.prepare(target);
    await load(writer, target, one);
    await writer.close();
    await run(server.url, "grant select on all tables in schema public to reader");
    expect(await found()).toBe(1);
    await reader.close();
    await run(server.url, "drop owned by reader; drop role reader");
  });

  it("refuses options that it does not know, and numbers that are none", () => {
    expect(() => makeSink("postgres://u:pw@h/db?shema=x")).toThrow(/unknown option shema/);
    expect(() => makeSink("postgres://u:pw@h/db?connect_timeout=soon")).toThrow(/connect_timeout is not a number/);
    expect(() => makeSink("postgres://u:pw@h/db?sslmode=maybe")).toThrow(/unknown sslmode/);
    expect(() => makeSink("postgres://u:s3cret@h/db?sslrootcert=/nowhere/ca.pem")).not.toThrow(/s3cret/);
  });

  it("sets up its sessions", async () => {
    const rows = await collect(
      `select name, setting from pg_settings where name in ('application_name', 'TimeZone', 'lock_timeout', 'idle_in_transaction_session_timeout', 'DateStyle') order by name collate "C"`,
    );
    expect(rows).toEqual(
      [
        ["DateStyle", "ISO, MDY"],
        ["TimeZone", "UTC"],
        ["application_name", "millrace"],
        ["idle_in_transaction_session_timeout", "60000"],
        ["lock_timeout", "30000"],
      ].map(([name, setting]) => ({ name, setting })),
    );
  });
});

describe("a table that is there", () => {
  const column = (type: SinkColumn["type"], more: Partial<SinkColumn> = {}): SinkColumn => ({
    name: "c",
    type,
    ...more,
  });
  const fits: readonly (readonly [SinkColumn, string])[] = [
    [column("integer"), "smallint"],
    [column("integer"), "numeric(12,2)"],
    [column("integer"), "double precision"],
    [column("bigint"), "text"],
    [column("decimal", { precision: 10, scale: 2 }), "numeric(8,2)"],
    [column("decimal", { precision: 10, scale: 2 }), "numeric"],
    [column("text"), "varchar(3)"],
    [column("text"), "mood"],
    [column("text"), "short"],
    [column("timestamp"), "timestamptz"],
    [column("date"), "timestamp"],
    [column("uuid"), "text"],
    [column("json"), "json"],
  ];
  const misfits: readonly (readonly [SinkColumn, string])[] = [
    [column("bigint"), "double precision"],
    [column("double"), "real"],
    [column("double"), "integer"],
    [column("decimal", { precision: 10, scale: 2 }), "numeric(10,1)"],
    [column("decimal", { precision: 10, scale: 2 }), "double precision"],
    [column("text"), "integer"],
    [column("text"), "bytea"],
    [column("timestamp"), "date"],
    [column("timestamp"), "timestamp(3)"],
    [column("boolean"), "integer"],
    [column("integer"), "int generated always as (1) stored"],
  ];

  const cases = [
    ...fits.map(([wanted, type]) => ({ wanted, type, said: "fits" })),
    ...misfits.map(([wanted, type]) => ({ wanted, type, said: "does not fit" })),
  ];
  it.each(cases)("$wanted.type into $type $said", async ({ wanted, type, said }) => {
    const types = "create type mood as enum ('ok'); create domain short as varchar(5)";
    await run(server.url, `${types}; create table t (c ${type})`);
    const work = sink.prepare(makeTarget({ columns: [wanted] }));
    if (said === "fits") await expect(work).resolves.toMatchObject({ created: false });
    else await expect(work).rejects.toMatchObject({ code: "TABLE_MISMATCH", message: naming('"c"') });
  });

  it("takes no merge without a unique index on exactly the key", async () => {
    await run(
      server.url,
      "create table t (id int, name text, unique (id, name)); create unique index on t (id) where id > 0",
    );
    const merge = makeTarget({ mode: "merge", key: ["id"] });
    await expect(sink.prepare(merge)).rejects.toMatchObject({
      code: "TABLE_MISMATCH",
      message: naming("no unique index"),
    });
    await run(server.url, "create unique index on t (id)");
    await expect(sink.prepare(merge)).resolves.toMatchObject({ created: false });
  });

  it("refuses names that PostgreSQL would cut", async () => {
    await expect(sink.prepare(makeTarget({ table: "ä".repeat(40) }))).rejects.toMatchObject({
      code: "CONTRACT_INVALID",
    });
  });

  it("that is a view is written by INSERT", async () => {
    await run(
      server.url,
      `create table b (id int primary key, name text); create view t as select * from b where id < 10 with check option`,
    );
    await sink.prepare(target);
    const result = await load(sink, target, [...one, { id: 77, name: "b" }, { id: 2, name: "c" }]);
    expect(result).toMatchObject({ loaded: 2, rejected: 1 });
    expect(result.kept.map(([row]) => row)).toEqual([1]);
  });

  it("keeps reasons and message ids that PostgreSQL's text cannot hold", async () => {
    await sink.prepare(target);
    const claim = await sink.claim("p", "lane", "a", zero);
    const reject = makeReject(0, { code: "type", value: "nul \0 and half \ud83e", message: "no" });
    const ids = ["nul \0", "x".repeat(5000), "half \ud83e"];
    const write = async (messageIds: readonly string[]) =>
      commitBatch(
        await sink.begin(target),
        await makeBatch(sink, target, claim, [], {
          rejects: [reject],
          read: 3,
          filtered: 2,
          messageIds,
          rows: makeRows(target.columns, []),
        }),
      );
    await write(ids);
    const [kept] = await sink.records.rejects({ limit: 1 });
    expect(kept?.reasons[0]?.value).toBe("nul \u2400 and half \ufffd");
    await expect(write(["new", ...ids.slice(0, 2)])).rejects.toMatchObject({ ids: ids.slice(0, 2) });
    const long = ids[1] ?? "";
    await expect(write([long, "once", long])).rejects.toMatchObject({ ids: [long], where: "batch" });
  });
});

describe("query", () => {
  it("streams exact values in pieces", async () => {
    const sizes: number[] = [];
    for await (const piece of sink.query("select n from generate_series(1, 2500) n; ")) sizes.push(piece.length);
    expect(sizes).toEqual([1000, 1000, 500]);
    const [row] = await collect(`-- exact
      select 9007199254740993 as big, 0.10::numeric as dec, '2021-11-07 02:48:42.123456'::timestamp as at,
        '2021-11-07 02:48:42+02'::timestamptz as moment, date '2021-11-07' as day, '{"a": [1]}'::jsonb as doc,
        array[1::bigint, null] as list, '\\x00ff'::bytea as bytes, 1 as twin, 2 as twin, null as nothing`);
    expect(row).toEqual({
      big: 9007199254740993n,
      dec: "0.10",
      at: "2021-11-07T02:48:42.123456",
      moment: "2021-11-07T00:48:42Z",
      day: "2021-11-07",
      doc: { a: [1] },
      list: [1n, null],
      bytes: Buffer.from([0, 255]),
      twin: 1,
      twin_1: 2,
      nothing: null,
    });
    expect(await collect("show server_encoding")).toEqual([{ server_encoding: "UTF8" }]);
  });

  it("writes nothing, not even behind a semicolon", async () => {
    await run(server.url, "create table precious (id int)");
    for (const sql of [
      "insert into precious values (1)",
      "select 1; drop table precious",
      "with w as (insert into precious values (1) returning 1) select * from w",
      "drop table precious",
    ]) {
      expect(await failureOf(sink, collect(sql))).toMatchObject({ code: "SINK_REFUSED", kind: "stop" });
    }
    expect(await run(server.url, "select count(*) as n from precious")).toEqual([{ n: 0n }]);
  });

  it("gives its session back when it is left half way", async () => {
    for (let n = 0; n < 50; n += 1) {
      for await (const piece of sink.query("select generate_series(1, 5000) as n")) {
        expect(piece).toHaveLength(1000);
        break;
      }
    }
    expect(await collect("select 1 as one")).toEqual([{ one: 1 }]);
  });
});
