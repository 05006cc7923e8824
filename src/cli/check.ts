import type { Command } from "commander";
import type { Pipeline } from "../core/pipeline.ts";
import { type Inspection, inspectPipeline } from "../runtime/inspection.ts";
import { loadPipeline } from "../runtime/load.ts";
import { Session } from "../runtime/session.ts";
import { findingJson, hasFailed, printFindings } from "./findings.ts";
import { addSourceFlags, addTargetFlags, addToFlag } from "./flags.ts";
import { type LoadFlags, loadRequest } from "./load.ts";
import { chooseProject } from "./pipelines.ts";
import { stderr, stdout } from "./screen.ts";

interface CheckFlags extends LoadFlags {
  readonly config?: string;
}

const examples = `
Examples:
  $ millrace check                                   every pipeline of the project
  $ millrace check hired-employees                   one of them
  $ millrace check pipelines/hired-employees.ts      one by its file
  $ millrace check hired.csv --to duckdb:hr.db --contract hired.json
      a load, before it is done

Looks at contract, steps, source, guarantee and table, and loads nothing. A table that is missing is not created: its
DDL is shown. In a sink that is there already, the tables named millrace_ that a run needs are created. Exit code 1 when
something does not fit.`;

export function define(command: Command): void {
  command
    .description("Check pipelines, or a load, before they run.")
    .argument(
      "[pipeline...]",
      "names or modules of pipelines, all of the project when absent; with --to, the files of a load",
    )
    .option("--config <file>", "the project's configuration");
  addSourceFlags(addTargetFlags(addToFlag(command)))
    .option("--json", "one JSON object a line on standard output")
    .addHelpText("after", examples)
    .action((wanted: string[], flags: CheckFlags) => check(wanted, flags));
}

async function check(wanted: readonly string[], flags: CheckFlags): Promise<void> {
  const session = await Session.open({ notice: (text) => stderr.line(text) });
  try {
    let isWell = true;
    for (const pipeline of await pipelinesToCheck(wanted, flags, session)) {
      for (const inspection of await inspectPipeline(session, pipeline)) {
        tell(inspection, flags.json === true);
        isWell &&= !hasFailed(inspection.findings);
      }
    }
    if (flags.json === true) stdout.line(JSON.stringify({ event: "done", ok: isWell }));
    if (!isWell) process.exitCode = 1;
  } finally {
    await session.close();
  }
}

async function pipelinesToCheck(
  wanted: readonly string[],
  flags: CheckFlags,
  session: Session,
): Promise<readonly Pipeline[]> {
  const [from, ...others] = wanted;
  if (flags.to === undefined || from === undefined) return (await chooseProject(wanted, flags.config)).pipelines;
  const froms = [from, ...others];
  return Promise.all(froms.map(async (one) => loadPipeline(await loadRequest(one, flags), session)));
}

function tell({ name, findings, ddl }: Inspection, json: boolean): void {
  if (json) {
    for (const finding of findings) stdout.line(findingJson({ pipeline: name }, finding));
    if (ddl !== undefined) stdout.line(JSON.stringify({ event: "ddl", pipeline: name, ddl }));
    return;
  }
  printFindings(name, findings, stdout);
  if (ddl !== undefined) stdout.line(ddl.replace(/^/gm, "        "));
}
