import type { Claim } from "../../core/checkpoint.ts";
import { MillraceError } from "../../core/error.ts";
import type { RowKey } from "../../core/row-selection.ts";
import type { EngineConnection, EngineRow } from "../../ports/engine.ts";
import type { SinkBatch, Target, Unit, WriteResult } from "../../ports/sink.ts";
import type { Attachment } from "./attachment.ts";
import { forgetLanes, forgetMessages, moveCheckpoint } from "./checkpoints.ts";
import { copyRows, type ReadableRows } from "./copied-rows.ts";
import { findDuplicates } from "./duplicates.ts";
import { readKeyed, removeKeyed } from "./keyed-rows.ts";
import { troubleOf } from "./errors.ts";
import { type Inserted, type Insertion, insertRows } from "./insert-rows.ts";
import { newRejects, writeLedger, writeMessageIds, writeRejects, writeReplays } from "./kept-records.ts";
import type { Names } from "./location.ts";
import { drawNumbers } from "./numbers.ts";
import { findUnfitRows, findUnreferenced, type Refusals } from "./refusals.ts";
import { sameName } from "./same-name.ts";
import type { TableFacts } from "./table-facts.ts";
import { findByTrial } from "./trial.ts";
import { changedMeanwhile, fenced, over } from "./unit-errors.ts";
import {
  checkBalance,
  inRecordOrder,
  ownBatch,
  refusedRejects,
  resultOf,
  type UnitBatch,
  type Written,
} from "./written-batch.ts";

/** What a unit works with. */
export interface UnitPlan {
  readonly attachment: Attachment;
  readonly names: Names;
  readonly target: Target;
  readonly facts: TableFacts;
  readonly replace: boolean;
  /** Whether a key was found twice before: then rows are looked up before they are written. */
  readonly wary: { duplicates: boolean };
  readonly now: () => string;
  /** Whether the batch is in the ledger: asked when a commit failed half way. Throws FENCED when nobody can tell. */
  readonly isCommitted: (batch: bigint) => Promise<boolean>;
  /** Whether the claim's epoch is the lane's, as committed by now. */
  readonly isCurrent: (claim: Claim) => Promise<boolean>;
  /** Ends the turn of this unit. */
  readonly done: (unit: DuckdbUnit) => void;
}

/**
 * One transaction on a connection of its own. DuckDB has no savepoints: an error ends the whole transaction. So rows are
 * written at once in the hope that none is refused; if one is, the transaction is begun anew, the batches before are
 * written again, the rows at fault are found, and the others go in.
 */
export class DuckdbUnit implements Unit {
  readonly #plan: UnitPlan;
  readonly #connection: EngineConnection;
  readonly #written: Written[] = [];
  #state: "open" | "failed" | "ended" = "open";
  /** Resolves when no write or commit is under way any more. */
  #work: Promise<unknown> = Promise.resolve();
  #rollback: Promise<void> | undefined;
  #closed = false;

  private constructor(plan: UnitPlan, connection: EngineConnection) {
    this.#plan = plan;
    this.#connection = connection;
  }

  static async begin(plan: UnitPlan): Promise<DuckdbUnit> {
    const unit = new DuckdbUnit(plan, await plan.attachment.connect());
    try {
      await unit.#begin();
      return unit;
    } catch (error) {
      await unit.rollback();
      throw error;
    }
  }

  write(batch: SinkBatch): Promise<WriteResult> {
    return this.take(ownBatch(batch));
  }

  /** Writes a batch of whatever process: see `Unit.write`. */
  take(batch: UnitBatch): Promise<WriteResult> {
    return this.#working(() => this.#writeOrFail(batch));
  }

  async #writeOrFail(batch: UnitBatch): Promise<WriteResult> {
    if (this.#state !== "open") throw over();
    try {
      const written = await this.#withReadable(batch, (rows) => this.#write(batch, rows));
      this.#written.push(written);
      return resultOf(written);
    } catch (error) {
      this.#state = "failed";
      this.#plan.attachment.noteFailure(error);
      throw error;
    }
  }

  lock(keys: readonly RowKey[]): Promise<readonly (EngineRow | undefined)[]> {
    return this.#working(async () => {
      if (this.#state !== "open") throw over();
      try {
        return await readKeyed(this.#connection, this.#table, this.#plan.target, keys);
      } catch (error) {
        this.#state = "failed";
        this.#plan.attachment.noteFailure(error);
        throw error;
      }
    });
  }

  commit(): Promise<void> {
    return this.#working(() => this.#commitAndEnd());
  }

