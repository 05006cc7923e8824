import type { Contract } from "../core/contract.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline, SinkOptions, SourceOptions } from "../core/pipeline.ts";
import type { Engine } from "../engine/engine.ts";
import { parsePlace } from "../core/place.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { MessageFormat } from "../ports/messages.ts";
import type { Sink } from "../ports/sink.ts";
import type { Source } from "../ports/source.ts";
import { adapterContext } from "./context.ts";
import { logSink } from "./log-sink.ts";
import { stateOfLog } from "./log-state.ts";
import { logName } from "./log-name.ts";
import { openMessageFormat, openValueFormat, refuseLogOptions } from "./message-formats.ts";
import { openAppendable } from "./queue-entrance.ts";
import { type Budget, budgetOf, openEngine } from "./resources.ts";
import type { OpenPipeline } from "./runner.ts";
import { holdsRecords, isQueue, openLog, openQueue, openSink } from "./schemes.ts";
import { dataFolder } from "./settings.ts";
import { Slots } from "./slots.ts";
import { sourceOfLog, sourceOfPipelineFiles, sourceOfQueue } from "./sources.ts";
import { requireContract } from "./target.ts";

export interface SessionOptions {
  readonly memoryBytes?: number;
  /** Lanes that will be read at once: the budget is shared among them. */
  readonly parallel?: number;
  readonly notice: (text: string) => void;
  /** Folder of what is embedded, as `dataFolder` finds it when absent. */
  readonly data?: string;
}

/** The engine of this process, and what is opened on it. Closing it closes all of that. */
export class Session {
  readonly engine: Engine;
  readonly budget: Budget;
  readonly context: AdapterContext;
  readonly #closing: { close(): Promise<void> }[] = [];
  readonly #slots: Slots;
  readonly #data: string;

  private constructor(engine: Engine, budget: Budget, context: AdapterContext, slots: Slots, data: string) {
    this.engine = engine;
    this.budget = budget;
    this.context = context;
    this.#slots = slots;
    this.#data = data;
  }

  static async open(options: SessionOptions): Promise<Session> {
    const budget = budgetOf(options.memoryBytes ?? limit.memoryBytes, options.parallel ?? 1);
    const engine = await openEngine(budget);
    const { notice, data = dataFolder(undefined, process.env, process.cwd()) } = options;
    return new Session(engine, budget, adapterContext(engine, notice), new Slots(budget.lanes), data);
  }

  /** The sink at `url`, which may be a log; nothing is connected before its `open`. */
  async sink(url: string, options: SinkOptions = {}): Promise<Sink> {
    const place = parsePlace(url);
    if (holdsRecords(place)) return this.closing(await this.#logSink(url, options));
    refuseLogOptions(place.shown, options);
    return this.closing(await openSink(url, options, this.context));
  }

  async #logSink(url: string, options: SinkOptions): Promise<Sink> {
    const { context } = this;
    const { url: place, ...room } = stateOfLog(url, options.state, this.#data);
    const state = await openSink(place, options, context);
    // Avro is for the programs of others, which take a message for a record.
    const log = await openAppendable(url, context, options.format === "avro" ? 1 : undefined);
    const values = this.closing(await openValueFormat(options, logName(log), context));
    return logSink({ log, state, context, ...room, ...values });
  }

  /** Has it closed together with the session. */
  closing<Closeable extends { close(): Promise<void> }>(opened: Closeable): Closeable {
    this.#closing.push(opened);
    return opened;
  }

  /** The source of a pipeline. `contract` is undefined while it is still to be inferred. */
  async source(pipeline: Pipeline, contract: Contract | undefined, again: boolean): Promise<Source> {
    const { budget, context } = this;
    const place = parsePlace(pipeline.from);
    if (!holdsRecords(place)) {
      refuseLogOptions(place.shown, pipeline.source);
      return this.closing(sourceOfPipelineFiles(pipeline, contract, again, budget.batchBytes, context));
    }
    const format = await this.messageFormat(pipeline.source, contract);
    if (isQueue(place)) {
      const queue = await openQueue(pipeline.from, context);
      return this.closing(sourceOfQueue(queue, format, pipeline, budget.batchBytes, context));
    }
    const log = await openLog(pipeline.from, context);
    return this.closing(sourceOfLog(log, format, pipeline, budget.batchBytes, context));
  }

  /** How the records of a log are read. */
  async messageFormat(options: SourceOptions, contract: Contract | undefined): Promise<MessageFormat> {
    return this.closing(await openMessageFormat(options, contract, this.context)).format;
  }

  /** Both ends of a pipeline whose contract is known. */
  async pipeline(pipeline: Pipeline, again = false): Promise<OpenPipeline> {
    const known = requireContract(pipeline);
    const source = await this.source(pipeline, known.contract, again);
    const sink = await this.sink(pipeline.to, pipeline.sink);
    const openSource = holdsRecords(parsePlace(pipeline.from))
      ? {}
      : { openSource: () => this.source(pipeline, known.contract, false) };
    const { engine, context } = this;
    return { ...openSource, pipeline: known, source, sink, engine, context, slots: this.#slots };
  }

  /** Work that shares the engine and the memory budget; what it opens is closed behind it. */
  async within<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    const inner = new Session(this.engine, this.budget, this.context, this.#slots, this.#data);
    try {
      return await work(inner);
    } finally {
      await inner.#closeOpened();
    }
  }

  /** Closes what was opened, latest first, then the engine. Safe to call twice. */
  async close(): Promise<void> {
    try {
      await this.#closeOpened();
    } finally {
      await this.engine.close();
    }
  }

  /** What fails to close keeps nothing else open; the first failure is told. */
  async #closeOpened(): Promise<void> {
    const failures: unknown[] = [];
    for (let next = this.#closing.pop(); next !== undefined; next = this.#closing.pop()) {
      await next.close().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}
