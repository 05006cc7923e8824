import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limit } from "../../src/core/limit.ts";
import type { EngineRow } from "../../src/ports/engine.ts";
import { readInsights } from "../../src/runtime/insight-files.ts";
import { compareTexts } from "../../src/runtime/insight-order.ts";
import { InsightParameterError, InsightUnknownError } from "../../src/runtime/insights.ts";
import { insightOf, PlainScene, recordsOf } from "./insight-scene.ts";

const asking = insightOf(`-- About.
-- parameter year integer = 2021
-- parameter who text
-- parameter since date = null
-- column a integer
-- table t
select a from t where year = :year and who = :who and (:since is null or :since < day)`);

describe("the question", () => {
  const wrong: readonly (readonly [string, Record<string, string>, number, string, RegExp])[] = [
    ["a value of another type", { year: "MMXXI", who: "x" }, 1, "year", /^must be a whole number/],
    ["a value with more than a value", { year: "2021 or 1=1", who: "x" }, 1, "year", /^must be a whole number/],
    ["a day that there is not", { who: "x", since: "2021-02-30" }, 1, "since", /^must be a day/],
    ["an empty value", { year: "", who: "x" }, 1, "year", /^must be/],
    ["text that is too long", { who: "x".repeat(limit.insightValueChars + 1) }, 1, "who", /^must be text of at most/],
    ["a parameter left out", { year: "2021" }, 1, "who", /^is required/],
    ["a parameter that there is not", { who: "x", month: "1" }, 1, "month", /^is not known to ONE, whose parameters/],
    ["a name of every object", { who: "x", constructor: "1" }, 1, "constructor", /^is not known/],
    ["a limit below zero", { who: "x" }, -1, "limit", /^must be a whole number from 0/],
    ["a limit that is no whole number", { who: "x" }, 1.5, "limit", /^must be/],
    ["a limit that is no number", { who: "x" }, Number.NaN, "limit", /^must be/],
    ["a limit beyond all", { who: "x" }, limit.insightRows + 1, "limit", /^must be/],
  ];
  test.each(wrong)("%s is told with its field", async (_, given, rowsMax, field, message) => {
    const { insights, plain } = new PlainScene(asking);
    const error: unknown = await insights.answer("ONE", given, rowsMax).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InsightParameterError);
    expect(error).toMatchObject({ field, message: expect.stringMatching(message) as unknown });
    expect(() => insights.cached("ONE", given, rowsMax)).toThrow(InsightParameterError);
    expect(plain).toMatchObject({ looks: 0, queries: 0 });
  });

  test("of an insight that there is not is told with the nearest name", async () => {
    const { insights } = new PlainScene(asking);
    await expect(insights.answer("ONES", {}, 1)).rejects.toThrow(InsightUnknownError);
    expect(() => insights.cached("constructor", {}, 1)).toThrow(InsightUnknownError);
    await expect(insights.answer("ONES", {}, 1)).rejects.toThrow("did you mean ONE?");
  });

  test("goes to the sink as values beside the SQL", async () => {
    const { insights, plain } = new PlainScene(asking);
    await insights.answer("ONE", { who: "'; drop table t; --", year: "+02022" }, 7);
    expect(plain.lastParameters).toEqual(["2022", "'; drop table t; --", null]);
    expect(plain.lastSql).toBe(`${asking.sql}\nlimit 7`);
    expect(plain.lastSql).not.toContain("drop");
  });

  test("is the same however its values are written", async () => {
    const { insights, plain } = new PlainScene(asking);
    const answer = await insights.answer("ONE", { who: "x" }, 7);
    expect(insights.cached("ONE", { who: "x", year: "02021" }, 7)).toBe(answer);
    expect(insights.cached("ONE", { who: "x" }, 8)).toBeUndefined();
    expect(plain.queries).toBe(1);
  });

  test("of other values never gets an answer that was kept for these", async () => {
    const two = insightOf(
      "-- About.\n-- parameter a text = null\n-- parameter b text = null\n-- column x json\n-- table t\nselect :a || :b as x",
    );
    const text = fc.string({ unit: fc.constantFrom("a", "-", " ", "1", ":", "2"), maxLength: 6 });
    const given = fc.dictionary(fc.constantFrom("a", "b"), text);
    const question = fc.record({ given, rowsMax: fc.nat({ max: 12 }) });
    const alike = (...all: readonly Record<string, string>[]) => [all.map((one) => ({ given: one, rowsMax: 1 }))];
    await fc.assert(
      fc.asyncProperty(fc.array(question, { minLength: 2, maxLength: 20 }), async (questions) => {
        const { insights, plain } = new PlainScene(two);
        for (const { given: values, rowsMax } of questions) {
          plain.rows = [{ x: [values["a"] ?? null, values["b"] ?? null, rowsMax] }];
          const answer = await insights.answer("ONE", values, rowsMax);
          expect(recordsOf(answer)).toEqual(rowsMax === 0 ? [] : plain.rows);
        }
      }),
      {
        examples: [
          alike({ a: "x :y" }, { a: "x", b: "y -" }),
          alike({ a: "", b: "3:a b" }, { a: " 3:a", b: "b" }),
          alike({ a: "x" }, { b: "x" }),
        ] as [{ given: Record<string, string>; rowsMax: number }[]][],
      },
    );
  });
});

