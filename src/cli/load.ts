import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import type { Contract } from "../core/contract.ts";
import { contractToJson } from "../core/contract-json.ts";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { RunEvent, RunSummary } from "../runtime/events.ts";
import { interrupted } from "../runtime/interruption.ts";
import { type LoadRequest, loadPipeline } from "../runtime/load.ts";
import { runIn } from "../runtime/run.ts";
import { Session } from "../runtime/session.ts";
import { modeOf } from "../runtime/target.ts";
import { contractLines } from "./contract-lines.ts";
import { contractJson, doneJson, eventJson } from "./event-json.ts";
import {
  addMemoryFlag,
  addSourceFlags,
  addTargetFlags,
  addToFlag,
  given,
  needed,
  type SourceFlags,
  sourceOptionsOf,
  type TargetFlags,
  wholeNumber,
} from "./flags.ts";
import { commandLine, sameCommand } from "./invocation.ts";
import { FirstRejects, printLoadSummary } from "./load-summary.ts";
import { Progress } from "./progress.ts";
import { namedContract } from "./named-contract.ts";
import { stderr, stdout } from "./screen.ts";
import { asInterruption, stopOnSignal } from "./stop.ts";

export interface LoadFlags extends SourceFlags, TargetFlags {
  readonly to?: string;
  readonly saveContract?: string;
  readonly parallel?: number;
  readonly atomic?: boolean;
  readonly memory?: number;
  readonly again?: boolean;
  readonly json?: boolean;
}

const examples = `
Examples:
  $ millrace load hired.csv --to duckdb:hr.db
      infers a contract, shows it, creates the table and loads the file

  $ millrace load hired.csv --no-header --contract hired.json --to postgres://me@localhost/hr
      checks every record against the contract; what fails is kept as a reject, with every reason

  $ millrace load 'in/2024-*.csv.gz' --to duckdb:hr.db --table sales --key id --parallel 2
      many files, merged by id, two at a time; a file that was loaded before is not loaded again

  $ millrace load sales.parquet --to duckdb:hr.db --mode replace
      the table's rows are exchanged in one transaction

  $ millrace load hired.csv --to duckdb:hr.db --save-contract hired.json
      keeps the inferred contract, to be made stricter by hand

A contract in JSON:
  {"table":"hired","columns":{"id":{"type":"integer","key":true},"name":{"type":"text"},
   "since":{"type":"timestamp","format":"%Y-%m-%dT%H:%M:%SZ"},"boss":{"type":"integer","nullable":true}}}

Killed or stopped, the same command goes on where it was; the same content again loads nothing.
With --json the last line is {"event":"done","table":…,"read":…,"loaded":…,"merged":…,"filtered":…,"rejected":…,…}.`;

export function define(command: Command): void {
  command
    .description("Load files into a table, each record exactly once; bad records are kept with their reasons.")
    .argument("<from>", "path, glob or file: URL of CSV, TSV, JSON, NDJSON, Parquet or XLSX; gzip and zstd too");
  addSourceFlags(addTargetFlags(addToFlag(command)))
    .option("--save-contract <file>", "write the contract as JSON; a file that is there is not overwritten")
    .option("--parallel <n>", "lanes a file is split into, and files read at once", wholeNumber(1, limit.parallel))
    .option("--atomic", "commit each file as a whole, or not at all")
    .option("--again", "load content that was loaded before once more");
  addMemoryFlag(command)
    .option("--json", "one JSON object a line on standard output")
    .addHelpText("after", examples)
    .action((from: string, flags: LoadFlags) => load(from, flags));
}

/** What the command line asks for, as the runtime takes it. */
export async function loadRequest(from: string, flags: LoadFlags): Promise<LoadRequest> {
  const contract = flags.contract === undefined ? undefined : await namedContract(flags.contract);
  const { table, key, mode, lineage, stateSchema, state, parallel, atomic } = flags;
  const source = { ...sourceOptionsOf(flags), ...given({ parallel, atomic }) };
  return { from, to: needed(flags.to), source, ...given({ contract, table, key, mode, lineage, stateSchema, state }) };
}

async function load(from: string, flags: LoadFlags): Promise<void> {
  const stop = stopOnSignal();
  const progress = new Progress(stderr, () => performance.now());
  const notice = (text: string): void => watch({ event: "notice", text });
  const rejects = new FirstRejects();
  const watch = (event: RunEvent): void => {
    rejects.observe(event);
    if (flags.json === true) stdout.line(eventJson(event));
    else progress.observe(event);
  };
  const request = await loadRequest(from, flags);
  const session = await Session.open({ notice, ...given({ memoryBytes: flags.memory, parallel: flags.parallel }) });
  try {
    const pipeline = await loadPipeline(request, session, { onEvent: watch, signal: stop.signal });
    await tellContract(pipeline.contract, flags);
    if (stop.signal.aborted) throw interrupted();
    const { firstConnectionMs } = limit;
    const settings = { signal: stop.signal, again: flags.again === true, onEvent: watch, firstConnectionMs };
    const summary = await runIn(session, pipeline, settings);
    progress.end();
    tellSummary(pipeline, summary, flags, parsePlace(pipeline.to).shown, rejects);
  } catch (error) {
    progress.end();
    throw asInterruption(error, stop);
  } finally {
    await session.close();
    stop.dispose();
  }
}

async function tellContract(contract: Contract, flags: LoadFlags): Promise<void> {
  if (flags.saveContract !== undefined) await saveContract(contract, flags.saveContract);
  const inferred = flags.contract === undefined;
  if (flags.json === true) return stdout.line(contractJson(contract, inferred));
  if (!inferred) return;
  stderr.line(`inferred contract of ${contract.table}:`);
  for (const line of contractLines(contract, stderr.columns)) stderr.line(`  ${line}`);
  if (flags.saveContract === undefined)
    stderr.line("  keep it with --save-contract FILE, make it stricter, and load with --contract FILE");
  stderr.line();
}

async function saveContract(contract: Contract, file: string): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(contractToJson(contract), undefined, 2)}\n`, { flag: "wx" });
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new MillraceError(
      exists ? "USAGE" : "DISK",
      `The contract cannot be written to ${file}: ${(cause as Error).message}`,
      {
        remedy: exists
          ? "Name another file, remove this one, or load with --contract."
          : "Check the path and its rights.",
        at: { source: file },
        cause,
      },
    );
  }
}

function tellSummary(
  pipeline: Pipeline & { contract: Contract },
  summary: RunSummary,
  flags: LoadFlags,
  shown: string,
  rejects: FirstRejects,
): void {
  const mode = modeOf(pipeline);
  if (flags.json === true) stdout.line(doneJson(summary, { mode }));
  else {
    printLoadSummary({ summary, mode, to: pipeline.to, shown, rejects: rejects.seen }, stdout);
    if (summary.interrupted) stdout.line(`\nStopped before the end. Go on with: ${sameCommand()}`);
    else if (summary.loaded + summary.merged > 0 && summary.table !== shown) {
      const table = `select * from "${summary.table.replaceAll('"', '""')}" limit 10`;
      stdout.line(`  look at the rows   ${commandLine("query", pipeline.to, table)}`);
    }
  }
  if (summary.interrupted) process.exitCode = 130;
}
