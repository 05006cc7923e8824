// What the pages show is what happens: files are written, commands run, their output compared, TypeScript checked.
//
// After a change of what commands print, UPDATE_PAGES=1 writes it into the pages: look at the difference then.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contractFromJson, contractToJson } from "../../src/core/contract-json.ts";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import { type Block, blocksOf, type Page, readPage, readPages, root } from "./markdown.ts";
import {
  closeStage,
  isShown,
  needsPostgres,
  normalise,
  openStage,
  play,
  runShell,
  serve,
  type Served,
  shownPort,
  type Step,
  stepsOf,
} from "./play.ts";

const pages = readPages();
const shownUrl = "postgres://localhost/hr";

/** Plays some steps of a page in a folder of their own, and compares what they print with what the page says. */
async function playSteps(
  page: Page,
  steps: readonly Step[],
  replaced: Readonly<Record<string, string>>,
): Promise<void> {
  const folder = await openStage();
  const services: Served[] = [];
  try {
    for (const step of steps) {
      if (step.kind === "service") {
        services.push(await serve(step.block, folder));
        continue;
      }
      const ports = Object.fromEntries(services.map(({ port }) => [shownPort, port]));
      const { exit, output } = await play(step, folder, { ...replaced, ...ports });
      const where = `${page.path}:${step.block.line}`;
      if (step.kind === "file") continue;
      expect(exit, `${where} ends with an exit code that the page does not say, and prints\n${output}`).toBe(step.exit);
      if (step.shown === undefined) continue;
      const [printed, shown] = [normalise(output, folder), normalise(step.shown.text, folder)];
      if (isShown(printed, shown)) continue;
      if (process.env["UPDATE_PAGES"] === "1" && pages.includes(page))
        updatePage(page, step.shown, output.replaceAll(`${folder}/`, ""));
      else expect(printed, `${where} prints what the page does not show`).toBe(shown);
    }
  } finally {
    for (const service of services) await service.stop();
    await closeStage(folder);
  }
}

function updatePage(page: Page, shown: Block, output: string): void {
  const { text } = readPage(page.path);
  const block = (content: string): string => `\`\`\`${shown.words.join(" ")}\n${content}\`\`\`\n`;
  writeFileSync(
    join(root, page.path),
    text.replace(block(shown.text), () => block(`${output.trimEnd()}\n`)),
  );
}

const played = pages.map((page) => [page.path, page, stepsOf(page)] as const).filter(([, , steps]) => steps.length > 0);

describe("commands do and print what is shown", () => {
  it.each(played)(
    "in %s",
    async (_, page, steps) => {
      await playSteps(
        page,
        steps.filter((step) => !needsPostgres(step)),
        {},
      );
    },
    300_000,
  );

  it("and a page that shows something else is noticed", async () => {
    const page = { path: "x.md", text: "```csv a.csv\na\n1\n```\n```sh run\ncat a.csv\n```\n```text\na\n2\n```\n" };
    await expect(playSteps(page, stepsOf(page), {})).rejects.toThrow("prints what the page does not show");
    const fails = { path: "x.md", text: "```sh run\nexit 3\n```\n" };
    await expect(playSteps(fails, stepsOf(fails), {})).rejects.toThrow("exit code");
  });
});

const withPostgres = played.filter(([, , steps]) => steps.some(needsPostgres));

describeWith("postgres", "commands with PostgreSQL do and print what is shown", () => {
  it.each(withPostgres)(
    "in %s",
    async (_, page, steps) => {
      const server = await startPostgres();
      try {
        const chosen = steps.filter((step) => step.kind === "file" || needsPostgres(step));
        await playSteps(page, chosen, { [shownUrl]: server.url });
      } finally {
        await server.stop();
      }
    },
    300_000,
  );
});

interface Module {
  readonly page: Page;
  readonly block: Block;
  /** Relative to the stage. */
  readonly path: string;
}

/** Every TypeScript block, in a folder for each page, under its own name or that of its line. */
const modules: readonly Module[] = pages.flatMap((page) => {
  const folder = page.path.replaceAll(/[^\w]+/g, "-");
  return blocksOf(page.text)
    .filter(({ words }) => words[0] === "ts")
    .map((block) => ({ page, block, path: join(folder, block.words[1] ?? `line-${block.line}.ts`) }));
});

describe("TypeScript", () => {
  let stage: string;

  beforeAll(async () => {
    stage = await openStage();
    for (const { path, block } of modules) {
      await mkdir(dirname(join(stage, path)), { recursive: true });
      await writeFile(join(stage, path), block.text);
    }
  });

  afterAll(() => closeStage(stage));

  const compile = async (files: readonly string[]): Promise<string> => {
    const { compilerOptions } = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8")) as {
      compilerOptions: Record<string, unknown>;
    };
    const options = {
      ...compilerOptions,
      paths: { millrace: [join(root, "src", "index.ts")], "millrace/*": [join(root, "src", "*", "index.ts")] },
      typeRoots: [join(root, "node_modules", "@types")],
    };
    await writeFile(join(stage, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files }));
    const { output } = await runShell(`"${join(root, "node_modules", ".bin", "tsc")}" -p .`, stage);
    // Errors in the sources themselves are told by the check of their types.
    return output
      .split("\n")
      .filter((line) => !line.includes(join("src", "")))
      .join("\n");
  };

  it("has the types that the package has", async () => {
    expect(await compile(modules.map(({ path }) => path))).toBe("");
  }, 60_000);

  it("is told when it has not", async () => {
    await writeFile(join(stage, "wrong.ts"), 'import { table } from "millrace";\ntable(7);\n');
    expect(await compile(["wrong.ts"])).toContain("wrong.ts(2");
  }, 60_000);

  /** Does something by itself, so that it belongs where its page runs it. */
  const isProgram = ({ block }: Module): boolean => /^(?! ).*\bawait\b/m.test(block.text);

  it("runs where it does something when imported", () => {
    const lost = modules.filter(isProgram).filter(({ page, block }) => {
      const runs = stepsOf(page).filter((step) => step.kind === "run");
      return !runs.some((step) => step.block.text.includes(block.words[1] ?? "no name"));
    });
    expect(lost.map(({ path }) => path)).toEqual([]);
  });

  it("can be imported, each block of it", async () => {
    const definitions = modules.filter((module) => !isProgram(module));
    const lines = definitions.map(({ path }) => `await import(${JSON.stringify(`./${path}`)});`);
    await writeFile(join(stage, "all.ts"), lines.join("\n"));
    expect(await runShell("node all.ts", stage)).toEqual({ exit: 0, output: "" });
  }, 60_000);
});

describe("contracts in JSON", () => {
  const contracts = pages.flatMap((page) =>
    blocksOf(page.text)
      .filter(({ words, text }) => words[0] === "json" && /"columns":\s*\{/.test(text))
      .map((block) => [`${page.path}:${block.line}`, JSON.parse(block.text) as unknown] as const),
  );

  it.each(contracts)("at %s are contracts", (where, value) => {
    expect(contractToJson(contractFromJson(value, where))).toEqual(value);
  });
});

describe("commands for a clone", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const texts = pages.flatMap((page) => blocksOf(page.text).map(({ text }) => text)).join("\n");
  const called = texts.matchAll(/\bnpm (?:-s )?(?:run (?:-s )?)?(test|start|(?<=run (?:-s )?)[\w:]+)/g);

  it.each([...new Set(Array.from(called, ([, name = ""]) => name))])("npm %s is a script", (name) => {
    expect(Object.keys(scripts)).toContain(name);
  });
});