const typed = insightOf(`-- About.
-- column i integer
-- column b bigint
-- column d double
-- column n decimal(38, 2)
-- column t text
-- column at timestamp
-- column day date
-- column yes boolean
-- column j json
-- table t
select * from t`);

async function answerOf(rows: readonly EngineRow[], insight = typed, rowsMax = 100) {
  const scene = new PlainScene(insight);
  scene.plain.rows = rows;
  return { records: recordsOf(await scene.insights.answer("ONE", {}, rowsMax)), plain: scene.plain };
}

const plainRow: EngineRow = {
  ...{ i: 1, b: 216n, d: 1.5, n: "1.50", t: "é", at: "2021-11-07T02:48:42", day: "2021-11-07", yes: true },
  j: { a: [1n, null] },
};

describe("the answer", () => {
  test("has the declared columns in their order, as JSON has such values", async () => {
    const { records } = await answerOf([plainRow]);
    expect(records).toEqual([{ ...plainRow, b: 216, j: { a: [1, null] } }]);
    expect(Object.keys(records[0] ?? {})).toEqual(typed.columns.map(({ name }) => name));
  });

  test("takes numbers as each place gives them", async () => {
    const { records } = await answerOf([
      { ...plainRow, i: 2n, b: "216", d: "12.50", n: 3n },
      { ...plainRow, i: "3", b: "216.000", d: 2n, n: 3 },
      { ...plainRow, b: 2n ** 53n, d: Number.POSITIVE_INFINITY },
      { ...plainRow, b: null, t: null, j: null },
    ]);
    expect(records).toMatchObject([
      { i: 2, b: 216, d: 12.5, n: "3" },
      { i: 3, b: 216, d: 2, n: "3" },
      { b: "9007199254740992", d: "Infinity" },
      { b: null, t: null, j: null },
    ]);
  });

  test.each([
    ["b", "many"],
    ["i", 1.5],
    ["i", true],
    ["d", "x"],
    ["n", false],
    ["t", 1],
    ["t", new Uint8Array(1)],
    ["at", "2021-11-07"],
    ["day", "2021-11-07T02:48:42"],
    ["yes", 1],
  ])("with %s that is %j is a mistake of the insight", async (column, value) => {
    const failing = answerOf([{ ...plainRow, [column]: value }]);
    await expect(failing).rejects.toMatchObject({ code: "INSIGHT_INVALID", at: { source: "ONE.sql" } });
    await expect(failing).rejects.toThrow(`its column ${column} is declared`);
  });

  test("with other columns than declared is a mistake of the insight", async () => {
    const { i: _, ...lacking } = plainRow;
    for (const row of [lacking, { ...plainRow, more: 1 }, { ...lacking, I: 1 }]) {
      await expect(answerOf([row])).rejects.toMatchObject({ code: "INSIGHT_INVALID" });
    }
  });

  test("has no more rows than asked for, where the query is limited itself", async () => {
    const limited = insightOf("-- About.\n-- column a integer\n-- table t\nselect a from t order by a limit 10");
    const rows = Array.from({ length: 10 }, (_, a) => ({ a }));
    const { records, plain } = await answerOf(rows, limited, 3);
    expect(records).toEqual(rows.slice(0, 3));
    expect(plain.lastSql).toBe(limited.sql);
    expect(plain.pieces).toBeLessThan(4);
  });

  test("of no rows asks for none", async () => {
    const { records, plain } = await answerOf([plainRow], typed, 0);
    expect({ records, queries: plain.queries }).toEqual({ records: [], queries: 0 });
  });

  test("that would be too large asks for fewer rows", async () => {
    const large = { ...plainRow, t: "x".repeat(2 ** 20) };
    const { records } = await answerOf(Array.from({ length: 15 }, () => large));
    expect(records).toHaveLength(15);
    await expect(answerOf(Array.from({ length: 17 }, () => large))).rejects.toMatchObject({ field: "limit" });
  });
});

