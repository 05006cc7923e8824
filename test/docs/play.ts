import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { type Block, blocksOf, type Page, root } from "./markdown.ts";

/**
 * What the words behind a fence mean, besides the language:
 *
 *     csv hired.csv      the block is the file hired.csv; so with ts, json and every other language
 *     sh run             the block is run, after the files before it are written (in the README every sh block is)
 *     sh run exit=1      it must end with this exit code
 *     sh service         it runs until the page ends; the steps behind it begin when it says where it listens
 *     sh clone           it belongs to a clone of the repository and is not run
 *     sql duckdb:a.db    each of its queries is put to that place
 *     text               right behind a block that is run: what it prints. A line that is `…` stands for any lines
 */
export type Step =
  | { readonly kind: "file"; readonly name: string; readonly block: Block }
  | { readonly kind: "service"; readonly block: Block }
  | { readonly kind: "run"; readonly exit: number; readonly block: Block; readonly shown: Block | undefined };

export function stepsOf(page: Page): Step[] {
  const blocks = blocksOf(page.text);
  return blocks.flatMap((block, index): Step[] => {
    const [language, ...words] = block.words;
    const url = language === "sql" ? words[0] : undefined;
    if (url !== undefined) return [{ kind: "run", exit: 0, block: queriesOf(block, url), shown: undefined }];
    if (language === "sh" && words.includes("service")) return [{ kind: "service", block }];
    if (isRun(page, block)) {
      const exit = words.find((word) => word.startsWith("exit="))?.slice("exit=".length);
      const next = blocks[index + 1];
      const shown = next?.words[0] === "text" && gapOf(page, block, next) === "" ? next : undefined;
      return [{ kind: "run", exit: Number(exit ?? 0), block, shown }];
    }
    const name = language === "sh" ? undefined : words.find((word) => word.includes("."));
    return name === undefined ? [] : [{ kind: "file", name, block }];
  });
}

function queriesOf(block: Block, url: string): Block {
  const queries = block.text.split(/;\n/).filter((query) => query.trim() !== "");
  const lines = queries.map((query) => `millrace query '${url}' '${query.replaceAll("'", "'\\''")}'\n`);
  return { ...block, text: lines.join("") };
}

/** What stands between two blocks: an output follows its command at once, or after a word or two such as "prints". */
function gapOf(page: Page, block: Block, next: Block): string {
  const between = page.text.split("\n").slice(block.line + block.text.split("\n").length, next.line - 1);
  return between.join("\n").trim();
}

function isRun(page: Page, { words: [language, ...words] }: Block): boolean {
  return language === "sh" && !words.includes("clone") && (page.path === "README.md" || words.includes("run"));
}

/** Whether a step talks to a server; a preview only takes the URL's word for what it is. */
export const needsPostgres = (step: Step): boolean =>
  step.kind === "run" &&
  step.block.text.split("\n").some((line) => line.includes("postgres://") && !/ preview /.test(line));

/** A folder in which `millrace`, `npx millrace` and `import … from "millrace"` are this tree's sources. */
export async function openStage(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-page-"));
  const library = join(folder, "node_modules", "millrace");
  await mkdir(library, { recursive: true });
  await mkdir(join(folder, ".bin"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "reader", private: true, type: "module" }));
  await writeFile(
    join(library, "package.json"),
    JSON.stringify({ name: "millrace", type: "module", main: "index.js" }),
  );
  const source = pathToFileURL(join(root, "src", "index.ts")).href;
  await writeFile(join(library, "index.js"), `export * from ${JSON.stringify(source)};\n`);
  const main = join(root, "src", "cli", "main.ts");
  await script(join(folder, ".bin", "millrace"), `exec "${process.execPath}" "${main}" "$@"`);
  // As npx does for a package that is installed, without the second that it takes.
  await script(join(folder, ".bin", "npx"), `npm_command=exec exec "$@"`);
  return folder;
}

