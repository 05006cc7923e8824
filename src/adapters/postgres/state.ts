import type { PoolClient } from "pg";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { lineageRecordBits } from "../../core/lineage.ts";
import { ask, type Connections, type Statement } from "./client.ts";
import { qualifiedName } from "./names.ts";

/** Names of what Millrace keeps, quoted and with their schema. */
export interface StateNames {
  readonly schema: string;
  readonly checkpoint: string;
  readonly reject: string;
  readonly ledger: string;
  readonly seen: string;
  readonly batch: string;
}

export function stateNames(schema: string): StateNames {
  const name = (thing: string): string => qualifiedName(schema, `millrace_${thing}`);
  return {
    schema,
    checkpoint: name("checkpoint"),
    reject: name("reject"),
    ledger: name("ledger"),
    seen: name("seen"),
    batch: name("batch"),
  };
}

/** The lane under which a pipeline's definition is kept, as a checkpoint of epoch 0. */
export const definitionLane = (version: string): string => `definition:${version}`;
/** True of every lane that has a position and is not a definition. A forgotten lane has none. */
export const isRealLane = "position is not null and lane not like 'definition:%'";

/**
 * Forgets the lanes of pipeline `$1` but for those of `$2`: their epochs go on, so that none is used twice, and whoever
 * still holds one is fenced. What is forgotten already has no owner.
 */
export function forgetLanes(names: StateNames, pipeline: string, but: readonly string[]): Statement {
  const text = `update ${names.checkpoint} set position = null, epoch = epoch + 1, moved_at = null
where pipeline = $1 and ${isRealLane} and lane <> all ($2::text[])`;
  return { text, values: [pipeline, but] };
}

/** Forgets the messages of pipeline `$1`: they are to be read again. */
export function forgetMessages(names: StateNames, pipeline: string): Statement {
  return { text: `delete from ${names.seen} where pipeline = $1`, values: [pipeline] };
}

/** A while before now, by the clock that the times are of. */
const before = (ms: string): string => `clock_timestamp() - ${ms}::float8 * interval '1 millisecond'`;

/** Some of the messages of a pipeline that are that old. What another process removes meanwhile is left to it. */
export function trimMessages(names: StateNames, pipeline: string, ageMs: number): Statement {
  const some = `select ctid from ${names.seen} where pipeline = $1 and seen_at <= ${before("$2")} limit $3 for update skip locked`;
  const text = `delete from ${names.seen} where ctid = any (array(${some}))`;
  return { text, values: [pipeline, ageMs, limit.trimRows] };
}

export function trimLanes(names: StateNames, pipeline: string, source: string, ageMs: number): Statement {
  const text = `delete from ${names.checkpoint} where pipeline = $1 and source = $2 and ${isRealLane}
and greatest(claimed_at, moved_at) <= ${before("$3")}`;
  return { text, values: [pipeline, source, ageMs] };
}

/** Positions and definitions are json, not jsonb: kept as the very text that they were given as. */
export function stateDdl(names: StateNames): readonly string[] {
  return [
    `create table if not exists ${names.checkpoint} (
  pipeline text not null,
  lane text not null,
  epoch integer not null,
  position json,
  source text not null,
  claimed_at timestamptz not null default clock_timestamp(),
  moved_at timestamptz,
  primary key (pipeline, lane)
) with (fillfactor = 70)`,
    `create table if not exists ${names.reject} (
  id bigint generated always as identity primary key,
  pipeline text not null,
  lane text not null,
  batch bigint not null,
  source text not null,
  record integer not null,
  line bigint,
  record_offset bigint not null,
  bytes bytea not null,
  truncated boolean not null,
  reasons jsonb not null,
  format jsonb not null,
  state text not null default 'open' check (state in ('open', 'replayed')),
  attempts integer not null default 1,
  rejected_at timestamptz not null default clock_timestamp()
)`,
    `create index if not exists millrace_reject_open on ${names.reject} (pipeline, id) where state = 'open'`,
    `create table if not exists ${names.ledger} (
  batch bigint primary key,
  pipeline text not null,
  lane text not null,
  epoch integer not null,
  run text not null,
  version text not null,
  source text not null,
  table_name text not null,
  start_position json not null,
  end_position json not null,
  read integer not null,
  loaded integer not null,
  merged integer not null,
  filtered integer not null,
  rejected integer not null,
  started_at timestamptz not null,
  committed_at timestamptz not null default clock_timestamp(),
  constraint millrace_ledger_balances check (read = loaded + merged + filtered + rejected)
)`,
    `create index if not exists millrace_ledger_table on ${names.ledger} (table_name, batch)`,
    `create table if not exists ${names.seen} (
  pipeline text not null,
  id text not null,
  batch bigint not null,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (pipeline, id)
)`,
    `create index if not exists millrace_seen_time on ${names.seen} using brin (seen_at)`,
    `create sequence if not exists ${names.batch} as bigint maxvalue ${2n ** BigInt(63 - lineageRecordBits) - 1n}`,
  ];
}

/** Creating things is one process's work at a time: the others wait and then find them. */
export async function lockCreation(client: PoolClient): Promise<void> {
  const text = "select pg_advisory_xact_lock(hashtextextended('millrace: create', 0))";
  await ask(client, "waiting for another process to create tables", text);
}

/** The schema that tables go to when none is named. */
export async function currentSchema(connections: Connections): Promise<string> {
  const { rows } = await connections.ask<{ schema: string | null }>(
    "finding the schema",
    "select current_schema() as schema",
  );
  const schema = rows[0]?.schema;
  if (typeof schema === "string") return schema;
  throw new MillraceError("SINK_REFUSED", "The search path has no schema that this user may use", {
    remedy: "Grant usage on a schema, or name one in the URL: ?schema=NAME. It is created when it is missing.",
  });
}

/** Creates a schema that is missing. Asks first: the right to create is not needed for one that is there. */
export async function ensureSchema(client: PoolClient, schema: string): Promise<void> {
  const text = "select 1 from pg_namespace where nspname = $1";
  const { count } = await ask(client, "looking for the schema", { text, values: [schema] });
  if (count === 0)
    await ask(
      client,
      `creating the schema "${schema}"`,
      `create schema if not exists ${qualifiedName(undefined, schema)}`,
    );
}

/** Creates what Millrace keeps, where something of it is missing. */
export async function ensureState(connections: Connections, names: StateNames): Promise<void> {
  if (await isComplete(connections, names)) return;
  await connections.transaction("creating Millrace's tables", async (client) => {
    await lockCreation(client);
    await ensureSchema(client, names.schema);
    for (const statement of stateDdl(names)) await ask(client, "creating Millrace's tables", statement);
  });
}

/** Whether all that Millrace keeps is there. */
export async function isComplete(connections: Connections, names: StateNames): Promise<boolean> {
  const { checkpoint, reject, ledger, seen, batch } = names;
  const text = "select count(to_regclass(name))::int as found from unnest($1::text[]) as name";
  const wanted = [checkpoint, reject, ledger, seen, batch];
  const { rows } = await connections.ask<{ found: number }>("looking for Millrace's tables", {
    text,
    values: [wanted],
  });
  return rows[0]?.found === wanted.length;
}
