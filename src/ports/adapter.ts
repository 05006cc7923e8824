import type { Place } from "../core/place.ts";
import type { SinkOptions } from "../core/pipeline.ts";
import type { EngineHost } from "./engine.ts";
import type { Sink } from "./sink.ts";

/** What an adapter is given besides its place. */
export interface AdapterContext {
  readonly engine: EngineHost;
  /** Milliseconds since 1970; the only clock an adapter has. */
  now(): number;
  /** Resolves after `ms`, or rejects when the signal aborts. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
  /** Says something to people once, such as that a lock is being waited for. */
  notice(text: string): void;
}

/** The sink role of an adapter: a factory returning an object. Connects to nothing yet. Throws URL_INVALID. */
export type SinkFactory = (place: Place, options: SinkOptions, context: AdapterContext) => Sink;
