import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Contract } from "../../src/core/contract.ts";
import type { Insight } from "../../src/core/insight.ts";
import { limit } from "../../src/core/limit.ts";
import { pipeline } from "../../src/core/pipeline.ts";
import { integer, table, text, timestamp } from "../../src/core/table.ts";
import type { Sink } from "../../src/ports/sink.ts";
import { readInsights } from "../../src/runtime/insight-files.ts";
import { Insights } from "../../src/runtime/insights.ts";
import { runIn } from "../../src/runtime/run.ts";
import { Session } from "../../src/runtime/session.ts";
import { run, urlWith } from "../adapters/postgres/scene.ts";
import { blocksOf, readPage } from "../docs/markdown.ts";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import { insightOf, recordsOf } from "./insight-scene.ts";

const departments = table("departments", { id: integer().key(), department: text() });
const jobs = table("jobs", { id: integer().key(), job: text() });
const hiredEmployees = table("hired_employees", {
  ...{ id: integer().key(), name: text(), datetime: timestamp(), department_id: integer(), job_id: integer() },
});

/** Names that languages sort otherwise than their bytes; two jobs share a name, one department hires nobody. */
const departmentNames = ["sales", "Support", "Éclair", "Zoo", "a-b", "ab", "a b", "\u{1f600}", "\uffee", "Nobody"];
const jobNames = ["clerk", "Clerk", "clerk", "éditeur", "Ångström"];

interface Hired {
  readonly department: number;
  readonly job: number;
  readonly month: number;
  readonly year: number;
}

/** Departments and jobs are numbered from 1; those one above the last are not known, and neither are jobs below. */
const hired: readonly Hired[] = Array.from({ length: 3_000 }, (_, n) => ({
  department: 1 + ((n * n + (n >> 3)) % departmentNames.length),
  job: (n * 7 + (n >> 4)) % (jobNames.length + 2),
  month: 1 + ((n * 5 + (n >> 5)) % 12),
  year: 2020 + (n % 3),
})).map((one) => ({ ...one, department: one.department === departmentNames.length ? 11 : one.department }));

const hiredLine = ({ department, job, month, year }: Hired, n: number): string =>
  `${n},name ${n},${year}-${String(month).padStart(2, "0")}-${n % 2 === 0 ? "01T00:00:00" : "28T23:59:59"}Z,${department},${job}\n`;

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** `HIRES_DEPARTMENT_JOB`, counted one employee after the other. */
function hiresByHand(year: number): object[] {
  const found = new Map<string, { department: string; job: string; quarters: number[] }>();
  for (const one of hired) {
    const [department, job] = [departmentNames[one.department - 1], jobNames[one.job - 1]];
    if (one.year !== year || department === undefined || job === undefined) continue;
    const entry = found.get(`${department}\n${job}`) ?? { department, job, quarters: [0, 0, 0, 0] };
    const quarter = Math.floor((one.month - 1) / 3);
    entry.quarters[quarter] = (entry.quarters[quarter] ?? 0) + 1;
    found.set(`${department}\n${job}`, entry);
  }
  return [...found.values()]
    .sort((a, b) => byBytes(a.department, b.department) || byBytes(a.job, b.job))
    .map(({ department, job, quarters: [q1, q2, q3, q4] }) => ({ department, job, q1, q2, q3, q4 }));
}

/** `DEPARTMENTS_HIRED_ABOVE_MEAN`, by division. */
function aboveMeanByHand(year: number): object[] {
  const counts = departmentNames.map((department, index) => ({
    ...{ id: index + 1, department },
    hired: hired.filter((one) => one.year === year && one.department === index + 1).length,
  }));
  const mean = counts.reduce((sum, one) => sum + one.hired, 0) / counts.length;
  return counts.filter((one) => one.hired > mean).sort((a, b) => b.hired - a.hired || a.id - b.id);
}

/** A folder, a session and the sink at `url`, with the tables of people and jobs. */
class HrScene implements AsyncDisposable {
  readonly #folder: string;
  readonly #url: string;
  readonly session: Session;
  readonly sink: Sink;

