import { MillraceError } from "../../core/error.ts";
import { type Counts, isBalanced } from "../../core/ledger.ts";
import { limit } from "../../core/limit.ts";
import type { Reject } from "../../core/reject.ts";
import type { RowKey } from "../../core/row-selection.ts";
import type { EngineRow } from "../../ports/engine.ts";
import type { SinkBatch, Target, Unit, WriteResult } from "../../ports/sink.ts";
import type { TableInfo } from "./catalog.ts";
import { keepRejects, noteMessages, passFence, writeLedger } from "./entries.ts";
import { keyIndexes } from "./fit.ts";
import { lockRows, removeRows } from "./keyed-rows.ts";
import { type Habit, loadRows } from "./load.ts";
import type { Loading } from "./loading.ts";
import { foldName } from "./names.ts";
import { reasonOf } from "./refusal.ts";
import type { Session } from "./session.ts";
import { forgetLanes, forgetMessages, type StateNames } from "./state.ts";

export interface UnitPlan {
  readonly session: Session;
  readonly names: StateNames;
  readonly target: Target;
  /** Undefined where the rows lie elsewhere. */
  readonly table: TableInfo | undefined;
  /** The table's name, quoted and with its database. */
  readonly tableSql: string;
  readonly takesFiles: boolean;
  readonly habit: Habit;
  readonly replace: boolean;
  /** Takes the session back, once; a broken one is to be cut. */
  readonly done: (unit: Unit, broken: boolean) => void;
}

/** Starts the transaction on the session of the plan, which is given back by `done`, or when this throws by the caller. */
export async function beginUnit(plan: UnitPlan): Promise<Unit> {
  const { session, names, target, tableSql } = plan;
  const replace = plan.replace && plan.table !== undefined;
  const purpose = "beginning a transaction";
  // Read committed locks no gaps between keys. Here they are wanted: nobody else may add rows until the commit.
  if (replace) await session.ask(purpose, "set transaction isolation level repeatable read");
  await session.ask(purpose, "start transaction");
  if (replace) {
    await session.ask("removing the rows to replace", `delete from ${tableSql}`);
    await forgetMessages(session, names, target.pipeline);
  }
  return new TransactionUnit(plan);
}

class TransactionUnit implements Unit {
  readonly #plan: UnitPlan;
  readonly #lanes = new Set<string>();
  #state: "open" | "busy" | "failed" | "ended" = "open";

  constructor(plan: UnitPlan) {
    this.#plan = plan;
  }

  write(batch: SinkBatch): Promise<WriteResult> {
    return this.#guard(async () => {
      this.#lanes.add(batch.claim.lane);
      return writeBatch(this.#plan, batch);
    });
  }

  lock(keys: readonly RowKey[]): Promise<readonly (EngineRow | undefined)[]> {
    const { session, tableSql, target } = this.#plan;
    return this.#guard(() => lockRows(session, tableSql, target, keys));
  }

  async commit(): Promise<void> {
    await this.#guard(async () => {
      const { session, replace, names, target } = this.#plan;
      // With `replace` the rows of the other lanes are gone, and their positions with them.
      if (replace) await forgetLanes(session, names, target.pipeline, [...this.#lanes]);
      if (!session.isInTransaction) throw unusable();
      await session.ask("committing", "commit");
    });
    this.#end(false);
  }

  async rollback(): Promise<void> {
    if (this.#state === "ended") return;
    // A statement is still under way, or the session may be lost: without it the server undoes the transaction.
    if (this.#state === "busy") return this.#end(true);
    try {
      await this.#plan.session.ask("rolling back", "rollback");
      this.#end(false);
    } catch {
      this.#end(true);
    }
  }

  async #guard<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#state !== "open") throw unusable();
    this.#state = "busy";
    try {
      const result = await work();
      if (this.#isEnded()) throw unusable();
      this.#state = "open";
      return result;
    } catch (error) {
      if (!this.#isEnded()) this.#state = "failed";
      throw error;
    }
  }

  #isEnded(): boolean {
    return this.#state === "ended";
  }

  #end(broken: boolean): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#plan.done(this, broken);
  }
}

function unusable(): MillraceError {
  return new MillraceError("INTERNAL", "The transaction has failed or ended and can only be rolled back", {
    remedy: "Begin a new unit and write its batches again.",
  });
}

async function writeBatch(plan: UnitPlan, batch: SinkBatch): Promise<WriteResult> {
  const { session, names, target } = plan;
  await passFence(session, names, batch);
  await noteMessages(session, names, batch);
  const { removes = [] } = batch;
  await removeRows(session, plan.tableSql, target, removes);
  const { refused, merged: changed } = await writeRows(plan, batch);
  const merged = changed + removes.length;
  const rejects = [...batch.rejects, ...refused];
  const counts: Counts = {
    read: batch.read,
    loaded: batch.rows.count - refused.length - changed,
    merged,
    filtered: batch.filtered,
    rejected: rejects.length,
  };
  if (!isBalanced(counts)) throw notBalanced(batch, counts);
  await keepRejects(session, names, batch, rejects);
  await writeLedger(session, names, target.table, batch, counts);
  // Should the server have ended the transaction by itself, what came after stands alone.
  if (!session.isInTransaction) throw unusable();
  const { loaded, rejected } = counts;
  return { loaded, merged, rejected, refused: refused.slice(0, limit.rejectsShown) };
}

async function writeRows(plan: UnitPlan, batch: SinkBatch): Promise<{ refused: readonly Reject[]; merged: number }> {
  const { session, target, table, tableSql, takesFiles } = plan;
  const { rows } = batch;
  if (rows.count === 0 || table === undefined) return { refused: [], merged: 0 };
  const names = rows.columns.map((column) => column.name);
  const keys = new Set(keyIndexes(target, table));
  const loading: Loading = {
    session,
    table,
    tableSql,
    mergeKey: target.mode === "merge" ? target.key : undefined,
    keyIndexes: keys,
    otherUniques: table.uniques.some(
      (index) => !keys.has(index.name) && index.columns.some((one) => holds(names, one)),
    ),
    columns: rows.columns,
    csv: await rows.csv(),
    count: rows.count,
    takesFiles,
    refusals: [],
    fresh: 0,
  };
  await loadRows(loading, plan.habit);
  const keyOf = (index: string): readonly string[] => table.uniques.find((one) => one.name === index)?.columns ?? [];
  const refused = loading.refusals.map(({ row, fault }) => batch.refuse(row, reasonOf(fault, names, keyOf)));
  return { refused, merged: rows.count - refused.length - loading.fresh };
}

const holds = (names: readonly string[], column: string): boolean =>
  names.some((name) => foldName(name) === foldName(column));

function notBalanced(batch: SinkBatch, counts: Counts): MillraceError {
  const { read, loaded, merged, filtered, rejected } = counts;
  const sum = `read ${read}, loaded ${loaded} + merged ${merged} + filtered ${filtered} + rejected ${rejected}`;
  return new MillraceError("NOT_BALANCED", `Batch ${batch.batch} does not balance: ${sum}`, {
    remedy: "Nothing of it was written. Please report this: records would have been lost or counted twice.",
    at: { source: batch.source },
  });
}
