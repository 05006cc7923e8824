import type { Position } from "../core/checkpoint.ts";
import { MillraceError } from "../core/error.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import { type KeptRecord, LaneReplaced, type Log, type LogLane, RecordsGone } from "../ports/log.ts";
import type { MessageFormat } from "../ports/messages.ts";
import type { KnownLanes, Lane, LaneReader, RawBatch, Source } from "../ports/source.ts";
import { logName } from "./log-name.ts";
import { type BatchBounds, LogBatches } from "./log-batches.ts";
import { MessageBatches } from "./message-batches.ts";
import { messageIdsOf } from "./message-repeats.ts";

export interface LogSourceOptions {
  readonly log: Log;
  /** The processes of one group share the lanes; the pipeline's name. */
  readonly group: string;
  readonly bounds: BatchBounds;
  /** How records are read. */
  readonly format: MessageFormat;
  /** What to do about records that are not kept any more: fail, or go on behind them and say so. */
  readonly whenGone: "fail" | "skip";
  /** Whether the ledger is to keep which record of the stage before each record is. */
  readonly lineage?: boolean;
  readonly context: Pick<AdapterContext, "pause" | "notice">;
}

/** The source over a log. Its lanes have no end; read once, they end where the log ended when they were listed. */
export function logSource(options: LogSourceOptions): Source {
  return new LogSource(options);
}

/** A lane as this process reads it. */
interface ReadLane {
  readonly of: LogLane;
  /** Where it is read to, when it is read once. */
  readonly end: bigint | undefined;
  readonly revoked: AbortController;
}

class LogSource implements Source {
  readonly shown: string;
  readonly #options: LogSourceOptions;
  /** Those that are this process's now, by lane id. */
  readonly #lanes = new Map<string, ReadLane>();
  /** Also those that were revoked: whoever was about to read one is to find nothing in it. */
  readonly #begun = new WeakMap<Lane, ReadLane>();
  /** Incarnations by lane name, to tell people that a log was made anew. */
  readonly #incarnations = new Map<string, string>();

  constructor(options: LogSourceOptions) {
    this.#options = options;
    this.shown = options.log.shown;
  }

