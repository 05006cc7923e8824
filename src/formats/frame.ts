import type { Reject } from "../core/reject.ts";
import type { SkipRest } from "./record-table.ts";
import type { RecordAt, RecordText } from "../ports/source.ts";

/** Bounds of reading; `limit` in core where nothing else is said. */
export interface ReadBounds {
  /** Decoded bytes of one batch. */
  readonly batchBytes: number;
  readonly batchRecords: number;
  readonly recordBytes: number;
  readonly rejectBytes: number;
}

/** Where a stretch of bytes stands in its decoded source. */
export interface FramePlace {
  readonly byte: number;
  /** 1-based line at the first byte. */
  readonly line: number;
}

/** The records found at the start of a stretch of bytes: what a batch is made of. */
export interface Framed {
  readonly records: RecordText;
  readonly read: number;
  readonly count: number;
  readonly malformed: readonly Reject[];
  recordOf(index: number): number;
  at(index: number): RecordAt;
  /** Bytes that these records took; the next record starts behind them. */
  readonly taken: number;
  /** Line ends within the bytes taken. */
  readonly lines: number;
  /** The last record is too long and goes on behind the bytes: what is left of it is to be skipped. */
  readonly rest: SkipRest | undefined;
}

/**
 * Finds the records at the start of `bytes`. `last` says that nothing comes behind them. Undefined when not even one
 * record ends within the bytes: more of them are needed.
 */
export type Frame = (bytes: Uint8Array, last: boolean, place: FramePlace) => Framed | undefined;
