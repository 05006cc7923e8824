import type { Checkpoint, Position } from "../../core/checkpoint.ts";
import type { JsonObject } from "../../core/json.ts";
import type { LedgerEntry } from "../../core/ledger.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { StoredReject } from "../../core/reject.ts";
import type { EngineRow } from "../../ports/engine.ts";
import type { LedgerFilter, RejectChoice, RejectFilter, SinkRecords } from "../../ports/sink.ts";
import { describeTable, type TableColumn, type TableInfo } from "./catalog.ts";
import { type Bound, literal } from "./literals.ts";
import { foldName, qualifiedName, quoteName } from "./names.ts";
import type { Sessions } from "./sessions.ts";
import { definitionLane, isComplete, isRealLane, type StateNames } from "./state.ts";

/** Where to look: the names are known once the sink is open. */
export interface RecordPlace {
  readonly sessions: Sessions;
  readonly names: StateNames;
  /** Where target tables are. */
  readonly database: string;
  /** Whether what Millrace keeps is known to be there. */
  readonly kept: boolean;
}

/** Conditions that all hold, with the values of their `?`s. */
class Conditions {
  readonly #texts: string[] = ["true"];
  readonly values: Bound[] = [];

  /** Left out when there is no value. */
  add(text: string, value: Bound): this {
    if (value === undefined) return this;
    this.#texts.push(text);
    this.values.push(value);
    return this;
  }

  get text(): string {
    return this.#texts.join(" and ");
  }
}

const chosen = ({ pipeline, state, ids, code, after }: RejectChoice): Conditions =>
  new Conditions()
    .add("pipeline = ?", pipeline)
    .add("state = ?", state)
    .add("id in (?)", ids)
    .add("json_contains(reasons, json_object('code', ?))", code)
    .add("id > ?", after);

type RejectRow = Omit<StoredReject, "line"> & { readonly line: bigint | null };

/** Kept without a zone, in UTC. */
const instant = (text: string): string => `${text}Z`;

async function findRejects({ sessions, names }: RecordPlace, filter: RejectFilter): Promise<StoredReject[]> {
  const where = chosen(filter);
  const order = filter.order === "newest" ? "desc" : "asc";
  const sql = `select id, pipeline, lane, batch, source, record, line, record_offset as \`offset\`, bytes, truncated, reasons,
  format, state, attempts, rejected_at as rejectedAt from ${names.reject} where ${where.text} order by id ${order} limit ?`;
  const { rows } = await sessions.ask<RejectRow>("reading rejects", sql, [...where.values, filter.limit]);
  return rows.map((row) => ({
    ...row,
    line: row.line === null ? undefined : Number(row.line),
    rejectedAt: instant(row.rejectedAt),
  }));
}

async function countRejects({ sessions, names }: RecordPlace, choice: RejectChoice): Promise<number> {
  const where = chosen(choice);
  const sql = `select count(*) as count from ${names.reject} where ${where.text}`;
  const { rows } = await sessions.ask<{ count: bigint }>("counting rejects", sql, where.values);
  return Number(rows[0]?.count ?? 0);
}

interface SummaryRow {
  readonly pipeline: string;
  readonly code: string;
  readonly column: string | null;
  readonly count: bigint;
}

async function sumRejects({ sessions, names }: RecordPlace, pipeline: string | undefined) {
  const where = new Conditions().add("pipeline = ?", pipeline);
  const sql = `select pipeline, reason.code as code, reason.named as \`column\`, count(distinct id) as count
from ${names.reject}, json_table(reasons, '$[*]' columns (
  code varchar(64) path '$.code', named varchar(255) path '$.column')) as reason
where state = 'open' and ${where.text}
group by pipeline, reason.code, reason.named order by 4 desc, 1, 2, 3`;
  const { rows } = await sessions.ask<SummaryRow>("reading rejects", sql, where.values);
  return rows.map((row) => ({ ...row, column: row.column ?? undefined, count: Number(row.count) }));
}

type LedgerRow = Omit<LedgerEntry, "start" | "end"> & { readonly start: string; readonly end: string };

async function findLedger({ sessions, names }: RecordPlace, filter: LedgerFilter): Promise<LedgerEntry[]> {
  const where = new Conditions()
    .add("pipeline = ?", filter.pipeline)
    .add("batch = ?", filter.batch)
    .add("source = ?", filter.source)
    .add("run = ?", filter.run)
    .add("table_name = ?", filter.table);
  const sql = `select batch, pipeline, lane, epoch, run, version, source, table_name as \`table\`, start_position as \`start\`,
  end_position as \`end\`, started_at as startedAt, committed_at as committedAt, \`read\`, loaded, merged, filtered, rejected
from ${names.ledger} where ${where.text} order by batch desc limit ?`;
  const { rows } = await sessions.ask<LedgerRow>("reading the ledger", sql, [...where.values, filter.limit]);
  return rows.map((row) => ({
    ...row,
    start: JSON.parse(row.start) as Position,
    end: JSON.parse(row.end) as Position,
    startedAt: instant(row.startedAt),
    committedAt: instant(row.committedAt),
  }));
}

