import { type Contract, keyColumns } from "../core/contract.ts";
import { formatErrorPlace, MillraceError, toMillraceError } from "../core/error.ts";
import { quoteIdentifier } from "../core/identifier.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline, SinkOptions } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { Finding, Sink, Target } from "../ports/sink.ts";
import { previewPipeline } from "./preview.ts";
import { placeExists } from "./reading.ts";
import { holdsRecords, isQueue, openQueue } from "./schemes.ts";
import type { Session } from "./session.ts";
import { stagesOf } from "./stages.ts";
import { modeOf, type PipelineWithContract, requireContract, requirePossible, targetOf } from "./target.ts";

/** What `check` found out about a pipeline, or a stage of one. */
export interface Inspection {
  readonly name: string;
  readonly findings: readonly Finding[];
  /** DDL of the table when a run would create it. */
  readonly ddl: string | undefined;
}

/**
 * Looks at every part of a pipeline before it runs. Loads nothing and creates no target table. Never throws for what is
 * wrong with the pipeline: that is a finding.
 */
export async function inspectPipeline(session: Session, pipeline: Pipeline): Promise<readonly Inspection[]> {
  const { name } = pipeline;
  let stages: readonly Pipeline[];
  try {
    stages = await stagesOf(pipeline, session.engine);
  } catch (error) {
    return [{ name, findings: [failed(isStepFailure(error) ? "step" : "contract", error)], ddl: undefined }];
  }
  const inspections: Inspection[] = [];
  for (const stage of stages) inspections.push({ name: stage.name, ...(await inspectStage(session, stage)) });
  return inspections;
}

async function inspectStage(session: Session, pipeline: Pipeline): Promise<Omit<Inspection, "name">> {
  const findings: Finding[] = [];
  let known: PipelineWithContract;
  try {
    known = requireContract(pipeline);
  } catch (error) {
    return { findings: [failed("contract", error)], ddl: undefined };
  }
  let target: Target;
  try {
    target = await targetOf(known, session.engine);
  } catch (error) {
    // Neither records nor table can be looked at without what lies between them.
    return { findings: [failed(isStepFailure(error) ? "step" : "contract", error)], ddl: undefined };
  }
  findings.push({ check: "contract", state: "ok", detail: contractText(known.contract) });
  findings.push(await found("source", () => sourceFinding(session, known)));
  let sink: Sink;
  try {
    sink = await session.sink(pipeline.to, pipeline.sink);
  } catch (error) {
    return { findings: [...findings, failed("guarantee", error)], ddl: undefined };
  }
  findings.push(guaranteeFinding(sink, pipeline));
  if (holdsRecords(parsePlace(pipeline.to))) {
    findings.push(await found(recordsCheck(pipeline), () => logFinding(sink, target, pipeline)));
    return { findings, ddl: undefined };
  }
  let ddl: string | undefined;
  findings.push(
    await found("table", async () => {
      const table = await tableFinding(sink, target, pipeline);
      if (table.wouldCreate) ddl = sink.ddl(target);
      return table.finding;
    }),
  );
  return { findings, ddl };
}

function contractText(contract: Contract): string {
  const count = Object.keys(contract.columns).length;
  const key = keyColumns(contract);
  return `${count} columns, ${key.length === 0 ? "no key" : `key ${key.join(", ")}`}`;
}

async function sourceFinding(session: Session, pipeline: Pipeline & { readonly contract: Contract }): Promise<Finding> {
  if (isQueue(parsePlace(pipeline.from))) return queueFinding(session, pipeline);
  const { source, sources, read, rejects } = await previewPipeline(session, pipeline, limit.rowsShown);
  const others = sources > 1 ? ` and ${sources - 1} more` : "";
  const detail = `${source}${others}; of its first ${read} records ${rejects.length} would be rejected`;
  if (read === 0 || rejects.length < read) return { check: "source", state: "ok", detail };
  return {
    check: "source",
    state: "fail",
    detail,
    remedy: "Not one record meets the contract: see why with millrace preview.",
  };
}

