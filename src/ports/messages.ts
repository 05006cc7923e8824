import type { EngineRow } from "./engine.ts";
import type { RawBatch } from "./source.ts";

/** A record of a log, as far as its format goes. */
export interface Message {
  readonly offset: bigint;
  readonly value: Uint8Array;
}

export interface MessageBounds {
  readonly recordBytes: number;
  readonly rejectBytes: number;
  /** Of the text that a batch is made of. */
  readonly batchBytes: number;
  readonly batchRecords: number;
}

/** Messages as the engine takes them; `read` says how many of them, from the first on. */
export type DecodedMessages = Omit<RawBatch, "start" | "end">;

/** How the values of a log are read. */
export interface MessageFormat {
  /**
   * Makes records of the messages, one of each: of all of them, or of as many from the first on, one at least, as the
   * bounds allow. What is no record is malformed, alone. Rejects when the signal aborts meanwhile, and with what keeps
   * all of them from being read, such as SINK_UNREACHABLE for a registry that stays away.
   */
  decode(messages: readonly Message[], bounds: MessageBounds, signal: AbortSignal): Promise<DecodedMessages>;
}

/** How rows become the values of a log. */
export interface ValueFormat {
  /**
   * A value for each row, in order. Values of rows are as in core/table's row types, but json columns hold their JSON
   * text, as parsed numbers may not be exact. May be called again with the same rows. Rejects with SINK_UNREACHABLE or
   * SINK_BUSY for what passes by itself, such as a registry that is away; SCHEMA_REFUSED.
   */
  encode(rows: readonly EngineRow[]): Promise<readonly Uint8Array[]>;
}
