import { describe, expect, it } from "vitest";
import { errorCodes } from "../../src/core/error.ts";
import { reasonCodes } from "../../src/core/reject.ts";
import { codesInTables, readPage, section, withoutBlocks } from "./markdown.ts";

const { text } = readPage("docs/errors.md");
const errors: Readonly<Record<string, { readonly exit: number }>> = errorCodes;

describe("docs/errors.md", () => {
  it("explains each error code once, and no other", () => {
    expect(codesInTables(section(text, "Codes")).toSorted()).toEqual(Object.keys(errorCodes).toSorted());
  });

  it("explains each reason code once, and no other", () => {
    expect(codesInTables(section(text, "Why a record was refused"))).toEqual([...reasonCodes]);
  });

  it("gives each code a cause and a remedy", () => {
    const rows = section(text, "Codes")
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    const thin = rows.filter((row) =>
      row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .some((cell) => cell.trim() === ""),
    );
    expect(rows).toHaveLength(Object.keys(errorCodes).length);
    expect(thin).toEqual([]);
  });

  it("says the exit code that the error has", () => {
    expect(exitsOf(text)).toEqual(Object.fromEntries(Object.entries(errors).map(([code, { exit }]) => [code, exit])));
  });

  it("explains every exit code", () => {
    const explained = section(text, "Exit codes").matchAll(/^\| (\d+) \|/gm);
    const used = new Set([0, ...Object.values(errors).map(({ exit }) => exit)]);
    expect(Array.from(explained, ([, exit]) => Number(exit))).toEqual([...used].toSorted((a, b) => a - b));
  });
});

/** The exit of a code stands in its row, or in the heading that it stands under: `### The call (exit 2)`. */
function exitsOf(page: string): Record<string, number> {
  const exits: Record<string, number> = {};
  let under: number | undefined;
  for (const line of withoutBlocks(section(page, "Codes")).split("\n")) {
    if (line.startsWith("#")) under = Number(/\(exit (\d+)\)/.exec(line)?.[1] ?? Number.NaN);
    const [, code, exit] = /^\| `([A-Z_]+)` \|(?: (\d+) \|)?/.exec(line) ?? [];
    if (code !== undefined) exits[code] = Number(exit ?? under);
  }
  return exits;
}
