import { randomUUID } from "node:crypto";
import { definitionOf } from "../core/pipeline.ts";
import { BatchChecker } from "../engine/batch.ts";
import type { Engine } from "../engine/engine.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Sink, Target } from "../ports/sink.ts";
import type { OnEvent } from "./events.ts";
import type { SinkServices } from "./lane-services.ts";
import { type Patience, patiently } from "./patience.ts";
import { contentOf } from "./file-identity.ts";
import { requireFitted } from "./fit.ts";
import { Slots } from "./slots.ts";
import { type PipelineWithContract, requirePossible, targetOf, versionOf } from "./target.ts";

/** A pipeline with its contract known and its sink opened (but not connected). */
export interface OpenSinkPipeline {
  readonly pipeline: PipelineWithContract;
  readonly sink: Sink;
  readonly engine: Engine;
  readonly context: AdapterContext;
}

/**
 * Checks that the sink can do what the pipeline asks, connects, makes the table stand, and keeps the definition.
 * Rejects with what is wrong with the pipeline before it asks the sink anything.
 */
export async function prepareSink(
  { pipeline, sink, engine }: OpenSinkPipeline,
  patience: Patience,
  onEvent: OnEvent,
  firstConnectionMs = patience.totalMs,
): Promise<SinkServices> {
  const target: Target = await targetOf(pipeline, engine);
  requirePossible(sink, target, pipeline);
  await requireFitted(pipeline, engine);
  await patiently({ ...patience, totalMs: firstConnectionMs }, () => sink.open());
  const prepared = await patiently(patience, () => sink.prepare(target));
  onEvent({ event: "prepared", table: target.table, created: prepared.created, ddl: prepared.ddl });
  const version = versionOf(pipeline);
  await patiently(patience, () => sink.define(pipeline.name, version, definitionOf(pipeline)));
  const { contract, steps } = pipeline;
  const plan = { contract, steps, lineage: prepared.lineage, takes: sink.facts.takes };
  return {
    ...{ sink, target, version, patience, onEvent },
    run: randomUUID(),
    units: new Slots(sink.facts.unitsMax),
    openChecker: (lane) => BatchChecker.open(engine, lane === undefined ? plan : { ...plan, lane: contentOf(lane) }),
  };
}
