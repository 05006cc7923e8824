import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { Command } from "commander";
import { MillraceError } from "../core/error.ts";
import { commandLine } from "./invocation.ts";
import { projectFiles } from "./project-files.ts";
import { stdout } from "./screen.ts";

const examples = `
Examples:
  $ millrace init my-project && cd my-project && npm install && npx millrace run --once
  $ millrace init                      in this folder

A file that is there already is left as it is.`;

export function define(command: Command): void {
  command
    .description("Start a project that runs: a pipeline, its contract, and a sample file with a few bad rows.")
    .argument("[folder]", "where; this folder when absent", ".")
    .addHelpText("after", examples)
    .action(init);
}

async function init(folder: string): Promise<void> {
  await requireFolder(folder);
  for (const [name, text] of Object.entries(projectFiles(folder))) {
    const path = join(folder, name);
    const isNew = await writeNew(path, text);
    stdout.line(`  ${isNew ? stdout.style("green", "wrote") : stdout.style("dim", "kept ")}  ${relative(".", path)}`);
  }
  stdout.line();
  stdout.line("Next:");
  if (folder !== ".") stdout.line(`  cd ${folder}`);
  stdout.line("  npm install");
  for (const [command, why] of nextSteps) stdout.line(`  ${command.padEnd(72)} ${why}`);
}

const nextSteps: readonly (readonly [string, string])[] = [
  ["npx millrace check", "looks at everything, loads nothing"],
  ["npx millrace run --once", "loads what is in inbox/; without --once it goes on"],
  ['npx millrace query duckdb:hr.duckdb "select * from hired_employees"', "shows the rows"],
  ["npx millrace rejects list --to duckdb:hr.duckdb", "shows what was refused, and why"],
];

async function requireFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cannotWrite(folder, error as Error);
  });
  if (found === undefined || found.isDirectory()) return;
  throw new MillraceError("USAGE", `${folder} is a file`, {
    remedy: `Name a folder: ${commandLine("init", "my-project")}.`,
    at: { source: folder },
  });
}

async function writeNew(path: string, text: string): Promise<boolean> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw cannotWrite(path, error as Error);
  }
}

function cannotWrite(path: string, cause: Error): MillraceError {
  return new MillraceError("DISK", `${path} cannot be written: ${cause.message}`, {
    remedy: "Check the folder and its rights.",
    at: { source: path },
    cause,
  });
}
