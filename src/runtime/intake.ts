import { randomUUID } from "node:crypto";
import type { Claim, Position } from "../core/checkpoint.ts";
import { MillraceError } from "../core/error.ts";
import { addCounts, type Counts, noCounts } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";
import type { RowKey } from "../core/row-selection.ts";
import type { Reject } from "../core/reject.ts";
import type { BatchChecker } from "../engine/batch.ts";
import { receivedCsv } from "../formats/csv/received.ts";
import type { Unit, WriteResult } from "../ports/sink.ts";
import type { Lane, LaneReader } from "../ports/source.ts";
import type { OnEvent } from "./events.ts";
import { type Prepared, prepareBatch, samePosition, sinkBatch, timeNow, writeGathering } from "./lane-run.ts";
import type { SinkServices } from "./lane-services.ts";
import { patiently } from "./patience.ts";
import { removalBatch } from "./removal.ts";
import { type OpenSinkPipeline, prepareSink } from "./sink-preparation.ts";
import { Slots } from "./slots.ts";

/** CSV that somebody hands over and waits for: see `receivedCsv`. */
export interface Handover {
  /** What people call it: the ledger and the rejects keep it. */
  readonly source: string;
  readonly sizeBytes: number;
  /** All bytes from the start, each time it is called: a commit whose answer is lost is done again. */
  bytes(): AsyncIterable<Uint8Array>;
  /** Looks around in the transaction before anything is written to it; what it throws undoes it. */
  guard?(unit: Unit): Promise<void>;
  /** Looks at what has become of it before it is committed; what it throws undoes it. */
  confirm?(receipt: Receipt): void;
}

/** Rows that somebody wants to be gone, all of them or none. */
export interface Removal extends Pick<Handover, "source" | "guard"> {
  /** All different. */
  readonly keys: readonly RowKey[];
}

/** What became of a handover, all of it durable. */
export interface Receipt extends Counts {
  /** In record order, at most `limit.receiptRejects`; the sink keeps all of them. */
  readonly rejects: readonly Reject[];
}

export interface IntakeOptions {
  /** Handovers worked on at the same time. */
  readonly lanes: number;
  readonly batchBytes: number;
  readonly onEvent: OnEvent;
  /** Aborts when the process is to end. */
  readonly stop: AbortSignal;
}

/** A lane of this process alone, and what checks its batches. Without a claim it has to be claimed before it is used. */
interface HeldLane {
  readonly lane: Lane;
  readonly checker: BatchChecker;
  claim: Claim | undefined;
}

type About = Pick<Handover, "source" | "sizeBytes">;

/** One attempt. `note` is told what will be so once the commit, which comes next, arrives. */
type Attempt = (held: HeldLane, claim: Claim, note: (outcome: Outcome) => void) => Promise<Outcome>;

interface Outcome {
  readonly end: Position;
  readonly receipt: Receipt;
}

/**
 * Takes in what callers hand over: each handover commits in one transaction, together with its rejects and its ledger
 * entries, before `take` resolves. Its lanes are claimed once and belong to this process, so that a handover costs no
 * claim of its own; their positions count records and tell, when the answer to a commit was lost, whether it arrived.
 */
export class Intake {
  readonly #services: SinkServices;
  readonly #columns: readonly string[];
  readonly #options: IntakeOptions;
  readonly #slots: Slots;
  readonly #free: HeldLane[] = [];
  readonly #open = new Set<HeldLane>();
  readonly #id = randomUUID();
  #lanes = 0;
  #waiting = 0;

  private constructor(services: SinkServices, columns: readonly string[], options: IntakeOptions) {
    this.#services = services;
    this.#columns = columns;
    this.#options = options;
    this.#slots = new Slots(options.lanes);
  }

  /** Makes the table stand. Rejects as `prepareSink`; waits for a sink that is away `limit.firstConnectionMs`. */
  static async open(pipeline: OpenSinkPipeline, options: IntakeOptions): Promise<Intake> {
    const { sink, context } = pipeline;
    const patience = { sink, context, onEvent: options.onEvent, totalMs: limit.intakePatienceMs, signal: options.stop };
    const services = await prepareSink(pipeline, patience, options.onEvent, limit.firstConnectionMs);
    return new Intake(services, Object.keys(pipeline.pipeline.contract.columns), options);
  }

  /**
   * Resolves when every good record is committed and every bad one is kept as a reject. Rejects with SINK_BUSY when too
   * many wait already, and with the sink's error when it stays away: nothing of the handover is committed then, unless
   * it was only the answer that was lost.
   */
  take(handover: Handover): Promise<Receipt> {
    return this.#inTurn(handover, (held, claim, note) => this.#write(held, claim, handover, note));
  }

  /** Resolves when the rows are gone, durably. Rejects with ROW_UNKNOWN when one is not there, and as `take`. */
  remove(removal: Removal): Promise<Receipt> {
    const about = { source: removal.source, sizeBytes: 0 };
    return this.#inTurn(about, (held, claim, note) => this.#remove(held, claim, removal, note));
  }

  async #inTurn(about: About, attempt: Attempt): Promise<Receipt> {
    if (this.#waiting >= limit.intakeWaiting) throw tooMany();
    this.#waiting += 1;
    try {
      return await this.#slots.hold(() => this.#takeInLane(about, attempt));
    } finally {
      this.#waiting -= 1;
    }
  }

