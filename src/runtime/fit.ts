import { MillraceError } from "../core/error.ts";
import type { Json } from "../core/json.ts";
import { isJsonObject } from "../core/json.ts";
import { definitionOf, type Step, type TransformStep } from "../core/pipeline.ts";
import { BatchChecker } from "../engine/batch.ts";
import type { Engine } from "../engine/engine.ts";
import { transformOf } from "../engine/transform.ts";
import { WholeRows } from "../engine/whole.ts";
import type { Sink } from "../ports/sink.ts";
import type { Lane, Source } from "../ports/source.ts";
import type { OnEvent } from "./events.ts";
import { contentOf } from "./file-identity.ts";
import { interrupted } from "./interruption.ts";
import { nothingKnown } from "./lane-services.ts";
import { type Patience, patiently } from "./patience.ts";
import { sinkColumnsOf } from "./shape.ts";
import { modeOf, type PipelineWithContract, targetOf } from "./target.ts";

/** What it takes to have steps measure. */
export interface FitPlace {
  readonly pipeline: PipelineWithContract;
  readonly engine: Engine;
  /** Another source over the same records; absent where they have no end, as those of a log. */
  openSource?(): Promise<Source>;
}

interface FitOptions {
  readonly follow: boolean;
  readonly onEvent: OnEvent;
  readonly firstConnectionMs: number | undefined;
}

/**
 * The pipeline with the parameters of its steps that look at all rows: those that its earlier batches were made with, so
 * that later ones are treated alike; else measured now, of all files at hand, or of the first one where it follows.
 */
export async function fitPipeline(
  open: FitPlace & { readonly sink: Sink },
  patience: Patience,
  { follow, onEvent, firstConnectionMs = patience.totalMs }: FitOptions,
): Promise<PipelineWithContract> {
  const { pipeline, engine, sink } = open;
  if (!pipeline.steps.some(({ kind }) => kind === "transform")) return pipeline;
  if (!(await needsFit(pipeline.steps, pipeline, engine))) return pipeline;
  // What is wrong with the pipeline is told before the sink is asked anything.
  await targetOf(pipeline, engine);
  await patiently({ ...patience, totalMs: firstConnectionMs }, () => sink.open());
  const known = modeOf(pipeline) === "replace" ? undefined : await keptSteps(pipeline, sink, patience, engine);
  const start = known === undefined ? pipeline : { ...pipeline, steps: known };
  return fitSteps(
    { ...open, pipeline: start },
    { follow, onEvent, signal: patience.signal, now: patience.context.now() },
  );
}

export interface FitRun {
  readonly follow: boolean;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal | undefined;
  readonly now: number;
}

/** Measures what has no parameters yet. */
export async function fitSteps(place: FitPlace, run: FitRun): Promise<PipelineWithContract> {
  const { pipeline, engine } = place;
  let steps: Step[] = [...pipeline.steps];
  for (let index = 0; index < steps.length; index += 1) {
    const step = steps[index];
    if (step?.kind !== "transform" || !(await isUnfitted(steps, index, pipeline, engine))) continue;
    if (place.openSource === undefined && transformOf(step.name, engine).whole?.worksByBatch === true) continue;
    steps = await fitFrom(index, steps, place, run);
  }
  return { ...pipeline, steps };
}

async function needsFit(steps: readonly Step[], pipeline: PipelineWithContract, engine: Engine): Promise<boolean> {
  for (const index of steps.keys()) if (await isUnfitted(steps, index, pipeline, engine)) return true;
  return false;
}

async function isUnfitted(
  steps: readonly Step[],
  index: number,
  { contract }: PipelineWithContract,
  engine: Engine,
): Promise<boolean> {
  const step = steps[index];
  if (step?.kind !== "transform" || step.parameters !== undefined || step.ofRun !== undefined) return false;
  const { whole } = transformOf(step.name, engine);
  if (whole === undefined) return false;
  return whole.isNeeded(step.options, await sinkColumnsOf(contract, steps.slice(0, index), engine));
}

/** One pass over the source: the step at `index` is measured, and those behind it as long as SQL is all they need. */
async function fitFrom(index: number, steps: readonly Step[], place: FitPlace, run: FitRun): Promise<Step[]> {
  const { pipeline, engine } = place;
  const fitted = [...steps];
  const whole = await WholeRows.open(engine, await sinkColumnsOf(pipeline.contract, steps.slice(0, index), engine));
  try {
    await gather(whole, steps.slice(0, index), place, run);
    for (let at = index; at < fitted.length; at += 1) {
      const step = fitted[at];
      if (step?.kind !== "transform" || (at > index && !canGoOn(step, engine, whole))) break;
      const { whole: look } = transformOf(step.name, engine);
      const isMeasured = step.parameters !== undefined || look?.isNeeded(step.options, whole.columns) !== true;
      const parameters = !isMeasured ? await whole.measure(step, new Date(run.now).toISOString()) : undefined;
      const { isOfRun = false, worksByBatch = false } = look ?? {};
      const next = parameters === undefined ? step : { ...step, ...(isOfRun ? { ofRun: parameters } : { parameters }) };
      fitted[at] = next;
      if (parameters !== undefined) run.onEvent({ event: "measured", step: step.name, rows: whole.count, parameters });
      // What it drops is known by lane, which differs from row to row here.
      if (isOfRun && worksByBatch) break;
      await whole.apply(next);
    }
    return fitted;
  } finally {
    await whole.close();
  }
}

