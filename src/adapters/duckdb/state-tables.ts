import { quoteIdentifier, quoteLiteral } from "../../core/identifier.ts";
import type { EngineConnection } from "../../ports/engine.ts";
import { numberCell } from "./cells.ts";
import type { Names } from "./location.ts";

// No index besides the keys that are looked up: DuckDB holds an index in memory whole. Rejects and batches are numbered
// in ascending order, which the zones of the columns find as fast. Times are UTC.
function statements(names: Names): string[] {
  const schema = (name: string): string =>
    `create schema if not exists ${quoteIdentifier(names.database)}.${quoteIdentifier(name)}`;
  return [
    schema(names.schema),
    schema(names.stateSchema),
    `create sequence if not exists ${names.batchNumber}`,
    `create sequence if not exists ${names.rejectNumber}`,
    `create table if not exists ${names.checkpoint} (
       pipeline varchar not null, lane varchar not null, epoch bigint not null, "position" json,
       source varchar not null, claimed_at timestamp not null, moved_at timestamp,
       mark uuid not null, primary key (pipeline, lane))`,
    `create table if not exists ${names.reject} (
       id bigint not null, pipeline varchar not null, lane varchar not null, batch bigint not null,
       source varchar not null, record bigint not null, line bigint, record_offset bigint not null,
       bytes blob not null, truncated boolean not null, reasons json not null, format json not null,
       state varchar not null, attempts integer not null, rejected_at timestamp not null)`,
    `create table if not exists ${names.ledger} (
       batch bigint not null, pipeline varchar not null, lane varchar not null, epoch bigint not null,
       run varchar not null, version varchar not null, source varchar not null, table_name varchar not null,
       start_position json not null, end_position json not null, "read" bigint not null, loaded bigint not null,
       merged bigint not null, filtered bigint not null, rejected bigint not null,
       started_at timestamp not null, committed_at timestamp not null)`,
    `create table if not exists ${names.seen} (
       pipeline varchar not null, id varchar not null, batch bigint not null, seen_at timestamp not null,
       primary key (pipeline, id))`,
  ];
}

/** Creates what is missing of the tables that Millrace keeps. Call it in turn; durable on return. */
export async function createStateTables(connection: EngineConnection, names: Names): Promise<void> {
  if (await hasStateTables(connection, names)) return;
  await connection.run("begin");
  for (const sql of statements(names)) await connection.run(sql);
  await connection.run("commit");
}

/** Whether all tables that Millrace keeps, and the target's schema, are there. */
export async function hasStateTables(connection: EngineConnection, names: Names): Promise<boolean> {
  const tables = ["millrace_checkpoint", "millrace_reject", "millrace_ledger", "millrace_seen"];
  const [row] = await connection.all(
    `select
       (select count(*) from duckdb_tables() where database_name = $1 and schema_name = $2
          and table_name in (${tables.map(quoteLiteral).join(", ")}))
       + (select count(*) from duckdb_schemas() where database_name = $1 and schema_name = $3) as found`,
    [names.database, names.stateSchema, names.schema],
  );
  return row !== undefined && numberCell(row, "found") === tables.length + 1;
}
