import type { Checkpoint, Position } from "../core/checkpoint.ts";
import type { JsonObject } from "../core/json.ts";
import type { Reject } from "../core/reject.ts";

/** One ordered unit of a source: a file or a byte range of one, a partition, a queue. */
export interface Lane {
  /** The same for the same content, on any machine and in any process. */
  readonly id: string;
  /** What people call it: the file's path as given, `topic/3`. */
  readonly source: string;
  /** Where the lane starts when no checkpoint says otherwise. */
  readonly initial: Position;
  /** Bytes in the lane, where known: for progress. */
  readonly sizeBytes?: number;
  /**
   * Of a lane without end, which a group of processes shares: it is read beside all others until this aborts, which says
   * that it is not this process's any more. When another process takes it meanwhile, it is claimed again after a while.
   */
  readonly until?: AbortSignal;
}

/** What waits in a source. */
export interface Backlog {
  readonly source: string;
  readonly waiting: number;
  readonly ageMs: number;
}

/** What the sink knows of earlier lanes. */
export interface KnownLanes {
  get(lane: string): Promise<Checkpoint | undefined>;
  /** Lanes claimed under this source name. */
  of(source: string): Promise<Checkpoint[]>;
}

/** Where a record lies in its source, and its bytes. */
export interface RecordAt {
  readonly line: number | undefined;
  /** Byte in the decoded source, or offset in the log. */
  readonly offset: bigint;
  readonly bytes: Uint8Array;
}

/** In front of a day or time, ISO 8601, that had no text of its own: it meets whatever `format` its column has. */
export const timeMark = "\u0001millrace:time:";

/**
 * Records framed and ready for the engine.
 * `delimited`: CSV text of well-formed records, each of `columns.length` fields, LF or CRLF.
 * `json`: one JSON text per line.
 * `query`: SQL in the engine yielding the records in order, typed columns named as in the source.
 */
export type RecordText =
  | {
      readonly kind: "delimited";
      readonly text: Uint8Array;
      readonly delimiter: string;
      readonly quote: string;
      readonly nullText?: string;
      /** Names of the fields, in order; undefined for a field that is read and dropped. */
      readonly columns: readonly (string | undefined)[];
      /** False when no byte of `text` is the quote character: a record is then a line. */
      readonly quoted: boolean;
      /** Byte of `text` at which the record `index` starts; of the count of records, its size. Saves looking for it. */
      readonly startOf?: (index: number) => number;
    }
  | {
      readonly kind: "json";
      readonly text: Uint8Array;
      /** Fields that the contract lacks are dropped instead of making the record a reject. */
      readonly ignoreExtra?: boolean;
      /** Some values carry `timeMark`. */
      readonly times?: boolean;
    }
  | { readonly kind: "query"; readonly sql: string };

/** Consecutive records of one lane. */
export interface RawBatch {
  readonly start: Position;
  /** The position after the last record: a checkpoint once committed. */
  readonly end: Position;
  /** Records in the batch, malformed ones included. */
  readonly read: number;
  /** Bytes of the source that the batch took: for progress. */
  readonly sizeBytes: number;
  readonly records: RecordText;
  /** Well-formed records in `records`. */
  readonly count: number;
  /** Records that could not be framed; `record` numbers count all records of the batch. */
  readonly malformed: readonly Reject[];
  /** 0-based number within the batch (of all `read`) of the well-formed record `index`. */
  recordOf(index: number): number;
  /** Bytes and place of the well-formed record `index` (0-based among `count`). */
  at(index: number): RecordAt;
  /** How to read a reject's bytes again. */
  readonly format: JsonObject;
  /** When each record was appended to its log, in ms since 1970, where the source knows. */
  readonly timesMs?: Float64Array;
  /** By record, all `read` of them: what repeats of it are known by. Undefined for a record that comes once. */
  readonly messageIds?: readonly (string | undefined)[];
  /** Numbers of the records that repeat others, ascending: they are not in `records`, and count as filtered. */
  readonly repeats?: readonly number[];
  /** The same batch with these records as its `repeats`. Where there are message ids. */
  without?(repeats: ReadonlySet<number>): Promise<RawBatch>;
}

/** Reads one lane in order, from the position it was opened at. */
export interface LaneReader {
  /** The next batch, or undefined at the end of the lane. Batches are cut at record boundaries. */
  next(): Promise<RawBatch | undefined>;
  /** Called when everything before `position` is committed, batch by batch; perhaps again after a crash. */
  settle?(position: Position): Promise<void>;
  close(): Promise<void>;
}

/**
 * Where records come from. Nothing is taken from the source before `settle`; doing that twice is harmless.
 * Errors are MillraceErrors naming the source.
 */
export interface Source {
  /** The place without secrets. */
  readonly shown: string;
  /**
   * Of a source whose lanes are called `source` and never come back under their ids, and whose repeats come within `ms` or not
   * at all: what is older is forgotten. All is kept when absent.
   */
  readonly repeats?: { readonly source: string; readonly ms: number };
  /** Lanes to read now, in order. With `follow` it goes on until the signal aborts. */
  lanes(known: KnownLanes, options: { readonly follow: boolean; readonly signal: AbortSignal }): AsyncIterable<Lane>;
  /**
   * The lanes that a claimed lane was split into, as its position says; undefined when it is read whole. The split is
   * kept in the position, so that a later run with other settings finds the same lanes.
   */
  divide(lane: Lane, position: Position): readonly Lane[] | undefined;
  /** Aborting the signal ends a `next` that waits for records to come: it resolves with undefined then. */
  open(lane: Lane, position: Position, signal: AbortSignal): Promise<LaneReader>;
  /** Whether the position is the lane's end, so that there is nothing to read. */
  isDone(lane: Lane, position: Position): boolean;
  /** Called after the lane's last batch is committed, perhaps again after a crash. */
  settle(lane: Lane): Promise<void>;
  /**
   * How much waits to be read, and the age of what was read last, 0 when nothing waits: for figures to scale on. Absent
   * where what waits is told otherwise. Rejects with the client's own errors.
   */
  backlog?(): Promise<Backlog>;
  close(): Promise<void>;
}
