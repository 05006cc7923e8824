import { createHash, randomUUID } from "node:crypto";
import type { Claim } from "../core/checkpoint.ts";
import { type Contract, keyColumns } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { addCounts, type Counts, isBalanced, noCounts } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";
import { definitionOf, type Mode, type Pipeline } from "../core/pipeline.ts";
import { BatchChecker } from "../engine/batch.ts";
import type { Engine } from "../engine/engine.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Sink, Target } from "../ports/sink.ts";
import type { KnownLanes, Lane, Source } from "../ports/source.ts";
import type { OnEvent, RunEvent, RunSummary } from "./events.ts";
import { LaneCrew } from "./lane-crew.ts";
import { fenced, type LaneServices, runLane } from "./lane-run.ts";
import { type Patience, patiently } from "./patience.ts";
import { sinkColumnsOf } from "./shape.ts";
import { type ClaimedLane, commitWhole } from "./whole-unit.ts";

export interface RunOptions {
  /** Goes on looking for new lanes until stopped. */
  readonly follow: boolean;
  /** Aborts to stop after the batches at hand. */
  readonly stop: AbortSignal;
  readonly onEvent: OnEvent;
  /** See `Patience.totalMs`. */
  readonly patienceMs: number;
}

/** A pipeline with its contract known and its sink opened (but not connected). */
export interface OpenSinkPipeline {
  readonly pipeline: Pipeline & { readonly contract: Contract };
  readonly sink: Sink;
  readonly engine: Engine;
  readonly context: AdapterContext;
}

/** The same with its source. */
export interface OpenPipeline extends OpenSinkPipeline {
  readonly source: Source;
}

/** The mode that a pipeline's options and contract come to. */
export function modeOf(pipeline: Pipeline & { readonly contract: Contract }): Mode {
  return pipeline.sink.mode ?? (keyColumns(pipeline.contract).length > 0 ? "merge" : "append");
}

/** Version of a definition: the first 12 hexadecimal digits of its SHA-256. */
export function versionOf(pipeline: Pipeline): string {
  return createHash("sha256").update(JSON.stringify(definitionOf(pipeline))).digest("hex").slice(0, 12);
}

/** The table that the pipeline writes to, its columns as they stand behind the last step. */
export async function targetOf(open: OpenSinkPipeline): Promise<Target> {
  const { pipeline, engine } = open;
  return {
    pipeline: pipeline.name,
    table: pipeline.sink.table ?? pipeline.contract.table,
    columns: await sinkColumnsOf(pipeline.contract, pipeline.steps, engine),
    key: keyColumns(pipeline.contract),
    mode: modeOf(pipeline),
    lineage: pipeline.sink.lineage === true,
  };
}

/** Runs a pipeline until its source has nothing more, or with `follow` until stopped. Closes neither source nor sink. */
export async function runPipeline(open: OpenPipeline, options: RunOptions): Promise<RunSummary> {
  const run = new Run(open, options);
  return run.all();
}

class Run {
  readonly #open: OpenPipeline;
  readonly #options: RunOptions;
  readonly #crew: LaneCrew;
  readonly #patience: Patience;
  readonly #startedMs: number;
  #counts: Counts = noCounts;
  #sizeBytes = 0;
  #lanes = 0;
  #alreadyLoaded = 0;

