import { describe, expect, test } from "vitest";
import { definitionOf, pipeline, type SinkOptions, type SourceOptions } from "../../src/core/pipeline.ts";
import { stageAfter, stageBefore, stageNames } from "../../src/core/stage.ts";
import { integer, table, text } from "../../src/core/table.ts";

const people = table("people", { id: integer().key(), name: text() });
const start = (source: unknown = {}) =>
  pipeline("p")
    .from("a.csv", source as SourceOptions)
    .check(people);
const refusal = (message: RegExp): unknown =>
  expect.objectContaining({ code: "PIPELINE_INVALID", message: expect.stringMatching(message), name: "MillraceError" });

describe("a module whose types nobody checked", () => {
  test.each([
    [{ paralel: 2 }, /no option "paralel"/],
    [{ parallel: 0 }, /"parallel" is not a whole number from 1/],
    [{ parallel: "4" }, /"parallel" is not/],
    [{ parallel: 65 }, /from 1 to 64/],
    // Anything but keep and delete would otherwise move the file away.
    [{ settle: "none" }, /"settle" is not one of keep, delete, archive/],
    [{ atomic: "yes" }, /"atomic" is not true or false/],
    [{ delimiter: "||" }, /"delimiter" is not one character/],
  ])("cannot start with the source options %j", (source, message) => {
    expect(() => start(source)).toThrow(refusal(message));
  });

  test.each([
    [{ mode: "upsert" }, /"mode" is not one of append, merge, replace/],
    [{ garantee: "exactly-once" }, /no option "garantee"/],
    [{ guarantee: "exactly once" }, /"guarantee" is not one of exactly-once/],
  ])("cannot start with the sink options %j", (sink, message) => {
    expect(() => start().to("duckdb:x", sink as SinkOptions)).toThrow(refusal(message));
  });

  test("cannot lose a value out of its SQL, nor map without a function", () => {
    const { sql } = start() as unknown as { sql: (strings: TemplateStringsArray, ...values: unknown[]) => unknown };
    expect(() => sql`select * from batch where id > ${3}`).toThrow(refusal(/holds \$\{…\}/));
    expect(() => start().map("name" as never)).toThrow(refusal(/no function/));
  });
});

describe("a pipeline that is cut", () => {
  const shout = (row: object): never => ({ ...row }) as never;

  test("keeps its steps in one list, and where it is cut, and goes on with the same rows", () => {
    const cut = start()
      .map(shout)
      .via("log:./a", { lingerMs: 5, state: "duckdb:s" })
      .map((row) => ({ ...row, name: row.name.trim() }))
      .map(shout)
      .via("kafka://host/b")
      .to("duckdb:x");
    expect(cut.steps).toHaveLength(3);
    expect(cut.via).toEqual([
      { url: "log:./a", steps: 1, options: { lingerMs: 5, state: "duckdb:s" } },
      { url: "kafka://host/b", steps: 3, options: {} },
    ]);
    expect(stageNames(cut)).toEqual(["p:1", "p:2", "p:3"]);
    expect([stageBefore("p:2"), stageBefore("p:1"), stageBefore("p")]).toEqual(["p:1", undefined, undefined]);
    expect([stageAfter("a:b:2"), stageAfter("p")]).toEqual(["a:b:3", undefined]);
  });

  test("is one stage without a cut", () => {
    expect(stageNames(start().to("duckdb:x"))).toEqual(["p"]);
  });

  test("cannot read what it writes, replace, or take options that it has not", () => {
    expect(() => start().via("log:a").via("log:a")).toThrow(refusal(/the same log/));
    expect(() => start().via("log:a").to("log:a")).toThrow(refusal(/the same log/));
    expect(() => start().via("log:a").to("duckdb:x", { mode: "replace" })).toThrow(refusal(/replaces/));
    expect(() => start().via("log:a", { format: "csv" } as never)).toThrow(refusal(/no option "format"/));
  });
});

test("options that are left undefined are absent", () => {
  expect(() => start({ parallel: undefined, header: false }).to("duckdb:x", { lineage: true })).not.toThrow();
});

test("a definition changes with the columns that a function declares", () => {
  const shout = (row: object): never => ({ ...row }) as never;
  const narrow = start().map({ note: text() }, shout).to("duckdb:x");
  const wide = start().map({ note: text().nullable() }, shout).to("duckdb:x");
  expect(definitionOf(narrow)).not.toEqual(definitionOf(wide));
});
