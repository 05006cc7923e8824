// Commands and options that the pages name are there, and docs/cli.md names them all.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blocksOf, readPage, readPages, withoutBlocks } from "./markdown.ts";
import { closeStage, openStage, runShell } from "./play.ts";

const commands = [
  "load",
  "start",
  "reload",
  "fleet",
  "run",
  "check",
  "preview",
  "profile",
  "query",
  "rejects",
  "why",
  "user",
  "doctor",
  "init",
];
const nested = [
  ...["list", "show", "replay", "export"].map((name) => `rejects ${name}`),
  ...["add", "list", "remove"].map((name) => `user ${name}`),
];

interface Mention {
  readonly where: string;
  readonly command: string;
  readonly options: readonly string[];
}

/** `millrace load x --to y` in code of a page, in spans and blocks. */
function mentions(path: string, text: string): Mention[] {
  const spans = Array.from(withoutBlocks(text).matchAll(/`([^`\n]+)`/g), ([, span = ""]) => span);
  const blocks = blocksOf(text).filter(({ words }) => words[0] === "sh" || words[0] === "text" || words.length === 0);
  const lines = [...spans, ...blocks.flatMap((block) => block.text.split("\n"))];
  return lines.flatMap((line) => {
    const [, command, rest = ""] =
      /(?:^|[\s(])(?:npx |run -s )?millrace (?:-- )?([a-z]+(?: (?:list|show|replay|export|add|remove))?)\b(.*)/.exec(
        line,
      ) ?? [];
    if (command === undefined || !commands.includes(command.split(" ")[0] ?? "")) return [];
    const options = Array.from(
      (rest.split(/ \| | > | \|\| /)[0] ?? "").matchAll(/(?<= )--[a-z][a-z-]*/g),
      ([option]) => option,
    );
    return [{ where: `${path}: ${line.trim()}`, command, options }];
  });
}

let stage: string;
/** Options by command, as its help lists them. */
const options = new Map<string, Set<string>>();

beforeAll(async () => {
  stage = await openStage();
  const all = [...commands, ...nested];
  const helps = await Promise.all(all.map((command) => runShell(`millrace ${command} --help`, stage)));
  for (const [index, { exit, output }] of helps.entries()) {
    if (exit !== 0) throw new Error(`millrace ${all[index] ?? ""} --help failed\n${output}`);
    const [, list = ""] = /^Options:\n((?: {2}.*\n)+)/m.exec(output) ?? [];
    const found = Array.from(list.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm), ([, option = ""]) => option);
    options.set(all[index] ?? "", new Set(found));
  }
}, 120_000);

afterAll(() => closeStage(stage));

describe("the pages", () => {
  it("name commands with the options that they have", () => {
    const found = readPages().flatMap(({ path, text }) => mentions(path, text));
    const wrong = found.flatMap(({ where, command, options: named }) =>
      named.filter((option) => options.get(command)?.has(option) !== true).map((option) => `${option} in ${where}`),
    );
    expect(found.length).toBeGreaterThan(20);
    expect(wrong).toEqual([]);
  });

  it("name every command that the help lists, and no other", async () => {
    const { output } = await runShell("millrace --help", stage);
    const [, list = ""] = /^Commands:\n((?:  .*\n)+)/m.exec(output) ?? [];
    expect(Array.from(list.matchAll(/^  (\w+)/gm), ([, name]) => name)).toEqual(commands);
    const headings = Array.from(readPage("docs/cli.md").text.matchAll(/^## (.+)$/gm), ([, name]) => name);
    expect(headings.slice(1)).toEqual(commands);
  });

  it("name every option in docs/cli.md", () => {
    const { text } = readPage("docs/cli.md");
    const named = new Set(Array.from(text.matchAll(/--[a-z][a-z-]*/g), ([option]) => option));
    const missing = [...options].flatMap(([command, list]) =>
      [...list].filter((option) => !named.has(option)).map((option) => `${command} ${option}`),
    );
    expect(missing).toEqual([]);
  });
});
