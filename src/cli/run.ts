import type { Command } from "commander";
import { toMillraceError } from "../core/error.ts";
import type { Pipeline } from "../core/pipeline.ts";
import type { Application } from "../http/server.ts";
import { parseBytes } from "../runtime/config.ts";
import type { RunEvent, RunSummary } from "../runtime/events.ts";
import { runIn } from "../runtime/run.ts";
import { Session } from "../runtime/session.ts";
import { chosenStages, stagesOf } from "../runtime/stages.ts";
import { doneJson, eventJson } from "./event-json.ts";
import { reportFailure } from "./failure.ts";
import { addMemoryFlag, gather, given, wholeNumber } from "./flags.ts";
import { sameCommand } from "./invocation.ts";
import { chooseProject } from "./pipelines.ts";
import { type ApplicationFlags, applicationNamed, runTurns } from "./run-application.ts";
import { RunLog } from "./run-log.ts";
import { stderr, stdout } from "./screen.ts";
import { asInterruption, type Stop, stopOnSignal } from "./stop.ts";

interface RunFlags extends ApplicationFlags {
  readonly stage?: string;
  readonly again?: boolean;
}

const examples = `
Examples:
  $ millrace run                                    all pipelines of the project, until stopped
  $ millrace run hired-employees --once             one of them, with what is there now
  $ millrace run pipelines/hired-employees.ts       one by its file; no project needed
  $ millrace run orders --stage 2                   one stage of a pipeline that is cut by .via, here and on other machines
  $ millrace run rows --parallel 4 --once           an application that works in turns: replicas into tables
  $ millrace run --once --json | tail -1            for machines

Pipelines are the modules in pipelines/, or what millrace.config.ts says. They share one process and one memory budget.
The first Ctrl-C ends it after the batch at hand. Run again, it goes on where it was.`;

export function define(command: Command): void {
  command
    .description("Run pipelines: follow their sources, or do once what is there.")
    .argument(
      "[pipeline...]",
      "names of pipelines, paths of modules that export them, or one application; all of the project when absent",
    )
    .option("--config <file>", "the project's configuration")
    .option("--once", "end when everything that is there is loaded")
    .option("--stage <stage>", "this stage alone of a pipeline that .via cuts: its number from 1, or its name");
  command
    .option("--parallel <n>", "of an application: parts that are pushed at the same time", wholeNumber(1, 64))
    .option("--partitions <n>", "of an application: parts that a table is cut into", wholeNumber(1, 64))
    .option("--data <folder>", "of an application: what is embedded (standard .millrace)")
    .option("--set <setting>", "of an application: a setting, GROUP.NAME=VALUE; may be repeated", gather);
  addMemoryFlag(command)
    .option("--again", "load content that was loaded before once more")
    .option("--json", "one JSON object a line on standard output")
    .addHelpText("after", examples)
    .action((wanted: string[], flags: RunFlags) => run(wanted, flags));
}

async function run(wanted: readonly string[], flags: RunFlags): Promise<void> {
  const project = await chooseProject(wanted, flags.config).catch((error: unknown) => otherwise(error, wanted));
  if ("turn" in project) return runTurns(project.turn, flags);
  const { config, pipelines } = project;
  const stop = stopOnSignal();
  // A service whose log has no reader any more ends in order.
  stdout.onClosed(() => stop.request());
  const memoryBytes = flags.memory ?? (config.memory === undefined ? undefined : parseBytes(config.memory));
  const parallel = pipelines.reduce((sum, one) => sum + (one.source.parallel ?? 1) + (one.via?.length ?? 0), 0);
  const session = await Session.open({ notice: (text) => stderr.line(text), parallel, ...given({ memoryBytes }) });
  try {
    const cut = await Promise.all(pipelines.map((one) => stagesOf(one, session.engine)));
    const stages = cut.map((some) => chosenStages(some, flags.stage));
    if (flags.json !== true && flags.once !== true) {
      const names = stages.flat().map(({ name }) => name);
      stdout.line(`following ${names.join(", ")}; Ctrl-C ends it`);
    }
    const codes = (await Promise.all(stages.map((some) => runStages(some, session, flags, stop)))).flat();
    // What failed outranks what was stopped because of it.
    process.exitCode = codes.find((code) => code !== 0 && code !== 130) ?? Math.max(...codes);
    const isCutShort = stop.signal.aborted && flags.once === true && process.exitCode === 130;
    if (isCutShort && flags.json !== true) stdout.line(`Stopped before the end. Go on with: ${sameCommand()}`);
  } finally {
    await session.close();
    stop.dispose();
  }
}

/** What is no pipeline of the project may be an application. */
async function otherwise(error: unknown, wanted: readonly string[]): Promise<{ readonly turn: Application }> {
  const application = await applicationNamed(wanted);
  if (application === undefined || toMillraceError(error).code !== "PIPELINE_UNKNOWN") throw error;
  return { turn: application };
}

/** Side by side; with `once`, where a stage reads what the one before it has written, one after another. */
async function runStages(
  stages: readonly Pipeline[],
  session: Session,
  flags: RunFlags,
  stop: Stop,
): Promise<readonly number[]> {
  if (flags.once !== true) return Promise.all(stages.map((one) => runOne(one, session, flags, stop)));
  const codes: number[] = [];
  for (const one of stages) {
    codes.push(await runOne(one, session, flags, stop));
    if (codes.at(-1) !== 0) break;
  }
  return codes;
}

/** Runs one pipeline to its end and returns its exit code. A failure stops those that follow; with `once` all end by themselves. */
async function runOne(pipeline: Pipeline, session: Session, flags: RunFlags, stop: Stop): Promise<number> {
  const follow = flags.once !== true;
  const log = new RunLog(stdout, pipeline.name, () => performance.now());
  const about = { pipeline: pipeline.name };
  const onEvent = (event: RunEvent): void => {
    if (flags.json === true) stdout.line(eventJson(event, about));
    else log.observe(event);
  };
  try {
    const settings = { follow, signal: stop.signal, again: flags.again === true, onEvent };
    const summary = await runIn(session, pipeline, settings);
    if (flags.json === true) stdout.line(doneJson(summary, about));
    else log.end(summary);
    return exitCodeOf(summary, stop);
  } catch (error) {
    if (follow) stop.request();
    return tellFailure(asInterruption(error, stop), pipeline, flags);
  }
}

function exitCodeOf(summary: RunSummary, stop: Stop): number {
  return summary.interrupted || stop.signal.aborted ? 130 : 0;
}

function tellFailure(error: unknown, pipeline: Pipeline, flags: RunFlags): number {
  const failure = toMillraceError(error);
  if (failure.code === "INTERRUPTED") return 130;
  if (flags.json !== true) stderr.write(`${pipeline.name}: `);
  const verbose = flags.verbose === true || process.env["MILLRACE_DEBUG"] === "1";
  return reportFailure(failure, { json: flags.json === true, verbose });
}
