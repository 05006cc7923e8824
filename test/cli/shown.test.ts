import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gridLines } from "../../src/cli/grid.ts";
import { withoutSecret } from "../../src/cli/invocation.ts";
import { markedRecord } from "../../src/cli/marked-record.ts";
import { safeCell, safeValueCell } from "../../src/formats/csv/safe-cell.ts";
import { jsonValue } from "../../src/core/json-value.ts";
import { clip, safeText, textWidth, valueText } from "../../src/cli/shown.ts";

// oxlint-disable-next-line no-control-regex -- none of them may be there
const control = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe("text for a terminal", () => {
  it("never holds a control character, whatever the data is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(safeText(text)).not.toMatch(control);
        expect(valueText({ [text]: [text] })).not.toMatch(control);
      }),
    );
    expect(safeText("a\n\u001b[2J\u202ebc")).toBe("a\\n\\u001b[2J\\u202ebc");
  });

  it("is never wider than asked for", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 40 }), (text, width) => {
        expect(textWidth(clip(text, width))).toBeLessThanOrEqual(width);
      }),
    );
    expect(clip("abcdef", 4)).toBe("abc…");
    expect(clip("abcd", 4)).toBe("abcd");
    expect(clip("日本語", 5)).toBe("日本…");
  });

  it("keeps a table within the terminal", () => {
    const cell = fc.string({ maxLength: 60 }).map(safeText);
    const rows = fc.array(fc.tuple(cell, cell, cell, cell), { maxLength: 5 });
    fc.assert(
      fc.property(rows, fc.integer({ min: 30, max: 120 }), (cells, columns) => {
        const names = ["one", "two", "three", "four"].map((name) => ({ name }));
        for (const line of gridLines(names, cells, columns)) expect(textWidth(line)).toBeLessThanOrEqual(columns);
      }),
    );
  });

  it("says how many columns found no room", () => {
    const columns = Array.from({ length: 30 }, (_, n) => ({ name: `column ${n}` }));
    const lines = gridLines(columns, [columns.map(({ name }) => name)], 80);
    expect(lines.at(-1)).toMatch(/^… and 20 more columns/);
  });
});

describe("values as JSON", () => {
  it("keeps whole numbers exactly", () => {
    expect([2n ** 53n - 1n, 2n ** 53n, -(2n ** 63n)].map(jsonValue)).toEqual([
      2 ** 53 - 1,
      "9007199254740992",
      "-9223372036854775808",
    ]);
    expect(jsonValue(Number.POSITIVE_INFINITY)).toBe("Infinity");
    expect(jsonValue({ a: [new Uint8Array([1, 2])] })).toEqual({ a: ["AQI="] });
  });
});

describe("cells of an export", () => {
  it.each([
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1", "'-1"],
    ["@a", "'@a"],
    ["\tx", "'\tx"],
    ['=a"b', '"\'=a""b"'],
    ["\r=1", '"\'\r=1"'],
    ["＝1", "'＝1"],
    ["a=1", "a=1"],
    ["", ""],
  ])("%j becomes %j", (text, cell) => {
    expect(safeCell(text)).toBe(cell);
  });

  it("are as they are where that is asked for, and of numbers always", () => {
    expect(safeCell("=a,b", { raw: true })).toBe('"=a,b"');
    expect([-1, -2n, "-1.10", "-1+1", null, "", true, ["=a"]].map((value) => safeValueCell(value))).toEqual([
      ...["-1", "-2", "-1.10", "'-1+1", "", '""', "true", '"[""=a""]"'],
    ]);
  });
});

describe("commands to copy", () => {
  it.each([
    ["postgres://me:hunter2@db/hr", "postgres://me:***@db/hr"],
    ["postgres://me@db/hr?sslmode=require", "postgres://me@db/hr?sslmode=require"],
    ["duckdb:hr.db?schema=a", "duckdb:hr.db?schema=a"],
    ["file:x?token=hunter2", "file:x"],
    ["postgres://me:hunter2@/:x", "…"],
    ["hired.csv", "hired.csv"],
  ])("%s is shown as %s", (given, shown) => {
    expect(withoutSecret(given)).toBe(shown);
  });
});

describe("the record of a reject", () => {
  const format = { format: "csv", delimiter: ",", quote: '"', columns: ["a", "b", "c"] };
  const marked = (text: string, ...columns: string[]) =>
    markedRecord({
      bytes: Buffer.from(text),
      truncated: false,
      format,
      reasons: columns.map((column) => ({ code: "type", column, message: "" })),
    });

  it.each([
    { text: "1,xx,3", columns: ["b"], marks: "  ^^" },
    { text: '"a,b",x,3\n', columns: ["a", "c"], marks: "^^^^^   ^" },
    { text: "1,,3", columns: ["b"], marks: "  ^" },
    { text: "1,2,", columns: ["c"], marks: "    ^" },
    { text: "日,x,3", columns: ["b"], marks: "   ^" },
    { text: "\u001b,x,3", columns: ["b"], marks: "       ^" },
  ])("$text is marked under $columns", ({ text, columns, marks }) => {
    expect(marked(text, ...columns).marks).toBe(marks);
    expect(marked(text, ...columns).text).not.toMatch(control);
  });
});
