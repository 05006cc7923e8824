import { MillraceError } from "../core/error.ts";
import type { Pipeline, SinkOptions } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import { nearestName } from "../formats/nearest.ts";
import type { Sink } from "../ports/sink.ts";
import type { Session } from "./session.ts";
import { stagesOf } from "./stages.ts";
import type { Warehouse } from "./warehouse.ts";

/** A pipeline of a service, or a stage of one. */
export interface KnownPipeline {
  readonly name: string;
  readonly application: string;
  /** `upload`: it only does what it is handed. */
  readonly kind: "followed" | "upload";
  readonly pipeline: Pipeline;
  readonly place: KnownPlace;
}

/** A place that rows go to, with its ledger and rejects. */
export class KnownPlace {
  /** After the application that uses it first. */
  readonly name: string;
  /** Without secrets. */
  readonly shown: string;
  readonly url: string;
  readonly options: SinkOptions;
  /** Where records can be handed over to it. */
  warehouse: Warehouse | undefined;
  readonly #session: Session;
  #sink: Promise<Sink> | undefined;

  constructor(name: string, url: string, options: SinkOptions, session: Session) {
    this.name = name;
    this.url = url;
    this.options = options;
    this.shown = parsePlace(url).shown;
    this.#session = session;
  }

  /** Open for as long as the service runs. Rejects with the place's error; the next call tries again. */
  sink(): Promise<Sink> {
    if (this.warehouse !== undefined) return Promise.resolve(this.warehouse.sink);
    if (this.#sink !== undefined) return this.#sink;
    const opening = this.#open();
    this.#sink = opening;
    opening.catch(() => (this.#sink = undefined)); // its caller is told
    return opening;
  }

  /** Does `work` with the place; what it says is told as an error with a code. */
  async ask<Result>(work: (sink: Sink) => Promise<Result>): Promise<Result> {
    const sink = await this.sink();
    try {
      return await work(sink);
    } catch (error) {
      throw sink.explain(error);
    }
  }

  async #open(): Promise<Sink> {
    const sink = await this.#session.sink(this.url, this.options);
    try {
      await sink.open();
      return sink;
    } catch (error) {
      await sink.close();
      throw sink.explain(error);
    }
  }
}

/** All pipelines of a service, whichever process runs them, and the places that they write to. */
export class Catalogue {
  readonly #session: Session;
  readonly #pipelines = new Map<string, KnownPipeline>();
  readonly #places = new Map<string, KnownPlace>();

  constructor(session: Session) {
    this.#session = session;
  }

  get pipelines(): readonly KnownPipeline[] {
    return [...this.#pipelines.values()];
  }

  get places(): readonly KnownPlace[] {
    return [...this.#places.values()];
  }

  /** Throws PIPELINE_UNKNOWN. */
  pipeline(name: string): KnownPipeline {
    const known = this.#pipelines.get(name);
    if (known !== undefined) return known;
    const near = nearestName(name, [...this.#pipelines.keys()]);
    throw new MillraceError("PIPELINE_UNKNOWN", `The service has no pipeline ${JSON.stringify(name)}`, {
      remedy: near === undefined ? "GET /api/overview lists them." : `Did you mean ${near}?`,
    });
  }

  place(name: string): KnownPlace | undefined {
    return this.places.find((one) => one.name === name);
  }

  /** A pipeline of an application, in its stages. */
  async add(application: string, whole: Pipeline): Promise<void> {
    for (const pipeline of await stagesOf(whole, this.#session.engine)) {
      const place = this.#placeOf(application, pipeline.to, pipeline.sink);
      this.#put({ name: pipeline.name, application, kind: "followed", pipeline, place });
    }
  }

  /** What is handed over to the tables of a warehouse counts as pipelines too. */
  addWarehouse(application: string, url: string, options: SinkOptions, warehouse: Warehouse): void {
    const place = this.#placeOf(application, url, options);
    place.warehouse ??= warehouse;
    for (const contract of warehouse.contracts.values()) {
      const pipeline = warehouse.pipelineOf(contract.table, "merge");
      this.#put({ name: pipeline.name, application, kind: "upload", pipeline, place });
    }
  }

  #put(known: KnownPipeline): void {
    this.#pipelines.set(known.name, known);
  }

  #placeOf(application: string, url: string, { stateSchema, state }: SinkOptions): KnownPlace {
    const key = JSON.stringify([url, stateSchema, state]);
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const own = this.places.filter(({ name }) => name === application || name.startsWith(`${application}-`)).length;
    const options = {
      ...(stateSchema === undefined ? {} : { stateSchema }),
      ...(state === undefined ? {} : { state }),
    };
    const name = own === 0 ? application : `${application}-${own + 1}`;
    const place = new KnownPlace(name, url, options, this.#session);
    this.#places.set(key, place);
    return place;
  }
}

/** What the ledger calls the rows' place. */
export function tableOf({ pipeline }: Pick<KnownPipeline, "pipeline">): string {
  return pipeline.sink.table ?? pipeline.contract?.table ?? parsePlace(pipeline.to).shown;
}
