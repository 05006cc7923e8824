import type { Command } from "commander";
import type { Contract } from "../core/contract.ts";
import { contractToJson } from "../core/contract-json.ts";
import { MillraceError } from "../core/error.ts";
import { jsonValue } from "../core/json-value.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline } from "../core/pipeline.ts";
import { loadPipeline } from "../runtime/load.ts";
import { measured, type Preview, previewPipeline } from "../runtime/preview.ts";
import { Session } from "../runtime/session.ts";
import { targetOf } from "../runtime/target.ts";
import { contractLines } from "./contract-lines.ts";
import { countOf } from "./figures.ts";
import { addSourceFlags, addTargetFlags, wholeNumber } from "./flags.ts";
import { rowLines } from "./grid.ts";
import { type LoadFlags, loadRequest } from "./load.ts";
import { chooseProject, isModulePath } from "./pipelines.ts";
import { rejectJson } from "../runtime/reject-json.ts";
import { rejectLines } from "./reject-lines.ts";
import { stderr, stdout } from "./screen.ts";
import { safeText } from "./shown.ts";

interface PreviewFlags extends LoadFlags {
  readonly rows: number;
  readonly config?: string;
}

const examples = `
Examples:
  $ millrace preview hired.csv                                    what would be inferred of it
  $ millrace preview hired.csv --no-header --contract hired.json --to postgres://localhost/hr
      rows, rejects with reasons, and the DDL for that database
  $ millrace preview pipelines/hired-employees.ts --rows 5        behind a pipeline's steps

Looks at the first records only, connects to nothing and writes nothing.`;

export function define(command: Command): void {
  command
    .description("Show what the first records would become: rows, rejects, DDL. Writes nothing.")
    .argument("<from>", "path, glob or file: URL; or a pipeline's name or module")
    .option("--to <url>", "whose DDL to show: duckdb:PATH, postgres://…, mysql://…, file:FOLDER")
    .option("--rows <n>", "rows to show", wholeNumber(1, 10_000), limit.rowsShown)
    .option("--config <file>", "the project's configuration");
  addSourceFlags(addTargetFlags(command))
    .option("--json", "one JSON object a line on standard output")
    .addHelpText("after", examples)
    .action((from: string, flags: PreviewFlags) => preview(from, flags));
}

type KnownPipeline = Pipeline & { readonly contract: Contract };

async function preview(from: string, flags: PreviewFlags): Promise<void> {
  const session = await Session.open({ notice: (text) => stderr.line(text) });
  try {
    const pipeline = await measured(session, await pipelineToPreview(from, flags, session));
    const seen = await previewPipeline(session, pipeline, flags.rows);
    const sink = await session.sink(pipeline.to, pipeline.sink);
    const ddl = sink.ddl(await targetOf(pipeline, session.engine));
    if (flags.json === true) printJson(pipeline, seen, ddl);
    else printText(pipeline, seen, { text: ddl, of: sink.shown });
  } finally {
    await session.close();
  }
}

async function pipelineToPreview(from: string, flags: PreviewFlags, session: Session): Promise<KnownPipeline> {
  const named = isModulePath(from) || (flags.to === undefined && (await isPipelineName(from, flags.config)));
  if (!named) return loadPipeline(await loadRequest(from, { ...flags, to: flags.to ?? "duckdb:preview.db" }), session);
  const [pipeline, another] = (await chooseProject([from], flags.config)).pipelines;
  if (pipeline?.contract !== undefined && another === undefined) return { ...pipeline, contract: pipeline.contract };
  throw new MillraceError("PIPELINE_INVALID", `${from} is not one pipeline with a contract`, {
    remedy: "Name one pipeline; give it a contract with .check(table(…)).",
    at: { source: from },
  });
}

/** A name is letters and dashes; anything that looks like a path, glob or URL is a source. */
async function isPipelineName(text: string, config: string | undefined): Promise<boolean> {
  if (/[./\\*?:]/.test(text)) return false;
  try {
    return (await chooseProject([], config)).pipelines.some(({ name }) => name === text);
  } catch (error) {
    if (error instanceof MillraceError && error.code === "PIPELINE_UNKNOWN") return false;
    throw error;
  }
}

function printText(pipeline: KnownPipeline, seen: Preview, ddl: { readonly text: string; readonly of: string }): void {
  const heading = (text: string): void => stdout.line(stdout.style("bold", text));
  heading(`contract of ${safeText(pipeline.contract.table)}`);
  for (const line of contractLines(pipeline.contract, stdout.columns)) stdout.line(line);
  stdout.line();
  const more = seen.sources > 1 ? ` and ${countOf(seen.sources - 1, "more source")}` : "";
  heading(`rows of ${safeText(seen.source)}${more}`);
  for (const line of rowLines(seen.rows, stdout)) if (line !== "") stdout.line(line);
  const filtered = seen.filtered === 0 ? "" : `, ${seen.filtered} filtered`;
  stdout.line(
    stdout.style(
      "dim",
      `(${countOf(seen.rows.length, "row")} shown of ${countOf(seen.read, "record")} looked at${filtered})`,
    ),
  );
  if (seen.rejects.length > 0) {
    stdout.line();
    heading(`${countOf(seen.rejects.length, "reject")} among them`);
    for (const reject of seen.rejects.slice(0, limit.rowsShown)) {
      for (const line of rejectLines(seen.source, reject, stdout.columns)) stdout.line(line);
    }
  }
  stdout.line();
  heading(`DDL for ${safeText(ddl.of)}`);
  stdout.line(ddl.text);
}

function printJson(pipeline: KnownPipeline, seen: Preview, ddl: string): void {
  stdout.line(JSON.stringify({ event: "contract", contract: contractToJson(pipeline.contract) }));
  for (const row of seen.rows) stdout.line(JSON.stringify({ event: "row", row: jsonValue(row) }));
  for (const reject of seen.rejects)
    stdout.line(JSON.stringify({ event: "reject", source: seen.source, ...rejectJson(reject) }));
  const { source, sources, read, filtered, rejects } = seen;
  stdout.line(JSON.stringify({ event: "done", source, sources, read, filtered, rejected: rejects.length, ddl }));
}