const sorted = insightOf(`-- About.
-- column t text
-- column n bigint
-- table t
-- order by t, n desc
select t, n from t`);

describe("rows that are sorted here", () => {
  test("are sorted by code points, then by the next column, nulls last", async () => {
    const rows = [
      ...[
        { t: "é", n: 1n },
        { t: null, n: 1n },
        { t: "a", n: 2n ** 60n },
        { t: "a", n: null },
        { t: "a", n: 2n ** 60n + 1n },
      ],
      ...[
        { t: "B", n: 1n },
        { t: "\u{1f600}", n: 1n },
        { t: "\uffee", n: 1n },
        { t: "ab", n: 1n },
        { t: "", n: 1n },
      ],
    ];
    const { records, plain } = await answerOf(rows, sorted);
    expect(records.map(({ t }) => t)).toEqual(["", "B", "a", "a", "a", "ab", "é", "\uffee", "\u{1f600}", null]);
    expect(records.slice(2, 5).map(({ n }) => n)).toEqual([String(2n ** 60n + 1n), String(2n ** 60n), null]);
    expect(plain.lastSql).toMatch(new RegExp(`\\nlimit ${limit.insightSortedRows + 1}$`));
    expect((await answerOf(rows, sorted, 2)).records.map(({ t }) => t)).toEqual(["", "B"]);
  });

  test("are in the order of their bytes", () => {
    const text = fc.string({ unit: "grapheme" });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareTexts(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  test("are bounded", async () => {
    const rows = Array.from({ length: limit.insightSortedRows + 1 }, (_, n) => ({ t: "x", n }));
    await expect(answerOf(rows, sorted, 1)).rejects.toMatchObject({ code: "INSIGHT_INVALID" });
    expect((await answerOf(rows.slice(1), sorted, 1)).records).toHaveLength(1);
  });
});

describe("the folder of insights", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-insights-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const sql = "-- About.\n-- column a integer\nselect 1 as a";
  const write = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content);

  test("holds one in each file, by name, and may hold other files", async () => {
    for (const name of ["B.sql", "a.sql", "C.SQL", ".hidden.sql", "README.md"]) await write(name, sql);
    await mkdir(join(folder, "old.sql"));
    const insights = await readInsights(folder);
    expect(insights.map(({ name }) => name)).toEqual(["B", "C", "a"]);
    expect(insights[0]?.file).toBe(join(folder, "B.sql"));
  });

  test("that is not there is told", async () => {
    await expect(readInsights(join(folder, "none"))).rejects.toMatchObject({ code: "FILE_MISSING" });
  });

  test.each<[string, string, string | Uint8Array, RegExp]>([
    ["too large", "a.sql", sql + " ".repeat(limit.insightFileBytes), /too large/],
    ["not UTF-8", "a.sql", Buffer.from([0x2d, 0x2d, 0xff]), /not UTF-8/],
    ["empty", "a.sql", "", /no SQL/],
    ["named like none", "a b.sql", sql, /cannot be its name/],
    ["named like another but for case", "B.SQL", sql, /its name but for case/],
  ])("is refused with a file that is %s", async (_, name, content, message) => {
    await write("b.sql", sql);
    await write(name, content);
    await expect(readInsights(folder)).rejects.toMatchObject({
      code: "INSIGHT_INVALID",
      message: expect.stringMatching(message) as unknown,
      at: { source: expect.stringContaining(".sql") as unknown },
    });
  });
});