/** Texts that go through TypeScript do so a batch at a time, and not all at once. */
function canGoOn(step: TransformStep, engine: Engine, whole: WholeRows): boolean {
  const { texts = [] } = transformOf(step.name, engine).compile(step, whole.columns, noPlace);
  return texts.length === 0;
}

const noPlace = { lane: "", record: "0", typed: (): string => "null" };

async function gather(whole: WholeRows, before: readonly Step[], place: FitPlace, run: FitRun): Promise<void> {
  const { pipeline, engine } = place;
  if (place.openSource === undefined) throw endless(pipeline);
  const { contract } = pipeline;
  const source = await place.openSource();
  const stop = new AbortController();
  const signal = run.signal === undefined ? stop.signal : AbortSignal.any([run.signal, stop.signal]);
  try {
    for await (const lane of source.lanes(nothingKnown, { follow: run.follow, signal })) {
      const plan = { contract, steps: before, lineage: true, takes: "relation", lane: contentOf(lane.id) } as const;
      const checker = await BatchChecker.open(engine, plan);
      try {
        await gatherLane(whole, source, lane, checker, signal);
      } finally {
        checker.close();
      }
      if (run.follow) break;
    }
    if (run.signal?.aborted === true) throw interrupted();
  } finally {
    stop.abort();
    await source.close();
  }
}

async function gatherLane(
  whole: WholeRows,
  source: Source,
  lane: Lane,
  checker: BatchChecker,
  signal: AbortSignal,
): Promise<void> {
  const reader = await source.open(lane, lane.initial, signal);
  try {
    for (let raw = await reader.next(); raw !== undefined; raw = await reader.next()) {
      if (signal.aborted) throw interrupted();
      const checked = await checker.check(raw, 0n);
      try {
        await whole.add(checked.rows, contentOf(lane.id), raw.start.row);
      } finally {
        await checked.release();
      }
    }
  } finally {
    await reader.close();
  }
}

/** The steps with the parameters of the newest batch, when that was made by the same contract and steps. */
async function keptSteps(
  pipeline: PipelineWithContract,
  sink: Sink,
  patience: Patience,
  engine: Engine,
): Promise<readonly Step[] | undefined> {
  const kept = await patiently(patience, async () => {
    const [entry] = await sink.records.ledger({ pipeline: pipeline.name, limit: 1 });
    return entry === undefined ? undefined : sink.records.definition(pipeline.name, entry.version);
  });
  const steps: Json | undefined = kept?.["steps"];
  if (kept === undefined || !Array.isArray(steps)) return undefined;
  const parameters = (steps as readonly Json[]).map((step) => (isJsonObject(step) ? step["parameters"] : undefined));
  const bare = (steps as readonly Json[]).map((step) => (isJsonObject(step) ? withoutParameters(step) : step));
  const now = { ...definitionOf(pipeline), steps: definitionOf(pipeline)["steps"] ?? [] };
  if (inOrder({ ...kept, steps: bare }) !== inOrder(now)) return undefined;
  return pipeline.steps.map((step, index) => {
    const found = parameters[index];
    if (step.kind !== "transform" || found === undefined) return step;
    return transformOf(step.name, engine).whole?.isOfRun === true ? step : { ...step, parameters: found };
  });
}

/** A database may keep the fields of JSON in another order. */
function inOrder(value: Json): string {
  return JSON.stringify(value, (_, part: unknown) =>
    isJsonObject(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  );
}

/** Throws PIPELINE_INVALID when a step would work without the parameters that it needs. */
export async function requireFitted(pipeline: PipelineWithContract, engine: Engine): Promise<void> {
  for (const [index, step] of pipeline.steps.entries()) {
    if (step.kind !== "transform" || transformOf(step.name, engine).whole?.isOfRun === true) continue;
    if (await isUnfitted(pipeline.steps, index, pipeline, engine)) throw endless(pipeline);
  }
}

/** The pipeline with the parameters that its earlier batches were made with, where there are any; the sink is open. */
export async function withKeptParameters(
  pipeline: PipelineWithContract,
  sink: Sink,
  patience: Patience,
  engine: Engine,
): Promise<PipelineWithContract> {
  if (!(await needsFit(pipeline.steps, pipeline, engine))) return pipeline;
  const steps = await keptSteps(pipeline, sink, patience, engine);
  return steps === undefined ? pipeline : { ...pipeline, steps };
}

function withoutParameters({ parameters: _, ...step }: { readonly [key: string]: Json }): Json {
  return step;
}

function endless({ name }: PipelineWithContract): MillraceError {
  return new MillraceError(
    "PIPELINE_INVALID",
    `The pipeline "${name}" has a step that looks at all records first, and its source has no end`,
    { remedy: "Give the step its values, such as { constant: 0 } for impute and { method, shift, by } for scale." },
  );
}