  private constructor(folder: string, url: string, session: Session, sink: Sink) {
    this.#folder = folder;
    this.#url = url;
    this.session = session;
    this.sink = sink;
  }

  static async open(url: (folder: string) => string): Promise<HrScene> {
    const folder = await mkdtemp(join(tmpdir(), "millrace-insights-"));
    const session = await Session.open({ notice: () => undefined });
    const sink = await session.sink(url(folder));
    await sink.open();
    const scene = new HrScene(folder, url(folder), session, sink);
    const named = (names: readonly string[]): string => names.map((name, index) => `${index + 1},${name}\n`).join("");
    await scene.load(departments, named(departmentNames));
    await scene.load(jobs, named(jobNames));
    await scene.load(hiredEmployees, hired.map(hiredLine).join(""));
    return scene;
  }

  /** Loads the lines as another process would: nothing is told to the insights. */
  async load(contract: Contract, lines: string): Promise<void> {
    const file = join(this.#folder, `${contract.table}.csv`);
    await writeFile(file, lines);
    const flow = pipeline(`load:${contract.table}`).from(file, { header: false }).check(contract).to(this.#url);
    const { rejected } = await runIn(this.session, flow, {});
    expect(rejected).toBe(0);
  }

  insights(insights: readonly Insight[], now = (): number => 0): Insights {
    return new Insights({ insights, sink: this.sink, now });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close();
    await rm(this.#folder, { recursive: true });
  }
}

const hrFolder = join(import.meta.dirname, "..", "..", "apps", "hr", "insights");

/** The insights of the application answer what is counted by hand. */
function hrSuite(scene: () => HrScene): void {
  test.each([
    [{}, 2021],
    [{ year: "2022" }, 2022],
    [{ year: "1999" }, 1999],
  ])("the insights of hr asked with %j answer what is counted by hand", async (given, year) => {
    const insights = scene().insights(await readInsights(hrFolder));
    await insights.check();
    const hires = recordsOf(await insights.answer("HIRES_DEPARTMENT_JOB", given, 10_000));
    const above = recordsOf(await insights.answer("DEPARTMENTS_HIRED_ABOVE_MEAN", given, 10_000));
    expect(hires).toEqual(hiresByHand(year));
    expect(above).toEqual(aboveMeanByHand(year));
    expect(hires.length).toBe(year === 1999 ? 0 : (departmentNames.length - 1) * 4);
    const first = recordsOf(await insights.answer("HIRES_DEPARTMENT_JOB", given, 3));
    expect(first).toEqual(hires.slice(0, 3));
    expect(Object.keys(first[0] ?? {}).join()).toBe(year === 1999 ? "" : "department,job,q1,q2,q3,q4");
  });

  test("what others commit is in the answer after a moment", async () => {
    let nowMs = 0;
    const count = insightOf("-- About.\n-- column n bigint\n-- table jobs\nselect count(*) as n from jobs");
    const insights = scene().insights([count], () => nowMs);
    const before = recordsOf(await insights.answer("ONE", {}, 1))[0]?.["n"] as number;
    await scene().load(jobs, `${1_000 + before},one more\n`);
    expect(recordsOf(await insights.answer("ONE", {}, 1))).toEqual([{ n: before }]);
    nowMs += 2 * limit.insightVersionMs;
    expect(recordsOf(await insights.answer("ONE", {}, 1))).toEqual([{ n: before + 1 }]);
    await scene().load(jobs, `${2_000 + before},one more\n`);
    insights.changed("jobs");
    expect(recordsOf(await insights.answer("ONE", {}, 1))).toEqual([{ n: before + 2 }]);
  });
}

const hostile = [
  "'; drop table departments; --",
  "' or '1'='1",
  "\\'; select 1; --",
  '"; delete from departments; --',
  "$1",
  ":name",
  "$$ ; drop table departments; $$",
  "x'||(select department from departments limit 1)||'",
  "%' union select department from departments --",
  "\u2019 \ufeff\u{1f600}",
  "a\nb\r\n\tc",
  "",
];

const echo = insightOf(`-- Gives its parameters back.
-- parameter t text
-- parameter i integer = 1
-- parameter b bigint = -9223372036854775808
-- parameter d double = 1e300
-- parameter n decimal(10, 2) = 1.50
-- parameter yes boolean = true
-- parameter day date = 2024-02-29
-- parameter at timestamp = 2021-11-07T02:48:42.5
-- parameter u uuid = 6f9619ff-8b86-4011-b42d-00c04fc964ff
-- parameter j json = '{"a": [1, "b: ''c"]}'
-- parameter none text = null
-- column t text
-- column i integer
-- column b bigint
-- column d double
-- column n decimal(10, 2)
-- column yes boolean
-- column day date
-- column at timestamp
-- column u uuid
-- column j json
-- column none text
-- column found bigint
-- table departments
select :t as t, :i as i, :b as b, :d as d, :n as n, :yes as yes, :day as day, :at as at, :u as u, :j as j,
  :none as none, (select count(*) from departments where department = :t) as found`);

function parameterSuite(scene: () => HrScene): void {
  test.each(hostile)("the text %j is a value and nothing else", async (t) => {
    const insights = scene().insights([echo]);
    expect(recordsOf(await insights.answer("ONE", { t }, 10))).toMatchObject([{ t, found: 0 }]);
    const count = insightOf("-- About.\n-- column n bigint\nselect count(*) as n from departments");
    const answer = await scene().insights([count]).answer("ONE", {}, 1);
    expect(recordsOf(answer)).toEqual([{ n: departmentNames.length }]);
  });

  test("values of every type arrive as they were given, none of them as null", async () => {
    const insights = scene().insights([echo]);
    await insights.check();
    expect(recordsOf(await insights.answer("ONE", { t: "Zoo" }, 10))).toEqual([
      {
        ...{ t: "Zoo", i: 1, b: "-9223372036854775808", d: 1e300, n: "1.50", yes: true, day: "2024-02-29" },
        ...{ at: "2021-11-07T02:48:42.5", u: "6f9619ff-8b86-4011-b42d-00c04fc964ff", j: { a: [1, "b: 'c"] } },
        ...{ none: null, found: 1 },
      },
    ]);
    expect(recordsOf(await insights.answer("ONE", { t: "", none: "x", yes: "no" }, 10))).toMatchObject([
      { none: "x", yes: false },
    ]);
  });
}

const about = "-- About.\n-- table departments\n";

function checkSuite(scene: () => HrScene): void {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["has another name", "-- column a text\nselect department from departments", /columns department, and declares a$/],
    ["has one more", "-- column id integer\nselect id, department from departments", /columns id, department, and/],
    ["has one less", "-- column a integer\n-- column b integer\nselect 1 as a", /columns a, and declares a, b$/],
    ["stands elsewhere", "-- column b integer\n-- column a integer\nselect 1 as a, 1 as b", /columns a, b, and/],
    ["stands there twice", "-- column a integer\nselect 1 as a, 2 as a", /columns a, a_1, and/],
    [
      "is text and not a number",
      "-- column a integer\nselect department as a from departments",
      /column a is declared/,
    ],
    ["is a number and not text", "-- column a text\nselect id as a from departments", /column a is declared text/],
    [
      "is a double and not exact",
      "-- column a bigint\nselect cast(1 as double precision) as a",
      /a is declared bigint/,
    ],
    ["is a time and not a day", "-- column a date\nselect max(datetime) as a from hired_employees", /declared date/],
    ["the second of which is wrong", "-- column a integer\n-- column b date\nselect 1 as a, 2 as b", /column b is/],
    ["comes from an unknown table", "-- column a integer\nselect a from nowhere", /nowhere/],
    ["comes from SQL that is wrong", "-- column a integer\nselect select as a", /its SQL is refused/],
    ["cannot be limited", "-- column id integer\nselect id from departments for update", /its SQL is refused/],
    [
      "belongs to an unknown table",
      "-- column a integer\n-- table nowhere\nselect 1 as a",
      /the table nowhere is refused/,
    ],
  ];
  test.each(cases)("a column that %s is told before anybody asks", async (_, sql, message) => {
    const insights = scene().insights([insightOf(about + sql)]);
    await expect(insights.check()).rejects.toMatchObject({
      code: "INSIGHT_INVALID",
      message: expect.stringMatching(message) as unknown,
      at: { source: "ONE.sql" },
    });
  });

  test("types that go together are taken, whatever the place calls them", async () => {
    const sql = `-- column a bigint
-- column b double
-- column c decimal
-- column d integer
-- column e timestamp
-- column f json
select sum(id) as a, avg(id) as b, sum(id) as c, count(*) as d, max(datetime) as e, cast('{"x": 1}' as json) as f
from hired_employees`;
    const insights = scene().insights([insightOf(about + sql)]);
    await insights.check();
    const n = hired.length;
    expect(recordsOf(await insights.answer("ONE", {}, 1))).toMatchObject([
      { a: (n * (n - 1)) / 2, b: (n - 1) / 2, d: n, e: "2022-12-28T23:59:59", f: { x: 1 } },
    ]);
  });

  test("rows come in the order of the query's own ORDER BY and LIMIT", async () => {
    const sql = `${about}-- column id integer\nselect id from departments order by id desc`;
    const insights = scene().insights([insightOf(sql), insightOf(`${sql} limit 4 offset 1`, "TWO")]);
    await insights.check();
    const ids = async (name: string, rowsMax: number) =>
      recordsOf(await insights.answer(name, {}, rowsMax)).map(({ id }) => id);
    expect(await ids("ONE", 3)).toEqual([10, 9, 8]);
    expect(await ids("TWO", 2)).toEqual([9, 8]);
    expect(await ids("TWO", 20)).toEqual([9, 8, 7, 6]);
  });

  test("the example in the documentation is one", async () => {
    const [example] = blocksOf(readPage("docs/insights.md").text).filter(({ words }) => words[0] === "sql");
    const insights = scene().insights([insightOf(example?.text ?? "")]);
    await insights.check();
    const all = recordsOf(await insights.answer("ONE", { year: "2022" }, 100));
    const some = recordsOf(await insights.answer("ONE", { year: "2022", job: "1" }, 100));
    const sumOf = (rows: typeof all): number => rows.reduce((sum, { hired: count }) => sum + Number(count), 0);
    expect(all.map(({ department }) => department)).toEqual(departmentNames.slice(0, -1).sort(byBytes));
    const inYear = hired.filter(({ year, department }) => year === 2022 && department <= departmentNames.length);
    expect(sumOf(all)).toBe(inYear.length);
    expect(sumOf(some)).toBe(inYear.filter(({ job }) => job === 1).length);
  });

  test("an error of the database is the sink's own, and the next question is answered", async () => {
    const sql =
      "-- About.\n-- parameter n integer\n-- column a integer\nselect cast(cast(:n as text) || 'x' as integer) as a";
    const insights = scene().insights([insightOf(sql)]);
    await insights.check();
    await expect(insights.answer("ONE", { n: "1" }, 1)).rejects.toMatchObject({ code: "SINK_REFUSED" });
    await insights.check();
  });
}

function suites(open: () => Promise<HrScene>): void {
  let scene: HrScene;
  beforeAll(async () => {
    scene = await open();
  });
  afterAll(() => scene[Symbol.asyncDispose]());
  hrSuite(() => scene);
  parameterSuite(() => scene);
  checkSuite(() => scene);
}

describe("on DuckDB", () => {
  suites(() => HrScene.open((folder) => `duckdb:${join(folder, "hr.db")}`));
});

describeWith("postgres", "on PostgreSQL, in a language that sorts otherwise", () => {
  let stop: () => Promise<void> = async () => undefined;
  afterAll(() => stop());
  suites(async () => {
    const server = await startPostgres();
    stop = async () => {
      await run(server.url, "drop database insights with (force)");
      await server.stop();
    };
    await run(server.url, "create database insights");
    const url = urlWith(server.url, { database: "insights" });
    const [found] = await run(url, "select 1 as one from pg_collation where collname = 'en-x-icu'");
    const collation = found === undefined ? "" : 'collate "en-x-icu"';
    await run(url, `create table departments (id integer primary key, department text ${collation} not null)`);
    await run(url, `create table jobs (id integer primary key, job text ${collation} not null)`);
    return HrScene.open(() => url);
  });
});
