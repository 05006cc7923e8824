import { Command, CommanderError } from "commander";
import { MillraceError } from "../core/error.ts";
import { reportFailure } from "./failure.ts";
import { stdout } from "./screen.ts";

interface CommandEntry {
  readonly summary: string;
  /** Loaded only when the command is called: each brings what it needs of the engine and no more. */
  readonly load: () => Promise<{ readonly define: (command: Command) => void }>;
}

const commands: Readonly<Record<string, CommandEntry>> = {
  load: { summary: "load files into a table: one command, no project", load: () => import("./load.ts") },
  start: { summary: "serve all applications and run their pipelines", load: () => import("./start.ts") },
  reload: { summary: "let a running service take new code and configuration", load: () => import("./reload.ts") },
  fleet: { summary: "vehicles that send events to a server", load: () => import("./fleet.ts") },
  run: { summary: "run the pipelines of a project", load: () => import("./run.ts") },
  check: { summary: "check pipelines: source, contract, steps, table, guarantee", load: () => import("./check.ts") },
  preview: { summary: "show rows, rejects and DDL; write nothing", load: () => import("./preview.ts") },
  profile: {
    summary: "show what is in a file: types, what is missing, constant, double",
    load: () => import("./profile.ts"),
  },
  query: { summary: "read a place with SQL", load: () => import("./query.ts") },
  rejects: { summary: "list, show, replay and export refused records", load: () => import("./rejects.ts") },
  why: { summary: "where a row came from, or what became of a line", load: () => import("./why.ts") },
  user: { summary: "who may call the server: add, list, remove", load: () => import("./user.ts") },
  doctor: { summary: "check this machine and the places you name", load: () => import("./doctor.ts") },
  init: { summary: "start a project that runs", load: () => import("./init.ts") },
};

const about = "Brings data into the database of your choice: each record exactly once, every bad row accounted for.";

const more = `
Examples:
  $ millrace load hired.csv --to duckdb:hr.db             a file into a table; the contract is inferred and shown
  $ millrace load 'in/*.csv' --to postgres://localhost/hr --contract hired.json
  $ millrace query duckdb:hr.db "select count(*) from hired"
  $ millrace rejects list --to duckdb:hr.db               what was refused, and why
  $ millrace init my-project                              pipelines in TypeScript, ready to run
  $ millrace load --help                                  every command explains itself so

Exit codes:
  0    done; rejected records are counted and kept, and no failure
  1    the work failed
  2    the command, a contract, a pipeline or a URL has a mistake
  3    the destination is away, busy, full or read-only: later it may work
  130  interrupted; the same command goes on where it stopped

Every error says its code, what happened, where, and what to do; --verbose (or MILLRACE_DEBUG=1) adds where in the code.`;

async function buildProgram(args: readonly string[], version: string): Promise<Command> {
  const program = new Command("millrace")
    .description(about)
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "explain a command, with examples")
    .helpCommand(false)
    .option("--verbose", "with an error, say where in the code it happened")
    .addHelpText("after", more)
    .configureHelp({ subcommandTerm: (command) => command.name(), helpWidth: 120 })
    // Mistakes are thrown and reported like every other error.
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: () => undefined })
    .exitOverride();
  for (const [name, entry] of Object.entries(commands)) {
    const command = program.command(name).summary(entry.summary);
    if (args.includes(name))
      (await entry.load()).define(command.option("--verbose", "with an error, say where it happened"));
  }
  return program;
}

/** Runs the command line and returns its exit code. */
export async function main(args: readonly string[], version: string): Promise<number> {
  const verbose = args.includes("--verbose") || process.env["MILLRACE_DEBUG"] === "1";
  // A query's rows are one JSON array: an error has no place in it.
  const json = args.includes("--json") && !args.includes("query");
  try {
    const program = await buildProgram(args, version);
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync([...args], { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    return reportFailure(error instanceof CommanderError ? usageError(error, args) : error, { json, verbose });
  }
}

/** Commander's message is `error: what` and perhaps `(Did you mean …?)` on a line of its own. */
function usageError(error: CommanderError, args: readonly string[]): MillraceError {
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = rest.join(" ").replace(/^\(|\)$/g, "");
  const command = Object.keys(commands).find((name) => name === args[0]);
  const help = `millrace ${command === undefined ? "" : `${command} `}--help explains it, with examples.`;
  const what = error.code === "commander.help" ? `"${args.join(" ")}" lacks a subcommand` : sentence(first);
  return new MillraceError("USAGE", what, { remedy: suggestion === "" ? help : `${suggestion} ${help}` });
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, "");
}