  async #commitAndEnd(): Promise<void> {
    // DuckDB lets the COMMIT of a failed transaction pass as a rollback.
    if (this.#state !== "open") throw over();
    try {
      await this.#commit();
    } finally {
      this.#end();
    }
  }

  /** Waits for a write under way: a statement of it that came behind the rollback would be a transaction of its own. */
  rollback(): Promise<void> {
    return (this.#rollback ??= this.#rollBack());
  }

  async #rollBack(): Promise<void> {
    if (this.#state === "open") this.#state = "failed";
    await this.#work;
    if (this.#isEnded()) return;
    try {
      await this.#connection.run("rollback");
    } catch (error) {
      // Nothing to roll back, or no way to say so; closing the connection ends the transaction in any case.
      this.#plan.attachment.noteFailure(error);
    }
    this.#end();
  }

  #working<Result>(work: () => Promise<Result>): Promise<Result> {
    const working = work();
    // Its caller is told how it ended.
    this.#work = Promise.allSettled([this.#work, working]);
    return working;
  }

  #isEnded(): boolean {
    return this.#state === "ended";
  }

  #end(): void {
    this.#state = "ended";
    this.#close();
    this.#plan.done(this);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  async #begin(): Promise<void> {
    await this.#connection.run("begin");
    if (!this.#plan.replace) return;
    await this.#connection.run(`delete from ${this.#table}`);
    await forgetMessages(this.#connection, this.#plan.names, this.#plan.target.pipeline);
  }

  async #commit(): Promise<void> {
    const { attachment, names, target, replace } = this.#plan;
    const last = this.#written.at(-1);
    try {
      if (replace) {
        const lanes = this.#written.map(({ batch }) => batch.claim.lane);
        await forgetLanes(this.#connection, names, target.pipeline, lanes);
      }
      await this.#connection.run("commit");
    } catch (error) {
      attachment.noteFailure(error);
      this.#close();
      // The commit may be durable and only the checkpoint that DuckDB made after it have failed.
      if (last === undefined || !(await this.#plan.isCommitted(last.batch.batch))) throw error;
    }
  }

  /** Begins anew after DuckDB has ended the transaction, and writes again what was written. */
  async #restart(): Promise<void> {
    await this.#connection.run("rollback");
    await this.#begin();
    for (const written of this.#written) {
      await this.#enter(written.batch);
      const inserted = await this.#apply(written.batch, written.batch.rows, written.refusals);
      if (inserted.loaded !== written.inserted.loaded) throw changedMeanwhile(this.#plan.target);
      await this.#keepRecords(written);
    }
  }

  async #withReadable(batch: UnitBatch, work: (rows: ReadableRows) => Promise<Written>): Promise<Written> {
    const isSeen = this.#written.length === 0 || batch.rows.count === 0 || batch.rows.isOutside === true;
    if (isSeen || this.#isElsewhere) return work(batch.rows);
    const copied = await copyRows(this.#plan.attachment, batch.rows);
    try {
      return await work(copied.rows);
    } finally {
      await copied.release();
    }
  }

  async #write(batch: UnitBatch, rows: ReadableRows): Promise<Written> {
    await this.#enterAfresh(batch);
    const { refusals, inserted } = await this.#insert(batch, rows);
    const refused = await refusedRejects(batch, refusals);
    const rejects = inRecordOrder([...batch.rejects, ...refused]);
    const fresh = newRejects(batch, rejects).length;
    const firstReject = fresh === 0 ? 0n : await this.#drawRejectIds(fresh);
    const written = { batch, refusals, refused, rejects, firstReject, inserted };
    checkBalance(written);
    await this.#keepRecords(written);
    return written;
  }

  #drawRejectIds(count: number): Promise<bigint> {
    return drawNumbers(this.#plan.attachment, this.#plan.names, "millrace_reject_id", count);
  }

  /**
   * The fence, with a second attempt when the lane was claimed since this transaction began to look: it meets the claim
   * as a conflict, or does not see the lane at all.
   */
  async #enterAfresh(batch: UnitBatch): Promise<void> {
    try {
      return await this.#enter(batch);
    } catch (error) {
      const mayBeLate =
        error instanceof MillraceError && error.code === "FENCED" && (await this.#plan.isCurrent(batch.claim));
      if (!mayBeLate && troubleOf(error) !== "conflict") throw error;
    }
    await this.#restart();
    await this.#enter(batch);
  }

  async #enter(batch: UnitBatch): Promise<void> {
    const { names, now } = this.#plan;
    if (!(await moveCheckpoint(this.#connection, names, batch.claim, batch.end, now()))) throw fenced(batch);
    await writeMessageIds(this.#connection, names, batch, now());
  }

  async #insert(batch: UnitBatch, rows: ReadableRows): Promise<{ refusals: Refusals; inserted: Inserted }> {
    const { wary } = this.#plan;
    const isPlain = this.#isElsewhere || batch.removes !== undefined;
    if (isPlain) return { refusals: new Map(), inserted: await this.#apply(batch, rows, new Map()) };
    const refusals = await this.#findUnfit(rows);
    // A restart writes the batches before once more, so from the second on keys are looked up first.
    if (wary.duplicates || this.#written.length > 0) await this.#findClashes(rows, refusals);
    try {
      return { refusals, inserted: await this.#insertBut(rows, refusals) };
    } catch (error) {
      if (troubleOf(error) !== "row") throw error;
    }
    wary.duplicates = true;
    return this.#insertAfterRefusal(batch, rows, refusals);
  }

  async #insertAfterRefusal(
    batch: UnitBatch,
    rows: ReadableRows,
    refusals: Refusals,
  ): Promise<{ refusals: Refusals; inserted: Inserted }> {
    await this.#reenter(batch);
    await this.#findClashes(rows, refusals);
    try {
      return { refusals, inserted: await this.#insertBut(rows, refusals) };
    } catch (error) {
      if (troubleOf(error) !== "row") throw error;
    }
    await findByTrial(rows.count, refusals, (excluded) => this.#try(batch, rows, excluded));
    await this.#reenter(batch);
    return { refusals, inserted: await this.#insertBut(rows, refusals) };
  }

  async #reenter(batch: UnitBatch): Promise<void> {
    await this.#restart();
    await this.#enter(batch);
  }

  /** Whether the rows but for `excluded` go in, undone in any case: resolves with the refusal of one of them. */
  async #try(batch: UnitBatch, rows: ReadableRows, excluded: ReadonlySet<number>): Promise<Error | undefined> {
    await this.#reenter(batch);
    try {
      await insertRows(this.#insertion(rows), excluded);
      return undefined;
    } catch (error) {
      if (troubleOf(error) !== "row" || !(error instanceof Error)) throw error;
      return error;
    }
  }

  #findUnfit(rows: ReadableRows): Promise<Refusals> {
    const { attachment, facts } = this.#plan;
    if (rows.count === 0) return Promise.resolve(new Map());
    return attachment.connected((connection) => findUnfitRows(connection, rows, facts));
  }

  async #findClashes(rows: ReadableRows, refusals: Refusals): Promise<void> {
    const { names, target, facts } = this.#plan;
    if (rows.count === 0) return;
    await findUnreferenced(this.#insertion(rows), names, facts, refusals);
    if (target.mode !== "merge") await findDuplicates(this.#insertion(rows), facts, refusals);
  }

  async #apply(batch: UnitBatch, rows: ReadableRows, refusals: Refusals): Promise<Inserted> {
    const { removes } = batch;
    if (removes === undefined) return this.#insertBut(rows, refusals);
    await removeKeyed(this.#connection, this.#table, this.#plan.target, removes);
    return { loaded: 0, merged: removes.length };
  }

  async #insertBut(rows: ReadableRows, refusals: Refusals): Promise<Inserted> {
    if (this.#isElsewhere) return { loaded: rows.count, merged: 0 };
    return insertRows(this.#insertion(rows), new Set(refusals.keys()));
  }

  #insertion(rows: ReadableRows): Insertion {
    const { target, facts } = this.#plan;
    const insertion = { connection: this.#connection, table: this.#table, target, rows };
    const { serial } = target;
    const column = facts.columns.find(({ name }) => serial !== undefined && sameName(name, serial));
    return column === undefined || column.default !== undefined ? insertion : { ...insertion, serial: column.name };
  }

  async #keepRecords(written: Written): Promise<void> {
    const { names, target, now } = this.#plan;
    const { batch, rejects, firstReject } = written;
    if (batch.replays !== undefined) await writeReplays(this.#connection, names, batch.replays, rejects);
    await writeRejects(this.#connection, names, batch, newRejects(batch, rejects), firstReject, now());
    await writeLedger(this.#connection, names, target, batch, resultOf(written), now());
  }

  get #isElsewhere(): boolean {
    return this.#plan.target.elsewhere === true;
  }

  get #table(): string {
    return this.#plan.names.table(this.#plan.target.table);
  }
}
