import type { Contract } from "../core/contract.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline, SinkOptions } from "../core/pipeline.ts";
import type { Engine } from "../engine/engine.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Sink } from "../ports/sink.ts";
import type { Source } from "../ports/source.ts";
import { adapterContext } from "./context.ts";
import { fileSource } from "./file-lanes.ts";
import { type Budget, budgetOf, openEngine } from "./resources.ts";
import type { OpenPipeline } from "./runner.ts";
import { openSink } from "./schemes.ts";
import { Slots } from "./slots.ts";
import { requireContract } from "./target.ts";

export interface SessionOptions {
  readonly memoryBytes?: number;
  /** Lanes that will be read at once: the budget is shared among them. */
  readonly parallel?: number;
  readonly notice: (text: string) => void;
}

/** The engine of this process, and what is opened on it. Closing it closes all of that. */
export class Session {
  readonly engine: Engine;
  readonly budget: Budget;
  readonly context: AdapterContext;
  readonly #closing: { close(): Promise<void> }[] = [];
  readonly #slots: Slots;

  private constructor(engine: Engine, budget: Budget, notice: (text: string) => void) {
    this.engine = engine;
    this.budget = budget;
    this.context = adapterContext(engine, notice);
    this.#slots = new Slots(budget.lanes);
  }

  static async open(options: SessionOptions): Promise<Session> {
    const budget = budgetOf(options.memoryBytes ?? limit.memoryBytes, options.parallel ?? 1);
    return new Session(await openEngine(budget), budget, options.notice);
  }

  /** The sink at `url`; nothing is connected before its `open`. */
  async sink(url: string, options: SinkOptions = {}): Promise<Sink> {
    const sink = await openSink(url, options, this.context);
    this.#closing.push(sink);
    return sink;
  }

  /** The source of a pipeline. `contract` is undefined while it is still to be inferred. */
  source(pipeline: Pipeline, contract: Contract | undefined, again: boolean): Source {
    // One transaction for a whole file takes its lanes one after another.
    const whole = pipeline.source.atomic === true || pipeline.sink.mode === "replace";
    const { parallel: _, ...unsplit } = pipeline.source;
    const source = fileSource({
      url: pipeline.from,
      options: whole ? unsplit : pipeline.source,
      contract,
      again,
      // Rows of what a grown file held before are removed too, so they are read once more.
      fromStart: pipeline.sink.mode === "replace",
      batchBytes: this.budget.batchBytes,
      context: this.context,
    });
    this.#closing.push(source);
    return source;
  }

  /** Both ends of a pipeline whose contract is known. */
  async pipeline(pipeline: Pipeline, again = false): Promise<OpenPipeline> {
    const known = requireContract(pipeline);
    const source = this.source(pipeline, known.contract, again);
    const sink = await this.sink(pipeline.to, pipeline.sink);
    return { pipeline: known, source, sink, engine: this.engine, context: this.context, slots: this.#slots };
  }

  /** Closes what was opened, latest first, then the engine. Safe to call twice. */
  async close(): Promise<void> {
    try {
      for (let next = this.#closing.pop(); next !== undefined; next = this.#closing.pop()) await next.close();
    } catch (error) {
      // What fails to close keeps nothing else open, and is told.
      await this.close();
      throw error;
    }
    await this.engine.close();
  }
}
