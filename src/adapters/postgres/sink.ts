import type { PoolClient } from "pg";
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
import type { PreparedTarget, Sink, SinkFacts, Target, Unit } from "../../ports/sink.ts";
import { type Address, readAddress } from "./address.ts";
import { describeTable, type TableInfo } from "./catalog.ts";
import { ask, Connections, type Patience, patience, unitsMax } from "./client.ts";
import { ddlText, targetDdl } from "./ddl.ts";
import { classifyError, explainError, stateOf } from "./errors.ts";
import { endHungCopies } from "./hung.ts";
import { checkFit } from "./fit.ts";
import { countRows, selectRows } from "./keyed-rows.ts";
import { type Habit, newHabit } from "./load.ts";
import { checkNames } from "./names.ts";
import { queryRows } from "./query.ts";
import { findCheckpoint, type RecordPlace, sinkRecords } from "./records.ts";
import {
  currentSchema,
  definitionLane,
  ensureSchema,
  ensureState,
  forgetLanes,
  forgetMessages,
  lockCreation,
  type StateNames,
  stateNames,
  trimLanes,
  trimMessages,
} from "./state.ts";
import { jsonText } from "./stored-json.ts";
import { beginUnit } from "./unit.ts";

const facts: SinkFacts = {
  guarantee: "exactly once",
  how: "Rows, rejects, ledger and position commit in one transaction of PostgreSQL.",
  modes: ["append", "merge", "replace"],
  takes: "csv",
  unitsMax,
  wholeFileUnits: true,
  serials: true,
  elsewhere: true,
};

/** A sink in PostgreSQL 12 or later. Throws URL_INVALID. */
export const postgresSink: SinkFactory = (place, options, context) =>
  new PostgresSink(place, options, context, patience);

type ClaimRow = Pick<Claim, "epoch" | "position" | "resumed">;

/** What is known once the sink is open. */
interface Opened {
  /** Schema of target tables. */
  readonly schema: string;
  readonly names: StateNames;
  /** Whether what Millrace keeps was there, or was created. */
  readonly kept: boolean;
}

export class PostgresSink implements Sink {
  readonly shown: string;
  readonly facts = facts;
  readonly records;
  readonly #address: Address;
  readonly #connections: Connections;
  readonly #context: AdapterContext;
  readonly #tables = new Map<string, TableInfo>();
  readonly #habits = new Map<string, Habit>();
  readonly #units = new Set<Unit>();
  readonly #place: RecordPlace;
  readonly #hungMs: number;
  #opened: Opened | undefined;

  constructor(place: Place, options: SinkOptions, context: AdapterContext, waits: Patience) {
    this.shown = place.shown;
    this.#address = readAddress(place, options);
    this.#connections = new Connections(this.#address, waits);
    this.#hungMs = waits.idleInTransactionMs;
    this.#context = context;
    const opened = (): Opened => this.#open();
    this.#place = {
      connections: this.#connections,
      get names() {
        return opened().names;
      },
      get schema() {
        return opened().schema;
      },
      get kept() {
        return opened().kept;
      },
    };
    this.records = sinkRecords(this.#place);
  }