async function script(path: string, line: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${line}\n`);
  await chmod(path, 0o755);
}

export const closeStage = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

export interface Played {
  readonly exit: number;
  /** Standard output and error as they came. */
  readonly output: string;
}

/** Writes the file, or runs the commands. `shownUrl` in them stands for `url`. */
export async function play(
  step: Exclude<Step, { kind: "service" }>,
  folder: string,
  replaced: Readonly<Record<string, string>> = {},
): Promise<Played> {
  if (step.kind === "file") {
    const path = join(folder, step.name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, step.block.text);
    return { exit: 0, output: "" };
  }
  const text = Object.entries(replaced).reduce((all, [shown, real]) => all.replaceAll(shown, real), step.block.text);
  return runShell(text, folder);
}

/** The port that the pages show; what is served listens at a free one, which stands for it in the steps behind. */
export const shownPort = "8080";

export interface Served {
  readonly port: string;
  stop(): Promise<void>;
}

/** Starts what runs until the page ends, and waits until it says where it listens. */
export async function serve(block: Block, folder: string): Promise<Served> {
  const env = { ...shellEnvironment(folder), MILLRACE_HTTP_PORT: "0" };
  const child = spawn("bash", ["-c", `exec ${block.text.trim()}`], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /https?:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    child.stdout.resume();
    return { port, stop };
  }
  throw new Error(`${block.text.trim()} ended before it said where it listens`);
}

function shellEnvironment(folder: string): NodeJS.ProcessEnv {
  const path = [join(folder, ".bin"), dirname(process.execPath), process.env["PATH"]].join(delimiter);
  return { ...readersEnvironment(), PATH: path, NO_COLOR: "1" };
}

export function runShell(text: string, folder: string): Promise<Played> {
  const env = shellEnvironment(folder);
  return new Promise((resolve) => {
    const args = ["-e", "-o", "pipefail", "-c", `exec 2>&1\n${text}`];
    execFile("bash", args, { cwd: folder, env, timeout: 120_000 }, (error, output) => {
      const exit = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ exit, output });
    });
  });
}

/** Without what npm and a terminal told the test itself. */
function readersEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(npm_|NODE_ENV$|FORCE_COLOR$|COLUMNS$|MILLRACE_|PG)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

const changing: readonly (readonly [RegExp, string])[] = [
  // A busy machine takes long enough for a line of progress.
  [/^\d+ %: .* rows?, .*\n/gm, ""],
  [/postgres(ql)?:\/\/\S*@(127\.0\.0\.1|localhost)(:\d+)?\/\w+/g, "postgres://localhost/hr"],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( UTC)?(?=\b)/g, "TIME"],
  [/^\d\d:\d\d:\d\d(?= )/gm, "TIME"],
  [/\b\d+(\.\d+)? m?s\b/g, "N s"],
  [/[\d,]+ rows?\/s/g, "N rows/s"],
  [/"ms":\d+/g, '"ms":N'],
  [/"duration\(s\)":[\d.]+/g, '"duration(s)":N'],
  [/\d{8}T\d{9}Z-[0-9a-f]{6}/g, "BACKUP"],
  [/"sizeBytes":\d+/g, '"sizeBytes":N'],
  [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "UUID"],
  [/\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b/g, "VERSION"],
];

/** Without what is another each time: times, rates, versions, the server's address, the folder. */
export function normalise(output: string, folder: string): string {
  const local = output.replaceAll(`${folder}/`, "");
  const same = changing.reduce((text, [pattern, word]) => text.replaceAll(pattern, word), local);
  return `${same
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .trim()}\n`;
}

/** Whether an output is what the page shows, `…` on a line of its own standing for any lines. */
export function isShown(output: string, shown: string): boolean {
  const pattern = shown
    .split(/^…\n/m)
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("(?:.*\n)*?");
  return new RegExp(`^${pattern}$`).test(output);
}
