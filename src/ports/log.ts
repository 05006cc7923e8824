import type { Place } from "../core/place.ts";
import type { FailureKind } from "../core/retry.ts";
import type { AdapterContext } from "./adapter.ts";

/** A record on its way into a log. */
export interface LogRecord {
  /** Records of one key lie in one lane, in the order in which they were appended. Without a key in any lane. */
  readonly key?: Uint8Array;
  readonly value: Uint8Array;
  /** By which a later reader knows a repeat: the same for the same record however often it is appended. */
  readonly id?: string;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
}

/** A record as a log keeps it. */
export interface KeptRecord extends LogRecord {
  /** Of this record within its lane: rises from record to record, gaps are possible. From 0 to 2^63 - 1. */
  readonly offset: bigint;
}

/** One ordered part of a log, such as a partition. */
export interface LogLane {
  /** Its name within the log: `0`, `1`, …; the same for every process. */
  readonly name: string;
  /**
   * Another one when the log was removed and made anew under its name: offsets of the one mean nothing in the other.
   * The same in every process, of up to 64 characters.
   */
  readonly incarnation: string;
  /** Offset of the oldest record that is still kept; `end` when there is none. */
  readonly start: bigint;
  /** Offset behind the newest record that may be read. */
  readonly end: bigint;
  /** Records that were ever appended, where `end` does not tell: with gaps between offsets. Absent where it does. */
  readonly appended?: bigint;
}

/** The lanes that a process is to read now: whoever is not named in it stops at once, whoever is new begins. */
export type Assignment = readonly LogLane[];

/** Thrown by `read` for an offset that is not kept any more: records from `wanted` up to `start` are gone. */
export class RecordsGone extends Error {
  readonly lane: string;
  readonly wanted: bigint;
  readonly start: bigint;
  constructor(lane: string, wanted: bigint, start: bigint) {
    super(`records ${wanted} to ${start} of the lane ${lane} are gone`);
    this.lane = lane;
    this.wanted = wanted;
    this.start = start;
  }
}

/** Thrown by `read` when the lane is not the one it was: removed, or made anew under its name. */
export class LaneReplaced extends Error {}

export interface LogFacts {
  /** One sentence: what `append` has done when it resolves. */
  readonly durability: string;
  /** Largest value that can be appended, in bytes. */
  readonly valueBytesMax: number;
}

/**
 * A durable log of records, in lanes: a topic, a stream, the embedded log. Positions of readers are kept by those who
 * read, together with what they made of the records; a log only hands records out. Errors are MillraceErrors naming the
 * place, or the client's own, which `classify` sorts. Methods may be called at the same time.
 */
export interface Log {
  /** The place without secrets. */
  readonly shown: string;
  readonly facts: LogFacts;
  /** Connects, and creates the log with the lanes that the URL asks for where it is missing. Idempotent. */
  open(): Promise<void>;
  /**
   * Appends all records, in order within each key. Resolves when every one of them is durable; appends under way at the
   * same time share what that costs. Rejects when one is not, or may not be: those of the call may then be in the log
   * or not, any of them. SINK_FULL when the log has no room, before anything is appended.
   */
  append(records: readonly LogRecord[]): Promise<void>;
  /** All lanes as they are now. */
  lanes(): Promise<readonly LogLane[]>;
  /**
   * Takes part in reading as one of the processes of `group`, which share the lanes: yields the assignment, and again
   * whenever it changes, until the signal aborts. A lane is sooner or later assigned to exactly one of those that take
   * part; for a while it may be to two, or to one that is thought dead, which is what epochs fence. A lane that was lost
   * and came back is left out once in between: whoever had it meanwhile has raised its epoch.
   */
  assignments(group: string, signal: AbortSignal): AsyncIterable<Assignment>;
  /**
   * Records of the lane from `offset` on (or the first one behind it), in pieces as they are at hand, each not empty and
   * of about `limit.logPieceBytes` at most; waits for more at the end, until the signal aborts, which ends the loop
   * without an error. Nothing is fetched far ahead of what is taken. Throws RecordsGone, LaneReplaced, and SINK_REFUSED
   * when the lane ends before `offset`, where to wait would be to leave records out.
   */
  read(lane: LogLane, offset: bigint, signal: AbortSignal): AsyncIterable<readonly KeptRecord[]>;
  /**
   * Says that the group has stored everything before `offset`: a hint for people's tools and for what may be trimmed.
   * It need not be durable, may come late or never, and nothing is ever read from it.
   */
  settle(group: string, lane: LogLane, offset: bigint): Promise<void>;
  /** Whether an error passes by itself (`wait`) or not. */
  classify(error: unknown): FailureKind;
  /** The client's own error as one with a code, without secrets. */
  explain(error: unknown): Error;
  /**
   * Ends what reads and takes part, leaves all groups, and resolves when every append has resolved or failed. From then on
   * `append` throws INTERRUPTED. May be called again.
   */
  close(): Promise<void>;
}

/** What takes records durably: a log, or what leads into a queue. */
export type Appendable = Pick<Log, "shown" | "facts" | "open" | "append" | "classify" | "explain" | "close">;

/** The log role of an adapter. Connects to nothing yet. Throws URL_INVALID. */
export type LogFactory = (place: Place, context: Omit<AdapterContext, "engine">) => Log;
