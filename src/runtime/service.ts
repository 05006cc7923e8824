import { join } from "node:path";
import type { Contract } from "../core/contract.ts";
import { type MillraceError, toMillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline } from "../core/pipeline.ts";
import { retryPauseMs } from "../core/retry.ts";
import type { Drop } from "../ports/drop.ts";
import { stageNames } from "../core/stage.ts";
import type { Appendable, Log } from "../ports/log.ts";
import type { Notifier } from "../ports/notifier.ts";
import type { Replicas } from "../ports/replicas.ts";
import type { Store } from "../ports/store.ts";
import { Backups } from "./backup.ts";
import { Board } from "./board.ts";
import { Catalogue } from "./catalogue.ts";
import type { OnEvent, RunEvent } from "./events.ts";
import { expectedFiles } from "./expected-files.ts";
import { type FileRelation, type FileRelationOptions, withFileRelation } from "./file-relation.ts";
import type { BatchWatch } from "./lane-services.ts";
import { readInsights } from "./insight-files.ts";
import { Insights } from "./insights.ts";
import { makeFolder, scratchIn } from "./made-folder.ts";
import { openAppendable } from "./queue-entrance.ts";
import { runIn } from "./run.ts";
import { openArchive, openDrop, openLog, openNotifier, openReplicas, openStore } from "./schemes.ts";
import { Schedule } from "./schedule.ts";
import { shareSink, stateOf } from "./service-sink.ts";
import { Session } from "./session.ts";
import { chosenStages, stagesOf } from "./stages.ts";
import { Warehouse } from "./warehouse.ts";

/** What a service tells those who watch it: events of pipelines and uploads, and how its own work fares. */
export type ServiceEvent =
  | { readonly kind: "pipeline"; readonly pipeline: string; readonly event: RunEvent }
  | {
      readonly kind: "failed";
      readonly what: string;
      readonly error: MillraceError;
      readonly pauseMs: number | undefined;
    }
  | { readonly kind: "notice"; readonly text: string };

export interface ServiceOptions {
  /** Folder of what is embedded; created when missing. */
  readonly data: string;
  readonly memoryBytes?: number;
  readonly stateSchema?: string;
  readonly onEvent: (event: ServiceEvent) => void;
}

/** How a pipeline of a service fares. */
export interface PipelineState {
  readonly name: string;
  /** `waiting` after a failure, until it is tried again. */
  state: "running" | "waiting" | "stopped";
  error: MillraceError | undefined;
}

export interface Readiness {
  readonly isReady: boolean;
  /** By the scheme alone: the answer is for everyone. */
  readonly places: readonly { readonly place: string; readonly state: string }[];
  readonly pipelines: readonly { readonly name: string; readonly state: string; readonly error?: string }[];
}

const readinessMs = 1_000;

/** Lanes of pipelines and uploads that the memory budget is shared among. */
const lanesAtOnce = 6;

/**
 * One process that runs day and night: the engine, the places it holds, pipelines that are begun again when they fail,
 * and work at set times. Closing it ends all of that in order; what was committed stays.
 */
export class Service {
  readonly data: string;
  readonly session: Session;
  /** Aborts when the service is to end. */
  readonly stop: AbortSignal;
  /** What this process has seen of the pipelines. */
  readonly board: Board;
  /** All pipelines of the service, also those that other processes run. */
  readonly catalogue: Catalogue;
  /** Of all applications. */
  readonly allInsights: Insights[] = [];
  readonly #stopping: AbortController;
  readonly #options: ServiceOptions;
  readonly #warehouses: Warehouse[] = [];
  readonly #schedules: Schedule[] = [];
  #scheduleStore: Promise<Store> | undefined;
  readonly #work = new Set<Promise<void>>();
  readonly #pipelines = new Map<string, PipelineState>();
  readonly #leaving = new AbortController();
  #relations: Promise<unknown> = Promise.resolve();
  /** Everybody may ask, and all who ask within a second get one answer. */
  #looked: { readonly atMs: number; readonly readiness: Promise<Readiness> } | undefined;

  private constructor(session: Session, options: ServiceOptions, stopping: AbortController) {
    this.session = session;
    this.data = options.data;
    this.#options = options;
    this.#stopping = stopping;
    this.stop = stopping.signal;
    this.board = new Board(() => session.context.now());
    this.catalogue = new Catalogue(session);
  }

  static async open(options: ServiceOptions): Promise<Service> {
    await makeFolder(options.data);
    await makeFolder(scratchIn(options.data));
    const notice = (text: string): void => options.onEvent({ kind: "notice", text });
    const { memoryBytes } = options;
    const memory = memoryBytes === undefined ? {} : { memoryBytes };
    const session = await Session.open({ notice, parallel: lanesAtOnce, data: options.data, ...memory });
    return new Service(session, options, new AbortController());
  }

