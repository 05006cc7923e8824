import { describe, expect, it } from "vitest";
import { cellsOf, csvField } from "../../../apps/rows/entry.ts";
import { objectPairs } from "../../../apps/rows/object-pairs.ts";
import { type Cell, Evidence, widest } from "../../../apps/rows/typing.ts";

function kindOf(...values: readonly Cell[]): string {
  const evidence = new Evidence();
  for (const value of values) evidence.see(value);
  return evidence.kind;
}

describe("the type of a column", () => {
  it.each([
    [["1", 2, null, "-3"], "integer"],
    [[1, 2 ** 31], "bigint"],
    [["9223372036854775807", 1], "bigint"],
    [["9223372036854775808", 1], "text"],
    [["1", "007"], "text"],
    [[1, 2.5, "0.25"], "double"],
    [["1.10"], "text"],
    [["+1"], "text"],
    [[true, "false", null], "boolean"],
    [[true, 1], "text"],
    [["7f0c1c9e-27f1-4d4b-9a0e-0f7c35fbb111", "7F0C1C9E-27F1-4D4B-9A0E-0F7C35FBB112"], "uuid"],
    [["2020-05-03T15:34:29.504", "2020-05-03 15:34"], "timestamp"],
    [["2020-05-03T15:34:29.504", "2020-02-30T00:00"], "text"],
    [["2020-05-03"], "text"],
    [['{"a":1}', [1], { b: 2 }], "json"],
    [['{"a":1}', "{'a':1}"], "text"],
    [[null, null], "text"],
    [["", "1"], "text"],
  ] as const)("of %j is %s", (values, kind) => {
    expect(kindOf(...(values as readonly Cell[]))).toBe(kind);
  });

  it("is found by all values, not the first", () => {
    const values: Cell[] = Array.from({ length: 5_000 }, (_, row) => row);
    expect([kindOf(...values), kindOf(...values, "x")]).toEqual(["integer", "text"]);
  });

  it("widens numbers to numbers and all else to text", () => {
    expect([widest("integer", "double"), widest("bigint", "integer"), widest("uuid", "integer")]).toEqual([
      "double",
      "bigint",
      "text",
    ]);
  });
});

describe("the values of an entry", () => {
  it("keep every digit, quote and line", () => {
    const cells = cellsOf(
      { key: "k", value: '[12345678901234567890, 0.1234567890123456789, "a\\"b\\n,", null, true]' },
      "t",
    );
    expect(cells.map(csvField)).toEqual(['"12345678901234567890"', '"0.12345678901234568"', '"a""b\n,"', "", '"true"']);
  });

  it("are refused when they are no list", () => {
    for (const value of ["x", '{"a":1}', ""]) expect(() => cellsOf({ key: "k", value }, "t")).toThrow(/JSON list/);
  });
});

describe("an object that arrives bit by bit", () => {
  const text = ' {"a":["x,}\\"",{"b":[1]}] , "k\\\\\\"}": [ ] ,"é":[null]}\n';
  const wanted = [
    ["a", '["x,}\\"",{"b":[1]}]'],
    ['k\\"}', "[ ]"],
    ["é", "[null]"],
  ];

  async function read(bytes: Uint8Array, size: number, max = 1_000): Promise<string[][]> {
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    const found: string[][] = [];
    for await (const piece of objectPairs(pieces(), "it", max))
      found.push(...piece.map(({ key, value }) => [key, value]));
    return found;
  }

  it("is the same wherever it is cut", async () => {
    const bytes = Buffer.from(text);
    for (let size = 1; size <= bytes.length; size += 1) expect(await read(bytes, size)).toEqual(wanted);
    expect(await read(Buffer.from("{}"), 1)).toEqual([]);
    expect(await read(Buffer.from(" { } "), 1)).toEqual([]);
  });

  it("is refused when it is cut off, too large or something else", async () => {
    for (let end = 0; end < text.trimEnd().length; end += 1) {
      await expect(read(Buffer.from(text.slice(0, end)), 3)).rejects.toThrow(/early/);
    }
    for (const other of ["[1]", "null", '{"a":[1]}x', '{"a":[1],,}', "{a:[1]}"]) {
      await expect(read(Buffer.from(other), 2)).rejects.toThrow(/JSON object/);
    }
    await expect(read(Buffer.from(`{"a":["${"x".repeat(2_000)}"]}`), 100)).rejects.toThrow(/too large/);
    await expect(read(Buffer.from([0x7b, 0x22, 0xff]), 1)).rejects.toThrow(/UTF-8/);
  });
});
