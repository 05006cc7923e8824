import type { Checkpoint } from "../../core/checkpoint.ts";
import { quoteIdentifier } from "../../core/identifier.ts";
import type { JsonObject } from "../../core/json.ts";
import type { LedgerEntry } from "../../core/ledger.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { StoredReject } from "../../core/reject.ts";
import type { EngineRow } from "../../ports/engine.ts";
import type { LedgerFilter, RejectChoice, RejectFilter, SinkRecords } from "../../ports/sink.ts";
import type { Connections } from "./client.ts";
import { qualifiedName } from "./names.ts";
import { definitionLane, isComplete, isRealLane, type StateNames } from "./state.ts";

/** Where to look: the names are known once the sink is open. */
export interface RecordPlace {
  readonly connections: Connections;
  readonly names: StateNames;
  /** Schema of target tables. */
  readonly schema: string;
  /** Whether what Millrace keeps is known to be there. */
  readonly kept: boolean;
}

type RejectRow = Omit<StoredReject, "line"> & { readonly line: bigint | null };

const isChosen = `($1::text is null or pipeline = $1) and ($2::text is null or state = $2)
  and ($3::int8[] is null or id = any ($3)) and ($4::jsonb is null or reasons @> $4) and ($5::int8 is null or id > $5)`;

function choiceValues({ pipeline, state, ids, code, after }: RejectChoice) {
  const reasons = code === undefined ? null : JSON.stringify([{ code }]);
  return [pipeline ?? null, state ?? null, ids ?? null, reasons, after ?? null];
}

async function findRejects({ connections, names }: RecordPlace, filter: RejectFilter): Promise<StoredReject[]> {
  const order = filter.order === "newest" ? "desc" : "asc";
  const text = `select id, pipeline, lane, batch, source, record, line, record_offset as offset, bytes, truncated, reasons,
  format, state, attempts, rejected_at as "rejectedAt" from ${names.reject} where ${isChosen} order by id ${order} limit $6`;
  const values = [...choiceValues(filter), filter.limit];
  const { rows } = await connections.ask<RejectRow>("reading rejects", { text, values });
  return rows.map((row) => ({
    ...row,
    line: row.line === null ? undefined : Number(row.line),
  }));
}

async function countRejects({ connections, names }: RecordPlace, choice: RejectChoice): Promise<number> {
  const text = `select count(*) as count from ${names.reject} where ${isChosen}`;
  const asked = { text, values: choiceValues(choice) };
  const { rows } = await connections.ask<{ count: bigint }>("counting rejects", asked);
  return Number(rows[0]?.count ?? 0);
}

interface SummaryRow {
  readonly pipeline: string;
  readonly code: string;
  readonly column: string | null;
  readonly count: bigint;
}

async function sumRejects({ connections, names }: RecordPlace, pipeline: string | undefined) {
  const text = `select pipeline, reason ->> 'code' as code, reason ->> 'column' as column, count(distinct id) as count
from ${names.reject}, jsonb_array_elements(reasons) as reason
where state = 'open' and ($1::text is null or pipeline = $1)
group by 1, 2, 3 order by 4 desc, 1, 2, 3`;
  const { rows } = await connections.ask<SummaryRow>("reading rejects", { text, values: [pipeline ?? null] });
  return rows.map((row) => ({ ...row, column: row.column ?? undefined, count: Number(row.count) }));
}

async function findLedger({ connections, names }: RecordPlace, filter: LedgerFilter): Promise<LedgerEntry[]> {
  const text = `select batch, pipeline, lane, epoch, run, version, source, table_name as "table", start_position as start,
  end_position as end, started_at as "startedAt", committed_at as "committedAt", read, loaded, merged, filtered, rejected
from ${names.ledger}
where ($1::text is null or pipeline = $1) and ($2::int8 is null or batch = $2) and ($3::text is null or source = $3)
  and ($4::text is null or run = $4) and ($5::text is null or table_name = $5) order by batch desc limit $6`;
  const { pipeline = null, batch = null, source = null, run = null, table = null } = filter;
  const values = [pipeline, batch, source, run, table, filter.limit];
  return [...(await connections.ask<LedgerEntry>("reading the ledger", { text, values })).rows];
}