  async open(use: "write" | "read" = "write"): Promise<void> {
    const schema = this.#address.schema ?? (await currentSchema(this.#connections));
    const names = stateNames(this.#address.stateSchema ?? schema);
    if (use === "write") await ensureState(this.#connections, names);
    this.#opened = { schema, names, kept: use === "write" };
  }

  ddl(target: Target): string {
    return ddlText(targetDdl(this.#address.schema, target));
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
    const text = `insert into ${this.#open().names.checkpoint} (pipeline, lane, epoch, position, source)
values ($1, $2, 0, $3, $4) on conflict (pipeline, lane) do nothing`;
    const values = [pipeline, definitionLane(version), jsonText(definition), "definition"];
    await this.#connections.ask("keeping the definition", { text, values });
  }

  /** A unit of the previous owner that hangs is waited for until the server ends it or patience does. */
  async claim(pipeline: string, lane: string, source: string, initial: Position): Promise<Claim> {
    const start = this.#context.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#claimOnce(pipeline, lane, source, initial);
      } catch (error) {
        if (stateOf(error) !== "55P03") throw error;
        if (this.#context.now() - start > limit.retryTotalMs) throw laneHeld(source, error);
        if (attempt === 1)
          this.#context.notice(`${source} is held by an open transaction of another process; waiting for it`);
        await this.#endHung(source);
        await this.#context.pause(limit.retryFirstMs);
      }
    }
  }

  checkpoint(pipeline: string, lane: string) {
    return findCheckpoint(this.#place, pipeline, lane);
  }

  async trim(pipeline: string, source: string, ageMs: number): Promise<number> {
    const { names } = this.#open();
    await this.#connections.ask("forgetting lanes", trimLanes(names, pipeline, source, ageMs));
    return (await this.#connections.ask("forgetting messages", trimMessages(names, pipeline, ageMs))).count;
  }

  async reserveBatches(count: number): Promise<bigint[]> {
    const text = "select nextval($1::regclass) as batch from generate_series(1, $2::int)";
    const values = [this.#open().names.batch, count];
    const { rows } = await this.#connections.ask<{ batch: bigint }>("reserving batch numbers", { text, values });
    return rows.map((row) => row.batch);
  }

  async begin(target: Target, options: { readonly replace?: boolean } = {}): Promise<Unit> {
    const { names } = this.#open();
    const table = target.elsewhere === true ? undefined : await this.#tableOf(target);
    const habit = this.#habits.get(target.table) ?? newHabit();
    this.#habits.set(target.table, habit);
    const client = await this.#connections.connect();
    const done = (ended: Unit): void => void this.#units.delete(ended);
    const unit = await beginUnit({ client, names, target, table, habit, replace: options.replace === true, done });
    this.#units.add(unit);
    if (this.#opened === undefined) await unit.rollback();
    return unit;
  }

  query(sql: string, parameters: readonly EngineParameter[] = []) {
    return queryRows(this.#connections, sql, parameters);
  }

  select(selection: RowSelection) {
    return selectRows(this.#connections, selection);
  }

  count(selection: RowSelection): Promise<number> {
    return countRows(this.#connections, selection);
  }

  classify(error: unknown) {
    return classifyError(error);
  }

  explain(error: unknown): Error {
    return explainError(error, this.shown);
  }

  async close(): Promise<void> {
    this.#opened = undefined;
    for (const unit of [...this.#units]) await unit.rollback();
    await this.#connections.close();
  }

  #open(): Opened {
    if (this.#opened !== undefined) return this.#opened;
    throw new MillraceError("INTERNAL", "The sink is not open", { remedy: "Call open first." });
  }

  async #tableOf(target: Target): Promise<TableInfo> {
    const table = this.#tables.get(target.table) ?? (await this.#describe(target.table));
    if (table === undefined) throw vanished(target.table);
    this.#tables.set(target.table, table);
    return table;
  }

  #describe(table: string): Promise<TableInfo | undefined> {
    const { schema } = this.#open();
    return this.#connections.use((client) => describeTable(client, schema, table));
  }

  /** True when this process created the table and not another one meanwhile. */
  #create(target: Target): Promise<boolean> {
    const { schema, names } = this.#open();
    const purpose = `creating the table "${target.table}"`;
    return this.#connections.transaction(purpose, async (client: PoolClient) => {
      await lockCreation(client);
      if ((await describeTable(client, schema, target.table)) !== undefined) return false;
      await ensureSchema(client, schema);
      for (const statement of targetDdl(schema, target)) await ask(client, purpose, statement);
      // Positions of a table that is gone mean nothing for the new one.
      await ask(client, "forgetting positions of an earlier table", forgetLanes(names, target.pipeline, []));
      await ask(client, "forgetting messages of an earlier table", forgetMessages(names, target.pipeline));
      return true;
    });
  }

  async #endHung(source: string): Promise<void> {
    const ended = await endHungCopies(this.#connections, this.#open().names, this.#hungMs);
    if (ended > 0) this.#context.notice(`${source}: ended ${ended} sessions that stood still amid a COPY`);
  }

  async #claimOnce(pipeline: string, lane: string, source: string, initial: Position): Promise<Claim> {
    const { checkpoint } = this.#open().names;
    // What was there is locked and read first: RETURNING sees only what became of it.
    const text = `with before as materialized
  (select position is not null as resumed from ${checkpoint} where pipeline = $1 and lane = $2 for update)
insert into ${checkpoint} as c (pipeline, lane, epoch, position, source)
select $1, $2, 1, $3, $4 from (select count(*) from before) as locked
on conflict (pipeline, lane) do update set epoch = c.epoch + 1, position = coalesce(c.position, excluded.position),
  source = excluded.source, claimed_at = clock_timestamp()
returning epoch, position, coalesce((select resumed from before), epoch > 1) as resumed`;
    const values = [pipeline, lane, jsonText(initial), source];
    const answer = await this.#connections.ask<ClaimRow>("claiming the lane", { text, values });
    const [row] = answer.rows;
    if (row === undefined)
      throw new MillraceError("INTERNAL", "A claim came back empty", { remedy: "Please report it." });
    return { pipeline, lane, source, ...row };
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
    remedy: "End that process or its session (see pg_stat_activity), then start again.",
    at: { source },
    cause,
  });
}