  async close(): Promise<void> {
    for (const { checker } of this.#open) checker.close();
    this.#open.clear();
  }

  async #takeInLane(about: About, attempt: Attempt): Promise<Receipt> {
    const held = this.#free.pop() ?? (await this.#newLane());
    try {
      return await this.#commit(held, about, attempt);
    } catch (error) {
      held.claim = undefined;
      throw error;
    } finally {
      this.#free.push(held);
    }
  }

  async #newLane(): Promise<HeldLane> {
    this.#lanes += 1;
    const lane = { id: `intake:${this.#id}/${this.#lanes}`, source: "intake", initial: { row: 0 } };
    const held = { lane, checker: await this.#services.openChecker(), claim: undefined };
    this.#open.add(held);
    return held;
  }

  async #commit(held: HeldLane, about: About, attempt: Attempt): Promise<Receipt> {
    let before: Outcome | undefined;
    return patiently(this.#services.patience, async (count) => {
      if (count > 1 || held.claim === undefined) held.claim = await this.#claim(held.lane);
      // The commit had arrived although its answer was lost.
      if (before !== undefined && samePosition(held.claim.position, before.end)) return before.receipt;
      const note = (outcome: Outcome): void => void (before = outcome);
      const outcome = await attempt(held, held.claim, note);
      held.claim = { ...held.claim, position: outcome.end };
      this.#report(about, outcome.receipt);
      return outcome.receipt;
    });
  }

  #claim({ id, source, initial }: Lane): Promise<Claim> {
    const { sink, target } = this.#services;
    return sink.claim(target.pipeline, id, source, initial);
  }

  async #write(held: HeldLane, claim: Claim, handover: Handover, note: (outcome: Outcome) => void): Promise<Outcome> {
    const reader = this.#read(handover, claim.position.row);
    const lane = { ...held.lane, source: handover.source };
    // Checked before a transaction is begun, which others may be waiting for.
    const first = await this.#prepare(held, reader);
    try {
      if (first === undefined) return { end: claim.position, receipt: { ...noCounts, rejects: [] } };
      return await this.#services.units.hold(async () => {
        const unit = await this.#services.sink.begin(this.#services.target);
        try {
          await handover.guard?.(unit);
          const outcome = await this.#writeAll(unit, lane, claim, first, () => this.#prepare(held, reader));
          handover.confirm?.(outcome.receipt);
          note(outcome);
          await unit.commit();
          return outcome;
        } finally {
          await unit.rollback();
        }
      });
    } finally {
      await first?.checked.release();
      await reader.close();
    }
  }

  async #remove(
    { lane }: HeldLane,
    claim: Claim,
    removal: Removal,
    note: (outcome: Outcome) => void,
  ): Promise<Outcome> {
    const services = this.#services;
    const batch = await removalBatch(services, { ...lane, source: removal.source }, claim, removal.keys);
    return services.units.hold(async () => {
      const unit = await services.sink.begin(services.target);
      try {
        await removal.guard?.(unit);
        const { loaded, merged, rejected } = await unit.write(batch);
        const counts = { read: batch.read, loaded, merged, filtered: 0, rejected };
        const outcome = { end: batch.end, receipt: { ...counts, rejects: [] } };
        note(outcome);
        await unit.commit();
        return outcome;
      } finally {
        await unit.rollback();
      }
    });
  }

  async #writeAll(
    unit: Unit,
    lane: Lane,
    claim: Claim,
    first: Prepared,
    next: () => Promise<Prepared | undefined>,
  ): Promise<Outcome> {
    let outcome: Outcome = { end: claim.position, receipt: { ...noCounts, rejects: [] } };
    for (let batch: Prepared | undefined = first; batch !== undefined; batch = await next()) {
      const written: Prepared = batch;
      try {
        outcome = await this.#writeOne(unit, lane, claim, written, outcome);
      } finally {
        await written.checked.release();
      }
    }
    return outcome;
  }

  async #writeOne(unit: Unit, lane: Lane, claim: Claim, batch: Prepared, before: Outcome): Promise<Outcome> {
    const { result, rejects } = await writeGathering(unit, sinkBatch(this.#services, lane, claim, batch));
    return {
      end: batch.raw.end,
      receipt: {
        ...addCounts(before.receipt, countsOf(batch, result)),
        rejects: [...before.receipt.rejects, ...rejects].slice(0, limit.receiptRejects),
      },
    };
  }

  #read(handover: Handover, row: number): LaneReader {
    const { recordBytes, rejectBytes, batchRecords } = limit;
    const bounds = { batchBytes: this.#options.batchBytes, batchRecords, recordBytes, rejectBytes };
    const { sizeBytes } = handover;
    return receivedCsv({ columns: this.#columns, bytes: handover.bytes(), sizeBytes, row, bounds });
  }

  async #prepare({ checker }: HeldLane, reader: LaneReader): Promise<Prepared | undefined> {
    const startedAt = timeNow(this.#services);
    const raw = await reader.next();
    return raw === undefined ? undefined : prepareBatch(this.#services, checker, raw, startedAt);
  }

  #report({ source, sizeBytes }: About, { rejects, ...counts }: Receipt): void {
    this.#options.onEvent({ event: "batch", source, counts, sizeBytes });
    if (rejects.length === 0) return;
    this.#options.onEvent({ event: "rejects", source, rejects: rejects.slice(0, limit.rejectsShown) });
  }
}

function countsOf({ raw, checked }: Prepared, { loaded, merged, rejected }: WriteResult): Counts {
  return { read: raw.read, loaded, merged, filtered: checked.filtered, rejected };
}

function tooMany(): MillraceError {
  return new MillraceError("SINK_BUSY", `${limit.intakeWaiting} uploads wait already`, {
    remedy: "Send it again in a few seconds.",
  });
}
