import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineCount } from "../../src/formats/line-count.ts";

function linesOf(bytes: Uint8Array, cuts: readonly number[]): number {
  const count = new LineCount();
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  for (const [index, start] of places.slice(0, -1).entries()) count.look(bytes.subarray(start, places[index + 1]));
  return count.lines;
}

describe("the count of lines", () => {
  it.each([
    ["", 0],
    ["\n", 0],
    ["\r\n\r\n", 0],
    ["a", 1],
    ["a\n", 1],
    ["a\nb", 2],
    ["a\r\nb\r\n", 2],
    ["a\n\n\nb\n", 2],
    ["\uFEFF", 0],
    ["\uFEFFa\nb", 2],
    ["\uFEFF\na", 1],
    [" \n", 1],
  ])("of %j is %i", (text, lines) => {
    expect(linesOf(Buffer.from(text), [])).toBe(lines);
  });

  it("does not depend on how the bytes come", () => {
    const piece = fc.constantFrom("a", "\n", "\r", "\r\n", "\uFEFF", ",", "é", "\n\n");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat(80), { maxLength: 6 }), (pieces, cuts) => {
        const text = pieces.join("");
        const lines = text.replace(/^\uFEFF/, "").split("\n");
        expect(linesOf(Buffer.from(text), cuts)).toBe(lines.filter((line) => line.replaceAll("\r", "") !== "").length);
      }),
    );
  });
});