  async *lanes(
    _known: KnownLanes,
    { follow, signal }: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<Lane> {
    await this.#options.log.open();
    if (follow) {
      yield* this.#follow(signal);
      return;
    }
    for (const lane of await this.#options.log.lanes()) {
      if (signal.aborted) return;
      yield this.#begin(lane, lane.end, undefined);
    }
  }

  divide(): undefined {
    return undefined;
  }

  async open(lane: Lane, position: Position, signal: AbortSignal): Promise<LaneReader> {
    const read = this.#begun.get(lane);
    if (read === undefined) throw new TypeError(`the lane ${lane.id} is not this source's`);
    return new LogLaneReader(this.#options, lane, read, position, AbortSignal.any([signal, read.revoked.signal]));
  }

  isDone(lane: Lane, position: Position): boolean {
    const end = this.#begun.get(lane)?.end;
    return end !== undefined && offsetOf(position) >= end;
  }

  async settle(lane: Lane): Promise<void> {
    // It may have been revoked and given back meanwhile: that is another one.
    if (this.#lanes.get(lane.id) === this.#begun.get(lane)) this.#lanes.delete(lane.id);
  }

  async close(): Promise<void> {
    for (const { revoked } of this.#lanes.values()) revoked.abort();
    await this.#options.log.close();
  }

  /** Lanes as they are assigned to this process; what is assigned no more is revoked. */
  async *#follow(signal: AbortSignal): AsyncIterable<Lane> {
    const { log, group } = this.#options;
    for await (const assignment of log.assignments(group, signal)) {
      const assigned = new Map(assignment.map((lane) => [this.#idOf(lane), lane]));
      for (const [id, { revoked }] of this.#lanes) {
        if (assigned.has(id)) continue;
        this.#lanes.delete(id);
        revoked.abort();
      }
      for (const [id, lane] of assigned) {
        if (!this.#lanes.has(id)) yield this.#begin(lane, undefined, new AbortController());
      }
    }
    for (const { revoked } of this.#lanes.values()) revoked.abort();
  }

  #begin(of: LogLane, end: bigint | undefined, revoked = new AbortController()): Lane {
    const id = this.#idOf(of);
    this.#tellAnew(of);
    const read = { of, end, revoked };
    const initial = { row: 0, offset: String(of.start) };
    const source = `${this.#name}/${of.name}`;
    const lane = end === undefined ? { id, source, initial, until: revoked.signal } : { id, source, initial };
    this.#lanes.set(id, read);
    this.#begun.set(lane, read);
    return lane;
  }

  /** The incarnation is part of it: offsets of a log that was made anew are those of another lane. */
  #idOf({ name, incarnation }: LogLane): string {
    return `${this.#name}/${name}@${incarnation}`;
  }

  get #name(): string {
    return logName(this);
  }

  #tellAnew({ name, incarnation }: LogLane): void {
    const before = this.#incarnations.get(name);
    this.#incarnations.set(name, incarnation);
    if (before === undefined || before === incarnation) return;
    this.#options.context.notice(`${this.shown} was made anew; its lane ${name} is read from its start`);
  }
}

class LogLaneReader implements LaneReader {
  readonly #options: LogSourceOptions;
  readonly #lane: Lane;
  readonly #read: ReadLane;
  #batches: LogBatches;
  readonly #signal: AbortSignal;
  readonly #leaving = new AbortController();
  readonly #made: MessageBatches;
  #position: Position;

  constructor(options: LogSourceOptions, lane: Lane, read: ReadLane, position: Position, signal: AbortSignal) {
    this.#options = options;
    this.#lane = lane;
    this.#read = read;
    this.#position = position;
    this.#signal = AbortSignal.any([signal, this.#leaving.signal]);
    this.#made = new MessageBatches({ ...options, signal: this.#signal });
    this.#batches = this.#batchesFrom(offsetOf(position));
  }

  async next(): Promise<RawBatch | undefined> {
    const records = await this.#nextRecords();
    // What a lane that is not this process's any more has still handed out is left to whoever reads it now.
    if (records === undefined || this.#signal.aborted) return undefined;
    const batch = await this.#made.batch(records, this.#position, messageIdsOf(records));
    this.#position = batch?.end ?? this.#position;
    return batch;
  }

  settle(position: Position): Promise<void> {
    return this.#options.log.settle(this.#options.group, this.#read.of, offsetOf(position));
  }

  async close(): Promise<void> {
    this.#leaving.abort();
    await this.#batches.close();
  }

  #batchesFrom(offset: bigint): LogBatches {
    const { log, bounds, context } = this.#options;
    const { of, end } = this.#read;
    const stream = log.read(of, offset, this.#signal);
    return new LogBatches(end === undefined ? stream : until(stream, end), bounds, context);
  }

  async #nextRecords(): Promise<readonly KeptRecord[] | undefined> {
    if (this.#made.left.length > 0) return this.#made.left;
    if (this.#read.end !== undefined && offsetOf(this.#position) >= this.#read.end) return undefined;
    try {
      return await this.#batches.next();
    } catch (error) {
      if (error instanceof RecordsGone) return this.#goOnBehind(error);
      if (!(error instanceof LaneReplaced)) throw this.#options.log.explain(error);
      this.#options.context.notice(
        `${this.#lane.source} is not there any more as it was; waiting for what comes in its place`,
      );
      return undefined;
    }
  }

  async #goOnBehind(error: RecordsGone): Promise<readonly KeptRecord[] | undefined> {
    if (this.#options.whenGone === "fail") throw gone(this.#lane, error);
    const { wanted, start } = error;
    this.#options.context.notice(
      `${this.#lane.source} does not keep offsets ${wanted} to ${start - 1n} any more; they are skipped`,
    );
    await this.#batches.close();
    this.#position = { ...this.#position, offset: String(start) };
    this.#batches = this.#batchesFrom(start);
    return this.#nextRecords();
  }
}

async function* until(
  stream: AsyncIterable<readonly KeptRecord[]>,
  end: bigint,
): AsyncGenerator<readonly KeptRecord[], void> {
  for await (const piece of stream) {
    const wanted = piece.filter(({ offset }) => offset < end);
    if (wanted.length > 0) yield wanted;
    if ((piece.at(-1)?.offset ?? end) + 1n >= end) return;
  }
}

function offsetOf({ offset }: Position): bigint {
  if (typeof offset === "string" && /^\d+$/.test(offset)) return BigInt(offset);
  throw new TypeError("a position of a log holds an offset");
}

function gone({ source }: Lane, { wanted, start }: RecordsGone): MillraceError {
  return new MillraceError(
    "RECORDS_GONE",
    `${source} keeps its records only from offset ${start} on, and ${wanted} is next`,
    {
      remedy: `${start - wanted} offsets were trimmed before they were read: keep records longer. To go on behind them, give the source the option whenGone: "skip".`,
      at: { source },
    },
  );
}
