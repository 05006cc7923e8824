import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DuckDBInstance } from "@duckdb/node-api";
import { withClient } from "../crash/crash-place.ts";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { expectError, expectLoaded, goodLine, Scene, shown } from "./attempt.ts";

/** Tables that are there already and do not fit, with what the error must name. */
const misfits = [
  {
    title: "lacks a column",
    ddl: "create table hired (id int, name text, datetime timestamp)",
    saying: /department_id/,
  },
  {
    title: "requires a column more",
    ddl: "create table hired (id int, name text, datetime timestamp, department_id int, grade int not null)",
    saying: /grade/,
  },
  {
    title: "has a column of another type",
    ddl: "create table hired (id int, name date, datetime timestamp, department_id int)",
    saying: /name/,
  },
  {
    title: "differs in three ways",
    ddl: "create table hired (id date, datetime timestamp, grade int not null, department_id int)",
    saying: /id[\s\S]*name[\s\S]*grade/,
  },
];

/** A table that fits, and refuses some rows for reasons of its own. */
const strict = [
  "create table department (id int primary key)",
  "insert into department values (1), (2)",
  "create table hired (id smallint primary key, name varchar check (name <> 'Nobody'), datetime timestamp unique, department_id int references department (id))",
];

const at = (second: number): string => `2021-11-07T02:48:${String(second).padStart(2, "0")}Z`;
const lines = [
  `1,Harold Vogt,${at(1)},1`,
  `1,same id,${at(2)},1`,
  `3,Nobody,${at(3)},1`,
  `4,no department,${at(4)},9`,
  `40000,too large for a smallint,${at(5)},1`,
  `6,same time,${at(1)},1`,
  `7,Ty Hofer,${at(7)},2`,
];
const refused = [2, 3, 4, 5, 6];
const codes = ["duplicate", "refused", "reference", "refused", "duplicate"];

async function expectIsolated(scene: Scene, to: string): Promise<void> {
  const rest = Array.from(
    { length: 5000 },
    (_, index) =>
      `${index + 100},Lyman Hadye,${new Date(Date.UTC(2022, 0, 1) + index * 1000).toISOString().slice(0, 19)}Z,1`,
  );
  const content = `${[...lines, ...rest].join("\n")}\n`;
  const outcome = await scene.load({ content, to, mode: "append", source: { header: false } });
  const { rejects } = await expectLoaded(scene, outcome, { read: 5007, rejected: 5 }, "hired", to);
  expect(rejects.map(({ line }) => line)).toEqual(refused);
  expect(rejects.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(refused.map((line) => lines[line - 1]));
  expect(rejects.map(({ reasons }) => reasons[0]?.code)).toEqual(codes);
  expect(rejects.every((reject) => shown(reject)[1].length === 1)).toBe(true);
}

describe("a table that is there, in a DuckDB file", () => {
  async function prepared(scene: Scene, statements: readonly string[]): Promise<void> {
    const instance = await DuckDBInstance.create(scene.path("bad.duckdb"));
    const connection = await instance.connect();
    for (const statement of statements) await connection.run(statement);
    instance.closeSync();
  }
  test.each(misfits)("that $title is an error that names it", async ({ ddl, saying }) => {
    using scene = new Scene();
    await prepared(scene, [ddl]);
    expectError(await scene.load({ content: goodLine(1) }), "TABLE_MISMATCH", saying);
  });
  test("refuses rows, each of which is a reject", async () => {
    using scene = new Scene();
    await prepared(scene, strict);
    await expectIsolated(scene, scene.to);
  });
});

describeWith("postgres", "a table that is there, in PostgreSQL", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());
  let schemas = 0;

  async function prepared(statements: readonly string[]): Promise<string> {
    schemas += 1;
    const schema = `tables_${schemas}`;
    await withClient(server.url, async (client) => {
      await client.query(`create schema ${schema}`);
      await client.query(`set search_path to ${schema}`);
      for (const statement of statements) await client.query(statement);
    });
    return `${server.url}?schema=${schema}`;
  }
  test.each(misfits)("that $title is an error that names it", async ({ ddl, saying }) => {
    using scene = new Scene();
    expectError(await scene.load({ content: goodLine(1), to: await prepared([ddl]) }), "TABLE_MISMATCH", saying);
  });
  test("refuses rows, each of which is a reject", async () => {
    using scene = new Scene();
    await expectIsolated(scene, await prepared(strict));
  });
  test("has a trigger that refuses rows, with its own words", async () => {
    using scene = new Scene();
    const to = await prepared([
      "create table hired (id int, name text, datetime timestamp, department_id int)",
      "create function refuse() returns trigger language plpgsql as $$ begin if new.id = 2 then raise exception 'no twos here'; end if; return new; end $$",
      "create trigger refuse before insert on hired for each row execute function refuse()",
    ]);
    const content = goodLine(1) + goodLine(2) + goodLine(3);
    const { rejects } = await expectLoaded(
      scene,
      await scene.load({ content, to }),
      { read: 3, rejected: 1 },
      "hired",
      to,
    );
    expect(rejects[0]?.reasons[0]?.message).toMatch(/no twos here/);
  });
  test("in a database of another encoding refuses what it cannot hold", async () => {
    using scene = new Scene();
    await withClient(server.url, async (client) => {
      await client.query("create database latin template template0 encoding 'LATIN1' locale 'C'");
    });
    const to = server.url.replace(/\/postgres$/, "/latin");
    const content = `1,Jürgen,${at(1)},1\n2,名前,${at(2)},1\n3,Ty,${at(3)},1\n`;
    const outcome = await scene.load({ content, to, source: { header: false } });
    const { rejects } = await expectLoaded(scene, outcome, { read: 3, rejected: 1 }, "hired", to);
    expect(rejects.map(({ line }) => line)).toEqual([2]);
  });
});
