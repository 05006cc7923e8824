import { type Column, type Contract, keyColumns, validateContract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import type { Pipeline, SinkOptions, SourceOptions, Via } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import { stageNames } from "../core/stage.ts";
import type { Engine } from "../engine/engine.ts";
import type { SinkColumn } from "../ports/rows.ts";
import { holdsRecords } from "./schemes.ts";
import { sinkColumnsOf } from "./shape.ts";
import { requireContract } from "./target.ts";

/**
 * The stages of a pipeline in order, each a pipeline of its own; one that is not cut as it is. What a stage reads is
 * checked against a contract made of the columns at that point. Throws CONTRACT_INVALID, PIPELINE_INVALID, STEP_FAILED.
 */
export async function stagesOf(pipeline: Pipeline, engine: Engine): Promise<readonly Pipeline[]> {
  const { via = [], steps } = pipeline;
  if (via.length === 0) return [pipeline];
  let { contract } = requireContract(pipeline);
  const stages: Pipeline[] = [];
  for (const [index, name] of stageNames(pipeline).entries()) {
    const [before, next] = [via[index - 1], via[index]];
    const own = steps.slice(before?.steps ?? 0, next?.steps ?? steps.length);
    stages.push({
      ...{ kind: "pipeline", name, steps: own },
      ...{ from: before?.url ?? pipeline.from, source: sourceOf(pipeline, before) },
      ...{ to: next?.url ?? pipeline.to, sink: sinkOf(pipeline, next) },
      contract: next === undefined ? contract : withoutSerial(contract),
    });
    if (next !== undefined) contract = contractBehind(contract, await sinkColumnsOf(contract, own, engine));
  }
  return stages;
}

/** Of the stages those that are asked for, by name or by number from 1; all when none is. Throws USAGE. */
export function chosenStages(stages: readonly Pipeline[], wanted: string | undefined): readonly Pipeline[] {
  if (wanted === undefined) return stages;
  const chosen = stages.filter(({ name }, index) => name === wanted || String(index + 1) === wanted);
  if (chosen.length > 0) return chosen;
  throw new MillraceError("USAGE", `There is no stage ${wanted}`, {
    remedy: `Stages are ${stages.map(({ name }, index) => `${index + 1} (${name})`).join(", ")}.`,
  });
}

function sourceOf({ source }: Pipeline, before: Via | undefined): SourceOptions {
  if (before === undefined) return source;
  const { state: _, ...options } = before.options;
  return options;
}

/** What is known of rows that go into a log on the way lies in the last sink, unless said otherwise. */
function sinkOf({ to, sink }: Pipeline, next: Via | undefined): SinkOptions {
  if (next === undefined) return sink;
  const { stateSchema, lineage } = sink;
  const state = next.options.state ?? (holdsRecords(parsePlace(to)) ? sink.state : to);
  return {
    ...(state === undefined ? {} : { state }),
    ...(stateSchema === undefined ? {} : { stateSchema }),
    ...(lineage === undefined ? {} : { lineage }),
  };
}

function withoutSerial({ serial: _, ...contract }: Contract): Contract {
  return contract;
}

/** Rules are not checked again: a step may have changed a value on purpose. */
function contractBehind(contract: Contract, columns: readonly SinkColumn[]): Contract {
  const { table, serial } = contract;
  const key = keyColumns(contract);
  const own = columns.map((column) => [column.name, columnBehind(column, key.includes(column.name))] as const);
  const made = serial === undefined ? {} : { serial };
  return validateContract({ table, columns: Object.fromEntries(own), checks: [], ...made });
}

function columnBehind({ type, precision, scale, nullable }: SinkColumn, isKey: boolean): Column {
  return {
    type,
    ...(precision === undefined ? {} : { precision }),
    ...(scale === undefined ? {} : { scale }),
    ...(isKey ? { key: true } : {}),
    ...(nullable === undefined || isKey ? {} : { nullable }),
  };
}
