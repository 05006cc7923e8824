import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "..", "..");

export interface Page {
  /** Relative to the repository. */
  readonly path: string;
  readonly text: string;
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(join(root, path), "utf8") };
}

/** Every page that people read: those in the root and all in docs. */
export function readPages(): Page[] {
  const inRoot = readdirSync(root).filter((name) => name.endsWith(".md"));
  const inDocs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name));
  return [...inRoot, ...inDocs].toSorted().map(readPage);
}

export interface Block {
  /** What stands behind the fence, such as `ts` or `sh run`. */
  readonly words: readonly string[];
  readonly text: string;
  /** 1-based line of the fence. */
  readonly line: number;
}

const fence = /^(?<indent> *)(?<marks>```+)(?<info>[^`]*)$/;

/** The fenced blocks of a page, in order. */
export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let open: { marks: string; words: string[]; line: number; lines: string[] } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const { marks = "", info = "" } = fence.exec(line)?.groups ?? {};
    if (open === undefined) {
      if (marks !== "")
        open = { marks, words: info.split(/\s+/).filter((word) => word !== ""), line: index + 1, lines: [] };
    } else if (marks === open.marks && info.trim() === "") {
      blocks.push({ words: open.words, line: open.line, text: open.lines.map((each) => `${each}\n`).join("") });
      open = undefined;
    } else {
      open.lines.push(line);
    }
  }
  return blocks;
}

/** The page without what stands in fences: there a `#` is no heading and a bracket no link. */
export function withoutBlocks(text: string): string {
  let marks: string | undefined;
  return text
    .split("\n")
    .map((line) => {
      const found = fence.exec(line)?.groups;
      if (found !== undefined && (marks === undefined || found["marks"] === marks)) {
        marks = marks === undefined ? found["marks"] : undefined;
        return "";
      }
      return marks === undefined ? line : "";
    })
    .join("\n");
}

/** Cells of the first column of every table, without back quotes, where they are code: `` `USAGE` `` → `USAGE`. */
export function codesInTables(text: string): string[] {
  return withoutBlocks(text)
    .split("\n")
    .flatMap((line) => {
      const code = /^\|\s*`([^`]+)`\s*\|/.exec(line)?.[1];
      return code === undefined ? [] : [code];
    });
}

/** The part of a page under a heading, up to the next of the same or a higher rank. */
export function section(text: string, heading: string): string {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  if (start < 0) throw new Error(`There is no heading "${heading}"`);
  const rank = /^#+/.exec(lines[start] ?? "")?.[0].length ?? 1;
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => (/^(#+) /.exec(line)?.[1]?.length ?? 99) <= rank);
  return rest.slice(0, end < 0 ? undefined : end).join("\n");
}
