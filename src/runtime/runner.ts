import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { Lane, Source } from "../ports/source.ts";
import type { OnEvent, RunSummary } from "./events.ts";
import { tellBacklog } from "./backlog.ts";
import { isDone, tellDone } from "./lane-claim.ts";
import { LaneCrew } from "./lane-crew.ts";
import { readEndless, readLane } from "./lane-read.ts";
import { type BatchWatch, type HoldLane, knownLanes, type LaneServices } from "./lane-services.ts";
import type { Patience } from "./patience.ts";
import { fitPipeline } from "./fit.ts";
import { type OpenSinkPipeline, prepareSink } from "./sink-preparation.ts";
import { Slots } from "./slots.ts";
import { Tally } from "./tally.ts";
import { modeOf } from "./target.ts";
import { trimRepeats } from "./trimming.ts";
import { readWhole, replaceAll } from "./whole-unit.ts";

export interface RunOptions {
  /** Goes on looking for new lanes until stopped. */
  readonly follow: boolean;
  /** Aborts to stop after the batches at hand. */
  readonly stop: AbortSignal;
  readonly onEvent: OnEvent;
  /** See `Patience.totalMs`. */
  readonly patienceMs: number;
  readonly watch?: BatchWatch;
  /** The same for a sink that was not reached once. */
  readonly firstConnectionMs?: number;
}

/** A pipeline with both its ends. */
export interface OpenPipeline extends OpenSinkPipeline {
  readonly source: Source;
  /** Another one over the same records, for steps that look at all of them first. */
  openSource?(): Promise<Source>;
  /** Lanes that the memory budget has room for, where several pipelines share it. */
  readonly slots?: Slots;
}

/**
 * Runs a pipeline until its source has nothing more, or with `follow` until stopped. Closes neither source nor sink.
 * Rejects with a MillraceError when no lane works any more; what was committed before stays.
 */
export async function runPipeline(open: OpenPipeline, options: RunOptions): Promise<RunSummary> {
  const { pipeline, source, sink, context } = open;
  const startedMs = context.now();
  const crew = new LaneCrew(options.stop);
  const tally = new Tally();
  const { follow, stop, onEvent, patienceMs: totalMs } = options;
  const isReplacing = modeOf(pipeline) === "replace";
  if (follow && isReplacing) throw cannotFollow(pipeline.name);
  // A run that is stopped while it waits for the sink ends at once: what is not committed is read again next time.
  const patience: Patience = { sink, context, onEvent, totalMs, signal: crew.signal };
  const observe: OnEvent = (event) => {
    tally.observe(event);
    onEvent(event);
  };
  const fitted = {
    ...open,
    pipeline: await fitPipeline(open, patience, {
      follow,
      onEvent: observe,
      firstConnectionMs: options.firstConnectionMs,
    }),
  };
  const prepared = await prepareSink(fitted, patience, observe, options.firstConnectionMs);
  const watch = options.watch === undefined ? {} : { watch: options.watch };
  const services = { ...prepared, ...watch, source, tally, stop: crew.signal };
  if (isReplacing) await replaceTable(services);
  else await eachLane(open, options, crew, services);
  const { table } = services.target;
  return tally.summary({ table, interrupted: stop.aborted && !follow, ms: context.now() - startedMs });
}

/** Works on `parallel` lanes at a time; the first failure stops the others after their batch at hand. */
async function eachLane(
  { pipeline, source, slots }: OpenPipeline,
  { follow }: RunOptions,
  crew: LaneCrew,
  services: LaneServices,
): Promise<void> {
  const parallel = Math.min(pipeline.source.parallel ?? 1, limit.parallel);
  const own = new Slots(parallel);
  const hold: HoldLane = (work) => own.hold(() => (slots === undefined ? work() : slots.hold(work)));
  const isWhole = pipeline.source.atomic === true;
  const read = (lane: Lane): Promise<void> =>
    isWhole ? hold(() => readWhole(services, lane)) : readWithParts(services, lane, crew, hold);
  const work = async (lane: Lane): Promise<void> => {
    if (lane.until !== undefined) return readEndless(services, lane, lane.until);
    await read(lane);
    if (!services.stop.aborted) await source.settle(lane);
  };
  try {
    crew.begin(() => trimRepeats(services, follow));
    if (follow) crew.begin(() => tellBacklog(services));
    for await (const lane of source.lanes(knownLanes(services), { follow, signal: services.stop })) {
      crew.begin(() => work(lane));
      // Lanes without end are read all at once: one that waited for another to end would wait for ever.
      while (lane.until === undefined && crew.size >= parallel) await crew.oneEnded();
      if (services.stop.aborted) break;
    }
  } catch (error) {
    crew.fail(error);
  }
  await crew.end();
}

/** A lane and, when its position says that it was split, its parts. */
async function readWithParts(services: LaneServices, lane: Lane, crew: LaneCrew, hold: HoldLane): Promise<void> {
  const parts = await readLane(services, lane, hold);
  if (parts !== undefined) await crew.all(parts.map((part) => async () => void (await readLane(services, part, hold))));
}

/** All lanes at hand in one transaction that first empties the table, unless the table holds just them already. */
async function replaceTable(services: LaneServices): Promise<void> {
  const { source, stop } = services;
  const known = knownLanes(services);
  const lanes: Lane[] = [];
  for await (const lane of source.lanes(known, { follow: false, signal: stop })) lanes.push(lane);
  const checkpoints = await Promise.all(lanes.map((lane) => known.get(lane.id)));
  const isThere = lanes.every((lane, index) => isDone(source, lane, checkpoints[index]?.position));
  if (isThere) lanes.forEach((lane, index) => tellDone(services, lane, checkpoints[index]?.position ?? lane.initial));
  else await replaceAll(services, lanes);
  for (const lane of lanes) if (!stop.aborted) await source.settle(lane);
}

function cannotFollow(name: string): MillraceError {
  return new MillraceError(
    "PIPELINE_INVALID",
    `The pipeline "${name}" replaces its table and cannot follow its source`,
    {
      remedy: "Run it with --once, as often as the table is to be replaced; or let it append or merge.",
    },
  );
}
