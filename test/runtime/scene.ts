import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline, type Pipeline, type SinkOptions, type SourceOptions } from "../../src/core/pipeline.ts";
import { integer, table, text } from "../../src/core/table.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { EngineRow } from "../../src/ports/engine.ts";
import type { Sink } from "../../src/ports/sink.ts";
import type { Source } from "../../src/ports/source.ts";
import type { RunEvent, RunSummary } from "../../src/runtime/events.ts";
import { fileSource } from "../../src/runtime/file-lanes.ts";
import { type OpenPipeline, type RunOptions, runPipeline } from "../../src/runtime/runner.ts";
import { openSink } from "../../src/runtime/schemes.ts";

export const people = table("people", { id: integer().key(), name: text() });

export const records = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, index) => `${from + index},name ${from + index}\n`).join("");

/** `target` with some of its methods replaced. */
export function watched<Target extends object>(target: Target, replaced: Partial<Target>): Target {
  return new Proxy(target, {
    get(of, name) {
      const value: unknown = Reflect.get(name in replaced ? replaced : of, name);
      return typeof value === "function" ? (value.bind(of) as unknown) : value;
    },
  });
}

interface Given {
  readonly source?: SourceOptions;
  readonly sink?: SinkOptions;
  readonly watchSource?: (source: Source) => Source;
  readonly watchSink?: (sink: Sink) => Sink;
  readonly options?: Partial<RunOptions>;
}

export interface Told {
  readonly summary: RunSummary;
  readonly events: readonly RunEvent[];
}

/** A folder, an engine and a DuckDB file; its clock goes by the pauses alone, so that nothing waits. */
export class Scene implements AsyncDisposable {
  readonly engine: Engine;
  readonly folder: string;
  readonly context: AdapterContext;
  readonly notices: string[] = [];
  #nowMs = Date.parse("2026-01-02T03:04:05Z");

  private constructor(engine: Engine, folder: string) {
    this.engine = engine;
    this.folder = folder;
    this.context = {
      engine,
      now: () => this.#nowMs,
      pause: async (ms, signal) => {
        signal?.throwIfAborted();
        this.#nowMs += ms;
        await new Promise((resolve) => setImmediate(resolve));
      },
      notice: (said) => void this.notices.push(said),
    };
  }

  static async open(): Promise<Scene> {
    const engine = await Engine.open({ memoryBytes: 192 * 2 ** 20, threads: 1 });
    return new Scene(engine, await mkdtemp(join(tmpdir(), "millrace-runtime-")));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, content: string): Promise<void> {
    await writeFile(this.path(name), content);
  }

  pipeline(source: SourceOptions = {}, sink: SinkOptions = {}): Pipeline & { contract: typeof people } {
    const flow = pipeline("people").from(this.path("*.csv"), { header: false, ...source });
    return { ...flow.check(people).to(`duckdb:${this.path("people.db")}`, sink), contract: people };
  }

  /** One run; batches are of about 1000 records. */
  async run({ source = {}, sink = {}, watchSource, watchSink, options }: Given = {}): Promise<Told> {
    const events: RunEvent[] = [];
    const settings: RunOptions = {
      follow: false,
      stop: new AbortController().signal,
      patienceMs: 120_000,
      onEvent: (event) => void events.push(event),
      ...options,
    };
    const open = await this.#open(source, sink);
    const { source: given, sink: into } = open;
    try {
      const seen = { source: watchSource?.(given) ?? given, sink: watchSink?.(into) ?? into };
      const onEvent = (event: RunEvent): void => {
        events.push(event);
        options?.onEvent?.(event);
      };
      return { summary: await runPipeline({ ...open, ...seen }, { ...settings, onEvent }), events };
    } finally {
      await given.close();
      await into.close();
    }
  }

  /** Reads what the sink holds, also beside Millrace's own words. */
  async query(sql: string): Promise<EngineRow[]> {
    const sink = await openSink(`duckdb:${this.path("people.db")}`, {}, this.context);
    try {
      const rows: EngineRow[] = [];
      for await (const piece of sink.query(sql)) rows.push(...piece);
      return rows;
    } finally {
      await sink.close();
    }
  }

  /** The sink of its pipelines, not yet opened; the caller closes it. */
  sink(options: SinkOptions = {}): Promise<Sink> {
    return openSink(`duckdb:${this.path("people.db")}`, options, this.context);
  }

  async #open(options: SourceOptions, sinkOptions: SinkOptions): Promise<OpenPipeline> {
    const made = this.pipeline(options, sinkOptions);
    const { contract, from: url, to } = made;
    const { context, engine } = this;
    const { parallel: _, ...whole } = made.source;
    const fromStart = sinkOptions.mode === "replace";
    const source = fileSource({
      ...{ url, contract, context, fromStart, batchBytes: 16_000, again: false },
      options: options.atomic === true || fromStart ? whole : made.source,
    });
    return { pipeline: made, engine, context, source, sink: await openSink(to, sinkOptions, context) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