  get pipelines(): readonly PipelineState[] {
    return [...this.#pipelines.values()];
  }

  /** A folder for temporary files of this process. */
  get scratch(): string {
    return scratchIn(this.data);
  }

  /** Opens a place of tables for as long as the service runs. Rejects as `Warehouse.open`. */
  async warehouse(name: string, url: string, contracts: readonly Contract[]): Promise<Warehouse> {
    const { stop } = this;
    const { stateSchema } = this.#options;
    const onEvent = (pipeline: string): OnEvent => this.#eventsOf(pipeline);
    const warehouse = await Warehouse.open(this.session, { name, url, contracts, stateSchema, onEvent, stop });
    this.#warehouses.push(warehouse);
    this.catalogue.addWarehouse(name, url, stateSchema === undefined ? {} : { stateSchema }, warehouse);
    return warehouse;
  }

  /** Backups at `place`, a folder or a bucket. */
  async backups(place: string): Promise<Backups> {
    const { engine, context } = this.session;
    const archive = this.session.closing(await openArchive(place, context));
    return new Backups({ archive, engine, context, folder: this.scratch });
  }

  /** A log, opened for as long as the service runs. */
  log(url: string): Promise<Log> {
    return this.#opened(openLog(url, this.session.context));
  }

  /** A log, or what leads into a queue, opened for as long as the service runs. */
  appendable(url: string): Promise<Appendable> {
    return this.#opened(openAppendable(url, this.session.context));
  }

  async #opened<Some extends Appendable>(opening: Promise<Some>): Promise<Some> {
    const log = this.session.closing(await opening);
    try {
      await log.open();
    } catch (error) {
      throw log.explain(error);
    }
    return log;
  }

  /** A store, opened for as long as the service runs. */
  async store(url: string): Promise<Store> {
    const store = this.session.closing(await openStore(url, this.session.context));
    await store.open();
    return store;
  }

  /** Replicas, opened for as long as the service runs. */
  async replicas(url: string): Promise<Replicas> {
    const replicas = this.session.closing(await openReplicas(url, this.session.context));
    await replicas.open();
    return replicas;
  }

  /** A folder into which others put files, opened for as long as the service runs. */
  async drop(url: string): Promise<Drop> {
    const drop = this.session.closing(await openDrop(url, this.session.context));
    await drop.open();
    return drop;
  }

  /** Where messages go, for as long as the service runs. */
  async notifier(url: string): Promise<Notifier> {
    return this.session.closing(await openNotifier(url, this.session.context));
  }

  /** Does `work` with the records of a file; one file at a time. */
  relation<Result>(
    url: string,
    options: Omit<FileRelationOptions, "folder">,
    work: (relation: FileRelation) => Promise<Result>,
  ): Promise<Result> {
    const { session, scratch: folder } = this;
    const turn = this.#relations.then(() => withFileRelation(session, url, { ...options, folder }, work));
    this.#relations = turn.catch(() => undefined); // its own caller is told
    return turn;
  }

  /** The insights of a folder over a warehouse, each tried once. Rejects with INSIGHT_INVALID. */
  async insights(folder: string, { sink }: Warehouse): Promise<Insights> {
    const insights = new Insights({
      insights: await readInsights(folder),
      sink,
      now: () => this.session.context.now(),
    });
    await insights.check();
    this.allInsights.push(insights);
    return insights;
  }

