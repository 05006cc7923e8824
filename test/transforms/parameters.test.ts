import { appendFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pipeline } from "../../src/core/pipeline.ts";
import { bigint, date, double, integer, table, text, timestamp } from "../../src/core/table.ts";
import { dedupe } from "../../src/transforms/dedupe.ts";
import { impute } from "../../src/transforms/impute.ts";
import { narrow } from "../../src/transforms/narrow.ts";
import { type Scaling, scale, unscale, unscaleSql } from "../../src/transforms/scale.ts";
import { Bench } from "./scene.ts";

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.open();
});

afterAll(() => bench[Symbol.asyncDispose]());

const people = table("people", {
  id: integer().key(),
  age: integer().nullable(),
  score: double().nullable(),
  city: text().nullable(),
  since: date().nullable(),
  none: double().nullable(),
});

describe("imputing", { timeout: 120_000 }, () => {
  it("takes its values from all rows of the first load, and treats later files by them", async () => {
    const from = await bench.write(
      "people1.csv",
      "1,10,1,Rome,2020-01-01,\n2,20,,Oslo,,\n3,,4,,2020-01-03,\n4,33,100,Oslo,,\n",
    );
    const so = pipeline("people")
      .from(bench.path("people*.csv"), { header: false })
      .check(people)
      .with(
        impute({
          age: "mean",
          score: "median",
          city: "most frequent",
          since: { constant: "1999-09-09" },
          none: "mean",
        }),
      )
      .to(`duckdb:${bench.path("people.db")}`);
    const first = await bench.run(so, "id");
    expect(first.rows.map(({ age, score, city, since, none }) => [age, score, city, since, none])).toEqual([
      [10, 1, "Rome", "2020-01-01", 0],
      [20, 4, "Oslo", "1999-09-09", 0],
      [21, 4, "Oslo", "2020-01-03", 0],
      [33, 100, "Oslo", "1999-09-09", 0],
    ]);
    expect(first.summary.changes).toContainEqual(
      expect.objectContaining({ step: "impute", column: "age", count: 1, examples: [{ from: null, to: "21" }] }),
    );
    await bench.write("people2.csv", "5,,,,,\n6,1000,1000,Bonn,,\n");
    const second = await bench.run(so, "id");
    expect(second.events.some(({ event }) => event === "measured")).toBe(false);
    expect(second.rows[4]).toMatchObject({ age: 21, score: 4, city: "Oslo", none: 0 });
    // A file that grew is treated alike too.
    await appendFile(from, "7,,,,,\n");
    expect((await bench.run(so, "id")).rows.at(-1)).toMatchObject({ id: 7, age: 21, city: "Oslo" });
  });

  it("fills all columns that may be missing unless told otherwise, and says what it cannot", async () => {
    const from = await bench.write("all.csv", "1,10,,x,,\n2,,,,,\n");
    const flow = pipeline("all").from(from, { header: false }).check(people);
    const { rows } = await bench.run(flow.with(impute()).to(`duckdb:${bench.path("all.db")}`), "id");
    const today = new Date().toISOString().slice(0, 10);
    expect(rows[1]).toMatchObject({ age: 10, score: 0, city: "", none: 0, since: today });
    const wrong = flow.with(impute({ city: "mean" })).to(`duckdb:${bench.path("wrong.db")}`);
    await expect(bench.run(wrong, "id")).rejects.toMatchObject({
      code: "PIPELINE_INVALID",
      message: expect.stringContaining("has no mean") as string,
    });
    const unknown = flow.with(impute({ town: "mean" })).to(`duckdb:${bench.path("wrong.db")}`);
    await expect(bench.run(unknown, "id")).rejects.toMatchObject({
      message: expect.stringContaining('no column "town"') as string,
    });
  });
});

