import { describe, expect, test } from "vitest";
import { definitionOf, pipeline, type SinkOptions, type SourceOptions } from "../../src/core/pipeline.ts";
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

test("options that are left undefined are absent", () => {
  expect(() => start({ parallel: undefined, header: false }).to("duckdb:x", { lineage: true })).not.toThrow();
});

test("a definition changes with the columns that a function declares", () => {
  const shout = (row: object): never => ({ ...row }) as never;
  const narrow = start().map({ note: text() }, shout).to("duckdb:x");
  const wide = start().map({ note: text().nullable() }, shout).to("duckdb:x");
  expect(definitionOf(narrow)).not.toEqual(definitionOf(wide));
});