type CheckpointRow = Omit<Checkpoint, "position"> & { readonly position: string };

async function findCheckpoints(
  { sessions, names }: RecordPlace,
  where: Conditions,
  more: string,
): Promise<Checkpoint[]> {
  const sql = `select pipeline, lane, epoch, position, source from ${names.checkpoint} where ${where.text} and ${more} order by lane`;
  const { rows } = await sessions.ask<CheckpointRow>("reading checkpoints", sql, where.values);
  return rows.map((row) => ({ ...row, position: JSON.parse(row.position) as Position }));
}

export async function findCheckpoint(
  place: RecordPlace,
  pipeline: string,
  lane: string,
): Promise<Checkpoint | undefined> {
  const where = new Conditions().add("pipeline = ?", pipeline).add("lane = ?", lane);
  const [found] = await findCheckpoints(place, where, "position is not null");
  return found;
}

async function findDefinition(place: RecordPlace, pipeline: string, version: string): Promise<JsonObject | undefined> {
  return (await findCheckpoint(place, pipeline, definitionLane(version)))?.position;
}

function describe({ sessions, database }: RecordPlace, table: string): Promise<TableInfo | undefined> {
  return sessions.use((session) => describeTable(session, database, table));
}

const hasLineage = (info: TableInfo | undefined): boolean =>
  info?.columns.some((column) => column.name === lineageColumn) ?? false;

async function findLineage(place: RecordPlace, table: string, key: Readonly<Record<string, string>>) {
  const info = await describe(place, table);
  const column = hasLineage(info) ? quoteName(lineageColumn) : "null";
  const columns = new Map(info?.columns.map((one) => [foldName(one.name), one]));
  const conditions = Object.entries(key).map(
    ([name, text]) => `${quoteName(name)} = ${keyLiteral(columns.get(foldName(name)), text)}`,
  );
  const sql = `select ${column} as lineage from ${qualifiedName(place.database, table)} where ${conditions.join(" and ") || "true"}`;
  const { rows } = await place.sessions.ask<{ lineage: bigint | null }>("looking for a row", sql);
  return rows.map((row) => row.lineage ?? undefined);
}

/** A key's text as the column's own values are: compared with a number as text, MySQL would round both. */
function keyLiteral(column: TableColumn | undefined, text: string): string {
  const type = column?.type ?? "";
  if (/int$|^decimal$|^bit$/.test(type)) {
    const truth = ["false", "true"].indexOf(text.toLowerCase());
    return truth < 0 ? `cast(${literal(text)} as decimal(65, 30))` : String(truth);
  }
  if (/^(datetime|timestamp)$/.test(type)) return literal(text.replace("T", " ").replace(/Z$/, ""));
  return type === "double" ? `cast(${literal(text)} as double)` : literal(text);
}

async function findRows(
  place: RecordPlace,
  table: string,
  from: bigint,
  to: bigint,
  limit: number,
): Promise<EngineRow[]> {
  if (!hasLineage(await describe(place, table))) return [];
  const column = quoteName(lineageColumn);
  const sql = `select * from ${qualifiedName(place.database, table)}
where ${column} between ? and ? order by ${column} limit ?`;
  return [...(await place.sessions.ask<EngineRow>("looking for rows", sql, [from, to, limit])).rows];
}

/** A place that is only read may have nothing yet of what Millrace keeps: it is looked for each time, then. */
async function whereKept<Result>(place: RecordPlace, nothing: Result, find: () => Promise<Result>): Promise<Result> {
  return place.kept || (await isComplete(place.sessions, place.names)) ? find() : nothing;
}

export function sinkRecords(place: RecordPlace): SinkRecords {
  return {
    rejects: (filter) => whereKept(place, [], () => findRejects(place, filter)),
    countRejects: (choice) => whereKept(place, 0, () => countRejects(place, choice)),
    rejectSummary: (pipeline) => whereKept(place, [], () => sumRejects(place, pipeline)),
    ledger: (filter) => whereKept(place, [], () => findLedger(place, filter)),
    checkpoints: (pipeline, source) =>
      whereKept(place, [], () =>
        findCheckpoints(place, new Conditions().add("pipeline = ?", pipeline).add("source = ?", source), isRealLane),
      ),
    definition: (pipeline, version) => whereKept(place, undefined, () => findDefinition(place, pipeline, version)),
    lineageOf: (table, key) => findLineage(place, table, key),
    rowsByLineage: (table, from, to, limit) => findRows(place, table, from, to, limit),
  };
}