  constructor(open: OpenPipeline, options: RunOptions) {
    this.#open = open;
    this.#options = options;
    this.#crew = new LaneCrew(options.stop);
    this.#startedMs = open.context.now();
    // A run that is stopped while it waits for the sink ends at once: what is not committed is read again next time.
    this.#patience = {
      sink: open.sink,
      context: open.context,
      onEvent: options.onEvent,
      totalMs: options.patienceMs,
      signal: this.#crew.signal,
    };
  }

  async all(): Promise<RunSummary> {
    const { sink, pipeline } = this.#open;
    await patiently(this.#patience, () => sink.open());
    const services = await this.#prepare();
    if (services.target.mode === "replace") await this.#replace(services);
    else if (pipeline.source.atomic === true) await this.#eachLane(services, (lane) => this.#wholeLane(services, lane));
    else await this.#eachLane(services, (lane) => this.#lane(services, lane));
    return this.#summary(services.target.table);
  }

  async #prepare(): Promise<LaneServices> {
    const { sink, source, pipeline, engine } = this.#open;
    const target = await targetOf(this.#open);
    checkModes(sink, target, pipeline);
    const prepared = await patiently(this.#patience, () => sink.prepare(target));
    this.#options.onEvent({ event: "prepared", table: target.table, created: prepared.created, ddl: prepared.ddl });
    const version = versionOf(pipeline);
    await patiently(this.#patience, () => sink.define(pipeline.name, version, definitionOf(pipeline)));
    const plan = {
      contract: pipeline.contract,
      steps: pipeline.steps,
      lineage: prepared.lineage,
      takes: sink.facts.takes,
    };
    return {
      source,
      sink,
      target,
      run: randomUUID(),
      version,
      patience: this.#patience,
      stop: this.#crew.signal,
      onEvent: (event) => this.#observe(event),
      openChecker: () => BatchChecker.open(engine, plan),
    };
  }

  #observe(event: RunEvent): void {
    if (event.event === "batch") {
      this.#counts = addCounts(this.#counts, event.counts);
      this.#sizeBytes += event.sizeBytes;
    }
    this.#options.onEvent(event);
  }

  /** Works on `parallel` lanes at a time; the first failure stops the others after their batch at hand. */
  async #eachLane(services: LaneServices, work: (lane: Lane) => Promise<void>): Promise<void> {
    const { source, pipeline } = this.#open;
    const known = this.#knownLanes(services);
    const parallel = Math.min(pipeline.source.parallel ?? 1, services.sink.facts.unitsMax);
    const crew = this.#crew;
    try {
      for await (const lane of source.lanes(known, { follow: this.#options.follow, signal: services.stop })) {
        crew.begin(() => work(lane));
        while (crew.size >= parallel) await crew.oneEnded();
        if (services.stop.aborted) break;
      }
    } catch (error) {
      crew.fail(error);
    }
    await crew.end();
  }

  #knownLanes({ sink, target }: LaneServices): KnownLanes {
    return {
      get: (lane) => patiently(this.#patience, () => sink.checkpoint(target.pipeline, lane)),
      of: (name) => patiently(this.#patience, () => sink.records.checkpoints(target.pipeline, name)),
    };
  }

  /** A lane and, when its position says that it was split, its parts. */
  async #lane(services: LaneServices, lane: Lane): Promise<void> {
    const { source } = services;
    const claim = await this.#claim(services, lane);
    if (claim === undefined) return this.#settle(services, lane);
    const parts = source.divide(lane, claim.position);
    if (parts === undefined) {
      await this.#oneLane(services, lane, claim);
    } else {
      await this.#crew.all(parts.map((part) => () => this.#part(services, part)));
    }
    if (!services.stop.aborted) await this.#settle(services, lane);
  }

  async #part(services: LaneServices, part: Lane): Promise<void> {
    const claim = await this.#claim(services, part);
    if (claim !== undefined) await this.#oneLane(services, part, claim);
  }

  /** Takes the lane, unless there is nothing left to read in it. */
  async #claim(services: LaneServices, lane: Lane): Promise<Claim | undefined> {
    const { sink, source, target } = services;
    const before = await patiently(this.#patience, () => sink.checkpoint(target.pipeline, lane.id));
    if (before !== undefined && source.isDone(lane, before.position)) {
      this.#already(lane, before.position.row);
      return undefined;
    }
    const claim = await patiently(this.#patience, () => sink.claim(target.pipeline, lane.id, lane.source, lane.initial));
    const rows = claim.position.row - lane.initial.row;
    if (source.divide(lane, claim.position) === undefined) {
      this.#lanes += 1;
      this.#alreadyLoaded += rows;
      services.onEvent({
        event: "lane",
        source: lane.source,
        resumed: rows > 0,
        sizeBytes: lane.sizeBytes,
      });
    }
    return claim;
  }

  #already(lane: Lane, row: number): void {
    this.#lanes += 1;
    this.#alreadyLoaded += row - lane.initial.row;
    this.#options.onEvent({ event: "laneDone", source: lane.source, alreadyLoaded: row - lane.initial.row });
  }

  /** Reads the lane to its end. If another process takes it, watches it, and takes it back if it stands still. */
  async #oneLane(services: LaneServices, lane: Lane, first: Claim): Promise<void> {
    for (let claim: Claim | undefined = first; claim !== undefined; ) {
      let row = claim.position.row;
      const onEvent = (event: RunEvent): void => {
        if (event.event === "batch") row += event.counts.read;
        services.onEvent(event);
      };
      try {
        await runLane({ ...services, onEvent }, lane, claim);
        services.onEvent({ event: "laneDone", source: lane.source, alreadyLoaded: 0 });
        return;
      } catch (error) {
        if (!isFenced(error)) throw error;
        services.onEvent({ event: "notice", text: `${lane.source} was taken over by another process; watching it` });
        claim = await this.#watch(services, lane, row);
      }
    }
  }

  /**
   * Waits while another process reads the lane; a new claim when that one has stopped half-way. What it has committed
   * behind `mine`, the row that this process had come to, is loaded already.
   */
  async #watch(services: LaneServices, lane: Lane, mine: number): Promise<Claim | undefined> {
    const { sink, source, target } = services;
    const { context } = this.#open;
    let last = "";
    let movedMs = context.now();
    while (!services.stop.aborted) {
      const now = await patiently(this.#patience, () => sink.checkpoint(target.pipeline, lane.id));
      if (now === undefined) throw fenced(lane);
      if (source.isDone(lane, now.position)) {
        this.#alreadyLoaded += now.position.row - mine;
        return undefined;
      }
      const seen = `${now.epoch} ${now.position.row}`;
      if (seen !== last) movedMs = context.now();
      else if (context.now() - movedMs > limit.takeoverMs) {
        const claim = await patiently(this.#patience, () => sink.claim(target.pipeline, lane.id, lane.source, lane.initial));
        this.#alreadyLoaded += claim.position.row - mine;
        return claim;
      }
      last = seen;
      await context.pause(limit.pollMs / 4);
    }
    return undefined;
  }

  /** A whole file in one transaction, even when an earlier run had split it. */
  async #wholeLane(services: LaneServices, lane: Lane): Promise<void> {
    const claim = await this.#claim(services, lane);
    const claimed: ClaimedLane[] = [];
    if (claim !== undefined) {
      const parts = services.source.divide(lane, claim.position);
      for (const part of parts ?? []) {
        const taken = await this.#claim(services, part);
        if (taken !== undefined) claimed.push({ lane: part, claim: taken });
      }
      if (parts === undefined) claimed.push({ lane, claim });
    }
    if (claimed.length > 0) await commitWhole(services, claimed, false);
    await this.#settle(services, lane);
  }

  /** All lanes at hand in one transaction that first empties the table. */
  async #replace(services: LaneServices): Promise<void> {
    const { source } = this.#open;
    const lanes: Lane[] = [];
    const options = { follow: false, signal: this.#options.stop };
    for await (const lane of source.lanes(this.#knownLanes(services), options)) lanes.push(lane);
    const known = await Promise.all(lanes.map((lane) => this.#knownLanes(services).get(lane.id)));
    if (lanes.every((lane, index) => isDone(source, lane, known[index]?.position))) {
      lanes.forEach((lane, index) => this.#already(lane, known[index]?.position.row ?? 0));
      return;
    }
    const claimed: ClaimedLane[] = [];
    for (const lane of lanes) {
      const { sink, target } = services;
      const claim = await patiently(this.#patience, () => sink.claim(target.pipeline, lane.id, lane.source, lane.initial));
      // What an earlier load of this content left is about to be removed: it is read from its start.
      claimed.push({ lane, claim: { ...claim, position: lane.initial } });
      this.#lanes += 1;
    }
    await commitWhole(services, claimed, true);
    for (const { lane } of claimed) await this.#settle(services, lane);
  }

  async #settle(services: LaneServices, lane: Lane): Promise<void> {
    if (!services.stop.aborted) await services.source.settle(lane);
  }

  #summary(table: string): RunSummary {
    return {
      ...this.#counts,
      table,
      alreadyLoaded: this.#alreadyLoaded,
      balanced: isBalanced(this.#counts),
      interrupted: this.#options.stop.aborted && !this.#options.follow,
      lanes: this.#lanes,
      sizeBytes: this.#sizeBytes,
      ms: this.#open.context.now() - this.#startedMs,
    };
  }
}

function isDone(source: Source, lane: Lane, position: Claim["position"] | undefined): boolean {
  return position !== undefined && source.isDone(lane, position);
}

function isFenced(error: unknown): boolean {
  return error instanceof MillraceError && error.code === "FENCED";
}

function checkModes(sink: Sink, target: Target, pipeline: Pipeline): void {
  const { facts, shown } = sink;
  if (!facts.modes.includes(target.mode)) {
    throw new MillraceError("PIPELINE_INVALID", `${shown} cannot ${target.mode} rows`, {
      remedy: `Its modes are ${facts.modes.join(", ")}.`,
    });
  }
  if (target.mode === "merge" && target.key.length === 0) {
    throw new MillraceError("PIPELINE_INVALID", "Rows are merged by key, and the contract has none", {
      remedy: "Mark the key columns in the contract, or name them with --key; or use append.",
      at: { table: target.table },
    });
  }
  if ((pipeline.source.atomic === true || target.mode === "replace") && !facts.wholeFileUnits) {
    throw new MillraceError("PIPELINE_INVALID", `${shown} cannot take a whole file in one transaction`, {
      remedy: "Leave out --atomic and --mode replace for this sink.",
    });
  }
  if (pipeline.sink.guarantee === "exactly-once" && facts.guarantee !== "exactly once") {
    throw new MillraceError("GUARANTEE_UNMET", `${shown} gives ${facts.guarantee}, and exactly once was asked for`, {
      remedy: facts.how,
    });
  }
}
