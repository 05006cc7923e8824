import { keyColumns } from "../core/contract.ts";
import type { Counts } from "../core/ledger.ts";
import { parsePlace } from "../core/place.ts";
import type { Step } from "../core/pipeline.ts";
import type { Session } from "./session.ts";
import type { Log } from "../ports/log.ts";
import { attentionOf, bySeverity } from "./attention.ts";
import type { Board } from "./board.ts";
import { type Catalogue, type KnownPipeline, tableOf } from "./catalogue.ts";
import { type Kept, Looks } from "./look.ts";
import type { OverviewNow, PipelineNow } from "./overview-shape.ts";
import type { PipelineState } from "./service.ts";

export interface OverviewParts {
  readonly catalogue: Catalogue;
  readonly board: Board;
  readonly session: Session;
  readonly states: () => readonly PipelineState[];
  readonly log: (url: string) => Promise<Log>;
}

/** What all pipelines of a service do, put together from what this process sees and what their places keep. */
export class Overview {
  readonly #parts: OverviewParts;
  readonly #looks: Looks;

  constructor(parts: OverviewParts) {
    this.#parts = parts;
    const { context } = parts.session;
    const pipelines = (): readonly KnownPipeline[] => parts.catalogue.pipelines;
    const { log } = parts;
    this.#looks = new Looks({ pipelines, log, now: () => context.now(), pause: (ms) => context.pause(ms) });
  }

  async now(): Promise<OverviewNow> {
    await this.#looks.refresh();
    const { catalogue, session } = this.#parts;
    const nowMs = session.context.now();
    const states = this.#statesByName();
    const pipelines = catalogue.pipelines.map((known) => this.#pipelineNow(known, states, nowMs));
    const attention = catalogue.pipelines
      .flatMap((known, index) => {
        const now = pipelines[index];
        return now === undefined ? [] : attentionOf(now, states.get(known.name), this.#looks.of(known.name));
      })
      .sort(bySeverity);
    return { at: new Date(nowMs).toISOString(), totals: totalsOf(pipelines), attention, pipelines };
  }

  async of(name: string): Promise<PipelineNow> {
    const known = this.#parts.catalogue.pipeline(name);
    await this.#looks.refresh();
    return this.#pipelineNow(known, this.#statesByName(), this.#parts.session.context.now());
  }

  #statesByName(): ReadonlyMap<string, PipelineState> {
    return new Map(this.#parts.states().map((state) => [state.name, state]));
  }

  #pipelineNow(known: KnownPipeline, states: ReadonlyMap<string, PipelineState>, nowMs: number): PipelineNow {
    const { name, application, kind, pipeline, place } = known;
    const kept = this.#looks.of(name);
    const state = states.get(name);
    const { figures, leftBytes } = this.#parts.board.of(name);
    const isUpload = kind === "upload";
    return {
      ...{ name, application, warehouse: place.name, kind },
      from: isUpload ? "upload" : parsePlace(pipeline.from).shown,
      to: parsePlace(pipeline.to).shown,
      table: tableOf(known),
      stages: stagesOf(known),
      state: isUpload ? "running" : (state?.state ?? "elsewhere"),
      error: state?.error === undefined ? null : { code: state.error.code, text: state.error.message },
      lastBatch: lastOf(figures.last, kept),
      ...figures.rates(nowMs),
      lagRecords: kept.lagRecords ?? null,
      lagBytes: isUpload || kept.lagRecords !== undefined ? null : leftBytes,
      delayMs: figures.delay(nowMs),
      openRejects: kept.openRejects,
      sinceStart: texts(figures.counts),
      spark: figures.spark(nowMs),
    };
  }
}

function lastOf(seen: Kept["last"], kept: Kept): PipelineNow["lastBatch"] {
  const last = (seen?.atMs ?? 0) >= (kept.last?.atMs ?? 0) ? seen : kept.last;
  if (last === undefined) return null;
  const { read, loaded, merged, filtered, rejected } = last.counts;
  const { source, atMs } = last;
  return { at: new Date(atMs).toISOString(), source, read, loaded, merged, filtered, rejected };
}

function texts({ read, loaded, merged, filtered, rejected }: Counts): Record<keyof Counts, string> {
  return {
    read: String(read),
    loaded: String(loaded),
    merged: String(merged),
    filtered: String(filtered),
    rejected: String(rejected),
  };
}

const stageChars = 300;

function stagesOf({ pipeline }: KnownPipeline): PipelineNow["stages"] {
  const { contract, steps } = pipeline;
  const key = contract === undefined ? [] : keyColumns(contract);
  const columns = Object.keys(contract?.columns ?? {}).length;
  const keyText = key.length === 0 ? "no key" : `key ${key.join(", ")}`;
  return [
    { kind: "check", text: `${columns} columns, ${keyText}` },
    ...steps.map((step) => ({ kind: step.kind, text: textOf(step).slice(0, stageChars) })),
  ];
}

function textOf(step: Step): string {
  if (step.kind === "sql") return step.sql.trim();
  return step.kind === "map" ? String(step.map) : step.name;
}

function totalsOf(pipelines: readonly PipelineNow[]): OverviewNow["totals"] {
  const sum = (of: (one: PipelineNow) => number): number => pipelines.reduce((all, one) => all + of(one), 0);
  const inState = (state: PipelineNow["state"]): number =>
    pipelines.filter((one) => one.kind === "followed" && one.state === state).length;
  return {
    rowsPerSecond: sum((one) => one.rowsPerSecond),
    rejectsPerSecond: sum((one) => one.rejectsPerSecond),
    rows: String(sum(({ sinceStart: { loaded, merged } }) => Number(loaded) + Number(merged))),
    rejects: String(sum(({ sinceStart: { rejected } }) => Number(rejected))),
    openRejects: sum((one) => one.openRejects),
    running: inState("running"),
    waiting: inState("waiting"),
  };
}