/** A queue is not looked into: who takes a message takes it from others, and its return is counted against it. */
async function queueFinding({ context }: Session, pipeline: PipelineWithContract): Promise<Finding> {
  const queue = await openQueue(pipeline.from, context);
  try {
    const depth = await queue.depth();
    const there = depth === undefined ? "would be created" : `answers, ${depth.waiting} messages wait`;
    const without =
      modeOf(pipeline) === "merge" ? "those without count once by their key" : "those without at least once";
    const detail = `${queue.shown} ${there}; messages with an id count once, ${without}`;
    return { check: "source", state: "ok", detail };
  } catch (error) {
    throw queue.explain(error);
  } finally {
    await queue.close();
  }
}

function guaranteeFinding(sink: Sink, pipeline: Pipeline): Finding {
  const { guarantee, how } = sink.facts;
  const isUnmet = pipeline.sink.guarantee === "exactly-once" && guarantee !== "exactly once";
  if (!isUnmet) return { check: "guarantee", state: "ok", detail: `${guarantee}: ${how}` };
  const detail = `exactly once was asked for, and ${sink.shown} gives ${guarantee}: ${how}`;
  return { check: "guarantee", state: "fail", detail, remedy: "Choose another sink, or do without the guarantee." };
}

function recordsCheck({ to }: Pipeline): "log" | "queue" {
  return isQueue(parsePlace(to)) ? "queue" : "log";
}

/** A log is created by its first use; what is there is asked. */
async function logFinding(sink: Sink, target: Target, pipeline: Pipeline): Promise<Finding> {
  requirePossible(sink, target, { ...pipeline, sink: withoutGuarantee(pipeline.sink) });
  const check = recordsCheck(pipeline);
  const appended = "rows would be appended as JSON objects";
  if (!(await placeExists(pipeline.to)))
    return { check, state: "ok", detail: `${sink.shown} would be created; ${appended}` };
  try {
    await sink.open();
  } catch (error) {
    throw sink.explain(error);
  }
  return { check, state: "ok", detail: `${sink.shown} answers; ${appended}` };
}

function isStepFailure(error: unknown): boolean {
  return error instanceof MillraceError && error.code === "STEP_FAILED";
}

interface TableFinding {
  readonly finding: Finding;
  readonly wouldCreate: boolean;
}

async function tableFinding(sink: Sink, target: Target, pipeline: Pipeline): Promise<TableFinding> {
  requirePossible(sink, target, { ...pipeline, sink: withoutGuarantee(pipeline.sink) });
  if (!(await placeExists(pipeline.to))) return wouldCreate(target, `${sink.shown} would be created, and in it`);
  try {
    await sink.open();
    if (!(await tableExists(sink, target.table))) return wouldCreate(target, `${sink.shown} answers;`);
    // What exists is only looked at: prepare never alters a table.
    await sink.prepare(target);
  } catch (error) {
    throw sink.explain(error);
  }
  const detail = `"${target.table}" in ${sink.shown} fits; rows would ${verbs[target.mode]}`;
  return { finding: { check: "table", state: "ok", detail }, wouldCreate: false };
}

const verbs: Readonly<Record<Target["mode"], string>> = {
  append: "be appended",
  merge: "be merged by key",
  replace: "replace those that are there",
};

function wouldCreate(target: Target, how: string): TableFinding {
  const detail = `${how} the table "${target.table}" would be created; rows would ${verbs[target.mode]}`;
  return { finding: { check: "table", state: "ok", detail }, wouldCreate: true };
}

/** A sink that knows no such table refuses the query; other failures are not about the table. */
async function tableExists(sink: Sink, table: string): Promise<boolean> {
  try {
    for await (const _ of sink.query(`select 1 from ${quoteIdentifier(table)} where 1 = 0`)) break;
    return true;
  } catch (error) {
    const explained = sink.explain(error);
    if (explained instanceof MillraceError && explained.code === "SINK_REFUSED") return false;
    throw explained;
  }
}

/** The guarantee is a finding of its own. */
function withoutGuarantee({ guarantee: _, ...others }: SinkOptions): SinkOptions {
  return others;
}

async function found(check: string, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    return failed(check, error);
  }
}

/** A failure as a finding. */
export function failed(check: string, error: unknown): Finding {
  const { code, message, remedy, at } = toMillraceError(error);
  const place = formatErrorPlace(at);
  return { check, state: "fail", detail: `${code}: ${message}${place === "" ? "" : ` (${place})`}`, remedy };
}
