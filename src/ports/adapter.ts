import type { Place } from "../core/place.ts";
import type { SinkOptions } from "../core/pipeline.ts";
import type { Time } from "../core/time.ts";
import type { EngineHost } from "./engine.ts";
import type { Sink } from "./sink.ts";

/** What an adapter is given besides its place; its time is the only one that it has. */
export interface AdapterContext extends Time {
  readonly engine: EngineHost;
  /** Says something to people once, such as that a lock is being waited for. */
  notice(text: string): void;
}

/** The sink role of an adapter: a factory returning an object. Connects to nothing yet. Throws URL_INVALID. */
export type SinkFactory = (place: Place, options: SinkOptions, context: AdapterContext) => Sink;
