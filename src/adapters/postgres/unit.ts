import type { PoolClient } from "pg";
import { MillraceError } from "../../core/error.ts";
import { quoteIdentifier } from "../../core/identifier.ts";
import { type Counts, isBalanced } from "../../core/ledger.ts";
import { limit } from "../../core/limit.ts";
import type { Reject } from "../../core/reject.ts";
import type { RowKey } from "../../core/row-selection.ts";
import type { EngineRow } from "../../ports/engine.ts";
import type { SinkBatch, Target, Unit, WriteResult } from "../../ports/sink.ts";
import type { TableInfo } from "./catalog.ts";
import { ask } from "./client.ts";
import { noteMessages, passFence, writeEntries } from "./entries.ts";
import { keyIndexes } from "./fit.ts";
import { lockRows, removeRows } from "./keyed-rows.ts";
import type { Loading } from "./loading.ts";
import { type Habit, loadRows } from "./load.ts";
import { qualifiedName } from "./names.ts";
import { reasonOf } from "./refusal.ts";
import { Savepoint } from "./savepoint.ts";
import { forgetLanes, forgetMessages, type StateNames } from "./state.ts";

export interface UnitPlan {
  readonly client: PoolClient;
  readonly names: StateNames;
  readonly target: Target;
  /** Undefined where the rows lie elsewhere. */
  readonly table: TableInfo | undefined;
  readonly habit: Habit;
  readonly replace: boolean;
  /** Told when the unit has given its session back. */
  readonly done: (unit: Unit) => void;
}

/**
 * Starts the transaction on the session of the plan, which belongs to the unit from here on: at once if rows are to be
 * replaced, else with the first batch, which spares a round trip.
 */
export async function beginUnit(plan: UnitPlan): Promise<Unit> {
  const { client, names, target, replace, table } = plan;
  try {
    if (!replace) return new TransactionUnit(plan);
    await ask(client, "beginning a transaction", "begin");
    if (table !== undefined) {
      await emptyTable(client, qualifiedName(table.schema, table.name));
      await ask(client, "forgetting replaced messages", forgetMessages(names, target.pipeline));
    }
  } catch (error) {
    client.release(true);
    throw error;
  }
  return new TransactionUnit(plan);
}

/** Keeps other writers out before it looks for rows: what they add while it waits would otherwise stay. */
async function emptyTable(client: PoolClient, table: string): Promise<void> {
  await ask(client, "locking the table to replace its rows", `lock table ${table} in share row exclusive mode`);
  await ask(client, "removing the rows to replace", `delete from ${table}`);
}

class TransactionUnit implements Unit {
  readonly #plan: UnitPlan;
  readonly #lanes = new Set<string>();
  #state: "open" | "busy" | "failed" | "ended" = "open";
  #begun: boolean;

  constructor(plan: UnitPlan) {
    this.#plan = plan;
    this.#begun = plan.replace;
  }

  write(batch: SinkBatch): Promise<WriteResult> {
    return this.#guard(async () => {
      this.#lanes.add(batch.claim.lane);
      const begins = !this.#begun;
      this.#begun = true;
      return writeBatch(this.#plan, batch, begins);
    });
  }

  lock(keys: readonly RowKey[]): Promise<readonly (EngineRow | undefined)[]> {
    return this.#guard(async () => {
      const { client, target } = this.#plan;
      if (!this.#begun) await ask(client, "beginning a transaction", "begin");
      this.#begun = true;
      return lockRows(client, tableOf(this.#plan), target, keys);
    });
  }

  async commit(): Promise<void> {
    await this.#guard(async () => {
      const { client, replace } = this.#plan;
      if (!this.#begun) return;
      if (replace) await this.#forgetLanes();
      const { command } = await ask(client, "committing", "commit");
      // The server answers a commit of a failed transaction with ROLLBACK, and without an error.
      if (command !== "COMMIT") throw unusable();
    });
    this.#end(false);
  }

  async rollback(): Promise<void> {
    if (this.#state === "ended") return;
    const { client } = this.#plan;
    // A statement is still under way, or the session may be lost: without it the server undoes the transaction.
    if (this.#state === "busy") return this.#end(true);
    if (!this.#begun) return this.#end(false);
    try {
      await client.query("rollback");
      this.#end(false);
    } catch {
      this.#end(true);
    }
    return undefined;
  }

  /** With `replace` the rows of the other lanes are gone, and their positions with them. */
  async #forgetLanes(): Promise<void> {
    const { client, names, target } = this.#plan;
    await ask(client, "forgetting replaced lanes", forgetLanes(names, target.pipeline, [...this.#lanes]));
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

  #end(destroy: boolean): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#plan.client.release(destroy);
    this.#plan.done(this);
  }
}

function unusable(): MillraceError {
  return new MillraceError("INTERNAL", "The transaction has failed or ended and can only be rolled back", {
    remedy: "Begin a new unit and write its batches again.",
  });
}

function tableOf({ table, target }: UnitPlan): string {
  return table === undefined ? quoteIdentifier(target.table) : qualifiedName(table.schema, table.name);
}

/** `begins` the transaction if that has not been done. */
async function writeBatch(plan: UnitPlan, batch: SinkBatch, begins: boolean): Promise<WriteResult> {
  const { client, names } = plan;
  await passFence(client, names, batch, begins);
  await noteMessages(client, names, batch);
  const savepoint = new Savepoint(client);
  const { removes = [] } = batch;
  await removeRows(client, tableOf(plan), plan.target, removes);
  const { refused, merged: changed } = await writeRows(plan, batch, savepoint);
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
  await writeEntries(plan, batch, rejects, counts, savepoint.ending());
  const { loaded, rejected } = counts;
  return { loaded, merged, rejected, refused: refused.slice(0, limit.rejectsShown) };
}

async function writeRows(
  plan: UnitPlan,
  batch: SinkBatch,
  savepoint: Savepoint,
): Promise<{ refused: readonly Reject[]; merged: number }> {
  const { client, target, table } = plan;
  const { rows } = batch;
  if (rows.count === 0 || table === undefined) return { refused: [], merged: 0 };
  const ofKey = new Set(keyIndexes(target, table));
  const loading: Loading = {
    client,
    savepoint,
    table,
    tableSql: qualifiedName(table.schema, table.name),
    mergeKey: target.mode === "merge" ? target.key : undefined,
    otherUniques: new Set(table.uniques.map((index) => index.name).filter((name) => !ofKey.has(name))),
    columns: rows.columns.map((column) => column.name),
    csv: await rows.csv(),
    count: rows.count,
    refusals: [],
    merged: 0,
  };
  await loadRows(loading, plan.habit);
  const refused = loading.refusals.map(({ row, fault }) => {
    return batch.refuse(row, reasonOf(fault, table.name, loading.columns));
  });
  return { refused, merged: loading.merged };
}

function notBalanced(batch: SinkBatch, counts: Counts): MillraceError {
  const { read, loaded, merged, filtered, rejected } = counts;
  const sum = `read ${read}, loaded ${loaded} + merged ${merged} + filtered ${filtered} + rejected ${rejected}`;
  return new MillraceError("NOT_BALANCED", `Batch ${batch.batch} does not balance: ${sum}`, {
    remedy: "Nothing of it was written. Please report this: records would have been lost or counted twice.",
    at: { source: batch.source },
  });
}
