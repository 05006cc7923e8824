import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { type Page, readPage, readPages, root, withoutBlocks } from "./markdown.ts";

interface Link {
  readonly target: string;
  readonly line: number;
}

function linksOf(text: string): Link[] {
  return withoutBlocks(text)
    .split("\n")
    .flatMap((line, index) =>
      Array.from(line.replaceAll(/`[^`]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g), ([, target = ""]) => ({
        target,
        line: index + 1,
      })),
    );
}

/** Anchors as the usual viewers make them: lower case, punctuation dropped, blanks as hyphens, repeats numbered. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of withoutBlocks(text).matchAll(/^#{1,6} (.+)$/gm)) {
    const stem = heading
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-");
    let anchor = stem;
    for (let more = 1; anchors.has(anchor); more += 1) anchor = `${stem}-${more}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** What is wrong with a link; undefined when it leads somewhere. */
function faultOf(page: Page, target: string): string | undefined {
  if (/^(https?|mailto):/.test(target)) return undefined;
  const [file = "", anchor] = target.split("#");
  const path = file === "" ? page.path : normalize(join(dirname(page.path), file));
  if (relative(root, join(root, path)).startsWith("..")) return `${target} leads out of the repository`;
  if (!existsSync(join(root, path))) return `${target} is not there`;
  if (anchor === undefined) return undefined;
  if (!statSync(join(root, path)).isFile()) return `${target} is a folder and has no headings`;
  return anchorsOf(readPage(path).text).has(anchor) ? undefined : `${target} names no heading of ${path}`;
}

describe("links", () => {
  const pages = readPages();

  it("are found, and a broken one is told from a good one", () => {
    const page = {
      path: "docs/x.md",
      text: "# A `b`, c!\n[1](#a-b-c) [2](#nope) [3](errors.md#exit-codes) [4](nope.md)\n",
    };
    expect(linksOf(page.text).map(({ target }) => target)).toEqual([
      "#a-b-c",
      "#nope",
      "errors.md#exit-codes",
      "nope.md",
    ]);
    expect([...anchorsOf(page.text)]).toEqual(["a-b-c"]);
    expect(faultOf(page, "errors.md#exit-codes")).toBeUndefined();
    expect(faultOf(page, "errors.md#nope")).toContain("names no heading");
    expect(faultOf(page, "nope.md")).toContain("is not there");
  });

  it.each(pages.map((page) => [page.path, page] as const))("of %s lead somewhere", (_, page) => {
    const faults = linksOf(page.text).flatMap(({ target, line }) => {
      const fault = faultOf(page, target);
      return fault === undefined ? [] : [`${page.path}:${line}: ${fault}`];
    });
    expect(faults).toEqual([]);
  });

  it("reach every page of docs from the README", () => {
    const reached = new Set(["README.md"]);
    for (const path of reached) {
      if (!existsSync(join(root, path))) continue;
      if (statSync(join(root, path)).isDirectory())
        for (const name of readdirSync(join(root, path))) reached.add(join(path, name));
      if (!path.endsWith(".md")) continue;
      for (const { target } of linksOf(readPage(path).text)) {
        const [file = ""] = target.split("#");
        if (file !== "" && !/^\w+:/.test(file)) reached.add(normalize(join(dirname(path), file)));
      }
    }
    expect(pages.map(({ path }) => path).filter((path) => path.startsWith("docs/") && !reached.has(path))).toEqual([]);
  });
});