describe("scaling", { timeout: 120_000 }, () => {
  it("is undone by the parameters that the pipeline's definition keeps", async () => {
    const from = await bench.write(
      "scale.csv",
      Array.from({ length: 1000 }, (_, n) => `${n},${n * 3},${n / 7},c,,5\n`).join(""),
    );
    const so = pipeline("scaled")
      .from(from, { header: false })
      .check(people)
      .with(scale({ age: "min-max", score: "standard", none: "min-max" }))
      .to(`duckdb:${bench.path("scale.db")}`);
    const { rows } = await bench.run(so, "id");
    expect(rows.map(({ age }) => age).filter((age) => Number(age) < 0 || Number(age) > 1)).toEqual([]);
    expect([rows[0]?.["age"], rows[999]?.["age"], rows[5]?.["none"]]).toEqual([0, 1, 0]);
    const scores = rows.map(({ score }) => Number(score));
    const mean = scores.reduce((sum, score) => sum + score, 0) / 1000;
    const deviation = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / 1000);
    expect([mean, deviation]).toEqual([expect.closeTo(0, 9), expect.closeTo(1, 9)]);
    await bench.session.within(async (session) => {
      const sink = await session.sink(so.to);
      await sink.open("read");
      const [entry] = await sink.records.ledger({ pipeline: "scaled", limit: 1 });
      const definition = await sink.records.definition("scaled", entry?.version ?? "");
      const steps = definition?.["steps"] as unknown as { parameters: Record<string, Scaling> }[] | undefined;
      const [step] = steps ?? [];
      const [age, score] = [step?.parameters["age"] as Scaling, step?.parameters["score"] as Scaling];
      expect(unscale(age, Number(rows[7]?.["age"]))).toBeCloseTo(21, 9);
      const sql = `select ${unscaleSql(score, "score")} as was, id from scaled_people where id = 700`;
      for await (const [row] of sink.query(sql.replace("scaled_people", "people")))
        expect(row?.["was"]).toBeCloseTo(100, 8);
    });
  });

  it("is not computed over a log, which has no end, unless its values are given", async () => {
    const from = `log:${bench.path("log")}/people`;
    const flow = pipeline("endless").from(from).check(people);
    const so = flow.with(scale({ age: "min-max" })).to(`duckdb:${bench.path("log.db")}`);
    await expect(bench.run(so, "id")).rejects.toMatchObject({
      code: "PIPELINE_INVALID",
      message: expect.stringContaining("has no end") as string,
    });
  });
});

describe("narrowing", { timeout: 120_000 }, () => {
  it("gives each column the narrowest type of all rows, and rejects what later does not fit", async () => {
    const wide = table("wide", {
      id: bigint().key(),
      n: bigint(),
      a: text().nullable(),
      code: text(),
      day: timestamp(),
      when: text(),
    });
    await bench.write("wide1.csv", "1,7,,007,2020-01-01,31.12.2020\n2,8,12,008,2020-01-02T00:00:00,01.01.2021\n");
    const so = pipeline("wide")
      .from(bench.path("wide*.csv"), { header: false })
      .check(wide)
      .with(narrow())
      .to(`duckdb:${bench.path("wide.db")}`);
    const { rows } = await bench.run(so, "id");
    expect(rows).toEqual([
      { id: 1n, n: 7, a: null, code: "007", day: "2020-01-01", when: "2020-12-31" },
      { id: 2n, n: 8, a: 12, code: "008", day: "2020-01-02", when: "2021-01-01" },
    ]);
    await bench.write("wide2.csv", "3,9,13,009,2020-01-03,02.01.2021\n4,9,many,010,2020-01-03T10:00:00,02.01.2021\n");
    const { summary, events } = await bench.run(so, "id");
    expect(summary).toMatchObject({ read: 2, loaded: 1, rejected: 1 });
    const [reject] = events.flatMap((event) => (event.event === "rejects" ? event.rejects : []));
    expect(reject).toMatchObject({
      line: 2,
      reasons: [{ code: "step", column: "a", message: '"many" is no integer, which the column was narrowed to' }],
    });
  });
});

describe("dropping what is there twice", { timeout: 120_000 }, () => {
  it("keeps the first of all files of a run, wherever batches and lanes end", async () => {
    const rows = Array.from({ length: 60_000 }, (_, n) => `${n},${n % 20_000},1,${"x".repeat(40)},,\n`);
    await bench.write("twice1.csv", rows.join(""));
    await bench.write("twice2.csv", `60000,5,1,${"x".repeat(40)},,\n60001,20001,1,y,,\nbad\n60002,20001,1,y,,\n`);
    const so = pipeline("twice")
      .from(bench.path("twice*.csv"), { header: false, parallel: 2 })
      .check(people)
      .with(dedupe("age", "city"))
      .to(`duckdb:${bench.path("twice.db")}`);
    const { summary, rows: found } = await bench.run(so, "id");
    expect(summary).toMatchObject({ read: 60_004, loaded: 20_001, filtered: 40_002, rejected: 1, balanced: true });
    expect(found.map(({ id }) => id)).toEqual([...Array.from({ length: 20_000 }, (_, n) => n), 60_001]);
  });
});