const checkpointColumns = "pipeline, lane, epoch, position, source";

async function listCheckpoints(
  place: RecordPlace,
  pipeline: string,
  source: string | undefined,
): Promise<Checkpoint[]> {
  const text = `select ${checkpointColumns} from ${place.names.checkpoint}
where pipeline = $1 and ($2::text is null or source = $2) and ${isRealLane} order by lane`;
  const values = [pipeline, source ?? null];
  return [...(await place.connections.ask<Checkpoint>("reading checkpoints", { text, values })).rows];
}

export async function findCheckpoint(
  place: RecordPlace,
  pipeline: string,
  lane: string,
): Promise<Checkpoint | undefined> {
  const text = `select ${checkpointColumns} from ${place.names.checkpoint} where pipeline = $1 and lane = $2 and position is not null`;
  const values = [pipeline, lane];
  const { rows } = await place.connections.ask<Checkpoint>("reading a checkpoint", { text, values });
  return rows[0];
}

async function findDefinition(place: RecordPlace, pipeline: string, version: string): Promise<JsonObject | undefined> {
  const found = await findCheckpoint(place, pipeline, definitionLane(version));
  return found?.position;
}

async function hasLineage({ connections, schema }: RecordPlace, table: string): Promise<boolean> {
  const text = `select from pg_attribute where attrelid = to_regclass($1) and attname = $2 and not attisdropped`;
  const values = [qualifiedName(schema, table), lineageColumn];
  return (await connections.ask("looking for the lineage column", { text, values })).count > 0;
}

async function findLineage(place: RecordPlace, table: string, key: Readonly<Record<string, string>>) {
  const column = (await hasLineage(place, table)) ? quoteIdentifier(lineageColumn) : "null::bigint";
  const names = Object.keys(key);
  // A parameter takes the column's type, so that its text is read as the column's own values are.
  const condition = names.map((name, index) => `${quoteIdentifier(name)} = $${index + 1}`).join(" and ");
  const text = `select ${column} as lineage from ${qualifiedName(place.schema, table)} where ${condition || "true"}`;
  const values = names.map((name) => key[name] ?? null);
  const { rows } = await place.connections.ask<{ lineage: bigint | null }>("looking for a row", { text, values });
  return rows.map((row) => row.lineage ?? undefined);
}

async function findRows(
  place: RecordPlace,
  table: string,
  from: bigint,
  to: bigint,
  limit: number,
): Promise<EngineRow[]> {
  if (!(await hasLineage(place, table))) return [];
  const column = quoteIdentifier(lineageColumn);
  const text = `select * from ${qualifiedName(place.schema, table)}
where ${column} between $1 and $2 order by ${column} limit $3`;
  const values = [from, to, limit];
  return [...(await place.connections.ask<EngineRow>("looking for rows", { text, values })).rows];
}

/** A place that is only read may have nothing yet of what Millrace keeps: it is looked for each time, then. */
async function whereKept<Result>(place: RecordPlace, nothing: Result, find: () => Promise<Result>): Promise<Result> {
  return place.kept || (await isComplete(place.connections, place.names)) ? find() : nothing;
}

export function sinkRecords(place: RecordPlace): SinkRecords {
  return {
    rejects: (filter) => whereKept(place, [], () => findRejects(place, filter)),
    countRejects: (choice) => whereKept(place, 0, () => countRejects(place, choice)),
    rejectSummary: (pipeline) => whereKept(place, [], () => sumRejects(place, pipeline)),
    ledger: (filter) => whereKept(place, [], () => findLedger(place, filter)),
    checkpoints: (pipeline, source) => whereKept(place, [], () => listCheckpoints(place, pipeline, source)),
    definition: (pipeline, version) => whereKept(place, undefined, () => findDefinition(place, pipeline, version)),
    lineageOf: (table, key) => findLineage(place, table, key),
    rowsByLineage: (table, from, to, limit) => findRows(place, table, from, to, limit),
  };
}
