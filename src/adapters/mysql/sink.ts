import type { Claim, Position } from "../../core/checkpoint.ts";
import { MillraceError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import { limit } from "../../core/limit.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { SinkOptions } from "../../core/pipeline.ts";
import type { Place } from "../../core/place.ts";
import type { AdapterContext, SinkFactory } from "../../ports/adapter.ts";
import type { RowSelection } from "../../core/row-selection.ts";
import type { EngineParameter } from "../../ports/engine.ts";
import type { Finding, PreparedTarget, Sink, SinkFacts, Target, Unit } from "../../ports/sink.ts";
import { type Address, readAddress } from "./address.ts";
import { describeTable, type TableInfo } from "./catalog.ts";
import { targetDdl } from "./ddl.ts";
import { classifyError, explainError, isLockError } from "./errors.ts";
import { takesFiles } from "./fill.ts";
import { findings } from "./findings.ts";
import { checkFit } from "./fit.ts";
import { countRows, selectRows } from "./keyed-rows.ts";
import { type Habit, newHabit } from "./load.ts";
import { checkNames, qualifiedName } from "./names.ts";
import { queryRows } from "./query.ts";
import { findCheckpoint, type RecordPlace, sinkRecords } from "./records.ts";
import type { Session } from "./session.ts";
import { type Patience, patience, Sessions, unitsMax } from "./sessions.ts";
import {
  alone,
  definitionLane,
  ensureState,
  forgetLanes,
  forgetMessages,
  type StateNames,
  stateNames,
  trimOld,
} from "./state.ts";
import { beginUnit } from "./unit.ts";

const facts: SinkFacts = {
  guarantee: "exactly once",
  how: "Rows, rejects, ledger and position commit in one transaction of MySQL.",
  modes: ["append", "merge", "replace"],
  takes: "csv",
  unitsMax,
  wholeFileUnits: true,
  serials: true,
  elsewhere: true,
};

/** A sink in MySQL 8.0.17 or later, or MariaDB 10.6 or later. Throws URL_INVALID. */
export const mysqlSink: SinkFactory = (place, options, context) => new MysqlSink(place, options, context, patience);

interface ClaimRow {
  readonly epoch: number;
  readonly position: string;
}

export class MysqlSink implements Sink {
  readonly shown: string;
  readonly facts = facts;
  readonly records;
  readonly #address: Address;
  readonly #names: StateNames;
  readonly #sessions: Sessions;
  /** For queries: they can write nothing. */
  readonly #readers: Sessions;
  readonly #context: AdapterContext;
  readonly #tables = new Map<string, TableInfo>();
  readonly #habits = new Map<string, Habit>();
  readonly #units = new Set<Unit>();
  readonly #place: RecordPlace;
  /** Undefined until it is open. */
  #use: "write" | "read" | undefined;
  #takesFiles = false;

  constructor(place: Place, options: SinkOptions, context: AdapterContext, waits: Patience) {
    this.shown = place.shown;
    this.#address = readAddress(place, options);
    this.#names = stateNames(this.#address.stateDatabase);
    const now = (): number => context.now();
    this.#sessions = new Sessions("write", this.#address, waits, now);
    this.#readers = new Sessions("read", this.#address, waits, now);
    this.#context = context;
    const isKept = (): boolean => this.#opened() === "write";
    this.#place = {
      sessions: this.#sessions,
      names: this.#names,
      database: this.#address.database,
      get kept() {
        return isKept();
      },
    };
    this.records = sinkRecords(this.#place);
  }

  async open(use: "write" | "read" = "write"): Promise<void> {
    if (use === "write") await ensureState(this.#sessions, this.#names);
    this.#takesFiles = await this.#sessions.use((session) => takesFiles(session));
    this.#use = use;
  }

  ddl(target: Target): string {
    return `${targetDdl(target)};\n`;
  }

  async prepare(target: Target): Promise<PreparedTarget> {
    if (target.elsewhere === true) return { created: false, lineage: false, ddl: "" };
    checkNames(target);
    const found = await this.#describe(target.table);
    const created = found === undefined && (await this.#create(target));
    const table = (created ? undefined : found) ?? (await this.#describe(target.table));
    if (table === undefined) throw vanished(target.table);
    checkFit(target, table);
    this.#tables.set(target.table, table);
    const lineage = target.lineage && table.columns.some((column) => column.name === lineageColumn);
    return { created, lineage, ddl: this.ddl(target) };
  }

  async define(pipeline: string, version: string, definition: JsonObject): Promise<void> {
    this.#opened();
    const sql = `insert into ${this.#names.checkpoint} (pipeline, lane, epoch, position, source)
values (?) on duplicate key update epoch = epoch`;
    const values = [pipeline, definitionLane(version), 0, JSON.stringify(definition), "definition"];
    await this.#sessions.ask("keeping the definition", sql, [values]);
  }

  /** A unit of the previous owner that hangs is waited for until the server ends it or patience does. */
  async claim(pipeline: string, lane: string, source: string, initial: Position): Promise<Claim> {
    this.#opened();
    const start = this.#context.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#claimOnce(pipeline, lane, source, initial);
      } catch (error) {
        if (!isLockError(error)) throw error;
        if (this.#context.now() - start > limit.retryTotalMs) throw laneHeld(source, error);
        if (attempt === 1)
          this.#context.notice(`${source} is held by an open transaction of another process; waiting for it`);
        await this.#context.pause(limit.retryFirstMs);
      }
    }
  }

  checkpoint(pipeline: string, lane: string) {
    this.#opened();
    return findCheckpoint(this.#place, pipeline, lane);
  }

  async trim(pipeline: string, source: string, ageMs: number): Promise<number> {
    this.#opened();
    return trimOld(this.#sessions, this.#names, { pipeline, source, ageMs });
  }

  /** The number is raised for good at once, whatever becomes of the batches. */
  async reserveBatches(count: number): Promise<bigint[]> {
    this.#opened();
    if (count === 0) return [];
    const sql = `update ${this.#names.batch} set last_batch = last_insert_id(last_batch + ?)`;
    const { insertId } = await this.#sessions.ask("reserving batch numbers", sql, [count]);
    return Array.from({ length: count }, (_, index) => BigInt(insertId - count + 1 + index));
  }

  async begin(target: Target, options: { readonly replace?: boolean } = {}): Promise<Unit> {
    this.#opened();
    const table = target.elsewhere === true ? undefined : await this.#tableOf(target);
    const habit = this.#habits.get(target.table) ?? newHabit();
    this.#habits.set(target.table, habit);
    const session = await this.#sessions.connect();
    const done = (ended: Unit, broken: boolean): void => {
      this.#units.delete(ended);
      this.#sessions.release(session, broken);
    };
    const unit = await this.#beginOn(session, { target, table, habit, replace: options.replace === true, done });
    this.#units.add(unit);
    if (this.#use === undefined) await unit.rollback();
    return unit;
  }

  query(sql: string, parameters: readonly EngineParameter[] = []) {
    return queryRows(this.#readers, sql, parameters);
  }

  select(selection: RowSelection) {
    return selectRows(this.#readers, selection);
  }

  count(selection: RowSelection): Promise<number> {
    return countRows(this.#readers, selection);
  }

  classify(error: unknown) {
    return classifyError(error);
  }

  explain(error: unknown): Error {
    return explainError(error, this.shown);
  }

  diagnose(): Promise<readonly Finding[]> {
    return this.#sessions.use((session) => findings(session, this.#address.database));
  }

  async close(): Promise<void> {
    this.#use = undefined;
    for (const unit of [...this.#units]) await unit.rollback();
    await this.#sessions.close();
    await this.#readers.close();
  }

  #opened(): "write" | "read" {
    if (this.#use !== undefined) return this.#use;
    throw new MillraceError("INTERNAL", "The sink is not open", { remedy: "Call open first." });
  }

  async #tableOf(target: Target): Promise<TableInfo> {
    const table = this.#tables.get(target.table) ?? (await this.#describe(target.table));
    if (table === undefined) throw vanished(target.table);
    this.#tables.set(target.table, table);
    return table;
  }

  #describe(table: string): Promise<TableInfo | undefined> {
    this.#opened();
    return this.#sessions.use((session) => describeTable(session, this.#address.database, table));
  }

  /**
   * True when this process created the table and not another one meanwhile. Creating commits by itself: lanes are
   * forgotten before, so that whoever dies in between leaves no position of a table that is gone to the new one.
   */
  #create(target: Target): Promise<boolean> {
    const { database } = this.#address;
    const ddl = targetDdl(target);
    return alone(this.#sessions, database, async (session) => {
      if ((await describeTable(session, database, target.table)) !== undefined) return false;
      await forgetLanes(session, this.#names, target.pipeline, []);
      await forgetMessages(session, this.#names, target.pipeline);
      await session.ask(`creating the table "${target.table}"`, ddl);
      return true;
    });
  }

  async #beginOn(
    session: Session,
    plan: Pick<Parameters<typeof beginUnit>[0], "target" | "table" | "habit" | "replace" | "done">,
  ): Promise<Unit> {
    const tableSql = qualifiedName(this.#address.database, plan.table?.name ?? plan.target.table);
    try {
      return await beginUnit({ ...plan, session, tableSql, names: this.#names, takesFiles: this.#takesFiles });
    } catch (error) {
      this.#sessions.release(session, true);
      throw error;
    }
  }

  #claimOnce(pipeline: string, lane: string, source: string, initial: Position): Promise<Claim> {
    const { checkpoint } = this.#names;
    const purpose = "claiming the lane";
    const isLane = "where pipeline = ? and lane = ?";
    return this.#sessions.transaction(purpose, async (session) => {
      // What was there is locked and read first: afterwards only what became of it can be seen.
      const before = await session.ask<{ resumed: number | boolean | bigint }>(
        purpose,
        `select position is not null as resumed from ${checkpoint} ${isLane} for update`,
        [pipeline, lane],
      );
      const sql = `insert into ${checkpoint} (pipeline, lane, epoch, position, source) values (?)
on duplicate key update epoch = epoch + 1, position = coalesce(position, ?), source = ?, claimed_at = current_timestamp(6)`;
      const text = JSON.stringify(initial);
      await session.ask(purpose, sql, [[pipeline, lane, 1, text, source], text, source]);
      const after = await session.ask<ClaimRow>(purpose, `select epoch, position from ${checkpoint} ${isLane}`, [
        pipeline,
        lane,
      ]);
      const [row] = after.rows;
      if (row === undefined)
        throw new MillraceError("INTERNAL", "A claim came back empty", { remedy: "Please report it." });
      const resumed = before.count === 0 ? row.epoch > 1 : Number(before.rows[0]?.resumed) === 1;
      const position = JSON.parse(row.position) as Position;
      return { pipeline, lane, source, epoch: row.epoch, position, resumed };
    });
  }
}

function vanished(table: string): MillraceError {
  return new MillraceError("TABLE_MISMATCH", `The table "${table}" is not there`, {
    remedy: "It was dropped while it was being prepared; start again.",
    at: { table },
  });
}

function laneHeld(source: string, cause: unknown): MillraceError {
  return new MillraceError("SINK_BUSY", `${source} is held by an open transaction of another process`, {
    remedy: "End that process or its session (see `show processlist`), then start again.",
    at: { source },
    cause,
  });
}