  /** Follows the pipeline's source until the service ends; after a failure it is begun again, later each time. */
  follow(pipeline: Pipeline, watch: BatchWatch = {}): void {
    const names = stageNames(pipeline);
    const expected = expectedFiles(pipeline, this.session.context);
    if (expected !== undefined) this.schedule(`${pipeline.name}: expected file`, expected.pattern, expected.check);
    for (const [index, name] of names.entries()) {
      const state: PipelineState = { name, state: "running", error: undefined };
      this.#pipelines.set(name, state);
      // What a stage before the last commits is no row yet.
      const ofStage: BatchWatch = { rejected: async (rejects, source) => watch.rejected?.(rejects, source) };
      const own = index === names.length - 1 ? watch : ofStage;
      const onFirst = index === 0 ? expected?.seen : undefined;
      // Never rejects: a failure is told, and the pipeline begun again.
      this.#begin(() => this.#followOne(pipeline, state, this.board.watching(name, own), onFirst)).catch(
        () => undefined,
      );
    }
  }

  /**
   * Does `work` whenever the cron pattern says so, in UTC or in the zone of a `CRON_TZ=` before it, never twice at once; what
   * is missed or left out is said. Throws CONFIG_INVALID for a pattern that is none.
   */
  schedule(what: string, pattern: string, work: () => Promise<void>): void {
    const store = (): Promise<Store> => (this.#scheduleStore ??= this.store(`file:${join(this.data, "schedules.db")}`));
    const { context } = this.session;
    const parts = { notice: (text: string) => context.notice(text), now: () => context.now() };
    const attempt = (): Promise<void> => this.#attempt(what, work);
    // Never rejects: a failure is told.
    const begin = (task: () => Promise<void>): void => void this.#begin(task).catch(() => undefined);
    this.#schedules.push(new Schedule({ what, pattern, work: attempt, store, ...parts }, begin));
  }

  /**
   * Does turn after turn until the service ends: the next at once while there was something to do, else after a pause that
   * grows, as it does after a failure, which is told.
   */
  repeat(what: string, turn: () => Promise<boolean>): void {
    const { context } = this.session;
    // Never rejects: a failure is told.
    this.#begin(async () => {
      for (let idle = 0; !this.stop.aborted; ) {
        try {
          idle = (await turn()) ? 0 : idle + 1;
        } catch (error) {
          if (this.stop.aborted) return;
          idle += 1;
          const pauseMs = turnPauseMs(idle);
          this.#options.onEvent({ kind: "failed", what, error: toMillraceError(error), pauseMs });
        }
        // Who stops meanwhile need not wait.
        await context.pause(turnPauseMs(idle), this.stop).catch(() => undefined);
      }
    }).catch(() => undefined);
  }

  /** From now on the service says that it is not ready, so that whoever shares out the work sends no more. */
  announceStop(): void {
    this.#leaving.abort();
  }

  /** Aborts when the service is about to end. */
  get stopping(): AbortSignal {
    return this.#leaving.signal;
  }

  /** Whether the service can do its work: its warehouses answer. Pipelines that wait after a failure are named. */
  readiness(): Promise<Readiness> {
    const now = this.session.context.now();
    const known = this.#looked;
    if (known !== undefined && now - known.atMs < readinessMs && !this.stopping.aborted) return known.readiness;
    const readiness = this.#look();
    this.#looked = { atMs: now, readiness };
    return readiness;
  }

  async #look(): Promise<Readiness> {
    const places = await Promise.all(this.#warehouses.map(({ sink }) => stateOf(sink)));
    const pipelines = this.pipelines.map(({ name, state, error }) => ({
      ...{ name, state },
      ...(error === undefined ? {} : { error: error.code }),
    }));
    const isReady = !this.stopping.aborted && places.every(({ state }) => state === "ok");
    return { isReady, places, pipelines };
  }

  /** Asks all work to end after the batch at hand, waits for it, and closes what is open. Safe to call twice. */
  async close(): Promise<void> {
    this.#stopping.abort();
    for (const job of this.#schedules.splice(0)) job.stop();
    while (this.#work.size > 0) await Promise.all(this.#work);
    for (const warehouse of this.#warehouses.splice(0)) await warehouse.close();
    await this.session.close();
  }

  async #followOne(
    pipeline: Pipeline,
    state: PipelineState,
    watch: BatchWatch,
    onBatch: (() => void) | undefined,
  ): Promise<void> {
    for (let attempt = 1; !this.stop.aborted; attempt += 1) {
      try {
        state.state = "running";
        const onEvent: OnEvent = (event) => {
          if (event.event === "batch") {
            onBatch?.();
            attempt = 1;
            state.error = undefined;
          }
          this.#eventsOf(state.name)(event);
        };
        await this.session.within(async (session) => {
          for (const stage of chosenStages(await stagesOf(pipeline, session.engine), state.name)) {
            await shareSink(session, stage);
            await runIn(session, stage, { follow: true, signal: this.stop, onEvent, watch });
          }
        });
      } catch (error) {
        if (this.stop.aborted) break;
        state.state = "waiting";
        state.error = toMillraceError(error);
        await this.#pauseAfter(state, attempt);
      }
    }
    state.state = "stopped";
  }

  async #pauseAfter({ name, error }: PipelineState, attempt: number): Promise<void> {
    const pauseMs = Math.min(limit.pipelinePauseMaxMs, retryPauseMs(attempt, Math.random()) * 10);
    if (error !== undefined) this.#options.onEvent({ kind: "failed", what: name, error, pauseMs });
    try {
      await this.session.context.pause(pauseMs, this.stop);
    } catch (failure) {
      if (!this.stop.aborted) throw failure;
    }
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.onEvent({ kind: "failed", what, error: toMillraceError(error), pauseMs: undefined });
    }
  }

  #begin(work: () => Promise<void>): Promise<void> {
    const task: Promise<void> = work()
      .catch((error: unknown) => {
        this.#options.onEvent({ kind: "failed", what: "service", error: toMillraceError(error), pauseMs: undefined });
      })
      .finally(() => this.#work.delete(task));
    this.#work.add(task);
    return task;
  }

  #eventsOf(pipeline: string): OnEvent {
    return (event) => {
      this.board.observe(pipeline, event);
      this.#options.onEvent({ kind: "pipeline", pipeline, event });
    };
  }
}

/** Between turns of which so many had nothing to do, or failed. */
export function turnPauseMs(idle: number): number {
  return idle === 0 ? 0 : Math.min(limit.turnPauseMaxMs, limit.pollMs * 2 ** Math.min(idle - 1, 10));
}
