import { createHash } from "node:crypto";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { lineageRecordBits } from "../../core/lineage.ts";
import { tableOptions } from "./ddl.ts";
import { qualifiedName, quoteName } from "./names.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

/** Names of what Millrace keeps, quoted and with their database. */
export interface StateNames {
  readonly database: string;
  readonly checkpoint: string;
  readonly reject: string;
  readonly ledger: string;
  readonly seen: string;
  readonly batch: string;
}

export function stateNames(database: string): StateNames {
  const name = (thing: string): string => qualifiedName(database, `millrace_${thing}`);
  return {
    database,
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
 * Forgets the lanes of a pipeline but for those of `but`: their epochs go on, so that none is used twice, and whoever
 * still holds one is fenced. What is forgotten already has no owner.
 */
export async function forgetLanes(
  session: Session,
  names: StateNames,
  pipeline: string,
  but: readonly string[],
): Promise<void> {
  const others = but.length === 0 ? "" : "and lane not in (?)";
  const sql = `update ${names.checkpoint} set position = null, epoch = epoch + 1, moved_at = null
where pipeline = ? and ${isRealLane} ${others}`;
  await session.ask("forgetting lanes", sql, [pipeline, but]);
}

/** Forgets the messages of a pipeline: they are to be read again. */
export async function forgetMessages(session: Session, names: StateNames, pipeline: string): Promise<void> {
  await session.ask("forgetting messages", `delete from ${names.seen} where pipeline = ?`, [pipeline]);
}

/** Forgets lanes of a source that are that old, and some of the messages: how many of these. */
export async function trimOld(
  sessions: Pick<Session, "ask">,
  names: StateNames,
  { pipeline, source, ageMs }: { readonly pipeline: string; readonly source: string; readonly ageMs: number },
): Promise<number> {
  const before = "current_timestamp(6) - interval ? microsecond";
  const age = ageMs * 1_000;
  const lanes = `delete from ${names.checkpoint} where pipeline = ? and source = ? and ${isRealLane}
and greatest(claimed_at, coalesce(moved_at, claimed_at)) <= ${before}`;
  await sessions.ask("forgetting lanes", lanes, [pipeline, source, age]);
  const messages = `delete from ${names.seen} where pipeline = ? and seen_at <= ${before} limit ?`;
  return (await sessions.ask("forgetting messages", messages, [pipeline, age, limit.trimRows])).count;
}

/** Positions, definitions and reasons are kept as the very text that they were given as. */
function stateDdl(names: StateNames): readonly string[] {
  return [
    `create table if not exists ${names.checkpoint} (
  pipeline varchar(255) not null,
  lane varchar(512) not null,
  epoch int not null,
  position longtext null,
  source text not null,
  claimed_at datetime(6) not null default current_timestamp(6),
  moved_at datetime(6) null,
  primary key (pipeline, lane)
) ${tableOptions}`,
    `create table if not exists ${names.reject} (
  id bigint not null auto_increment primary key,
  pipeline varchar(255) not null,
  lane varchar(512) not null,
  batch bigint not null,
  source text not null,
  record int not null,
  line bigint null,
  record_offset bigint not null,
  bytes longblob not null,
  truncated boolean not null,
  reasons json not null,
  format json not null,
  state varchar(16) not null default 'open',
  attempts int not null default 1,
  rejected_at datetime(6) not null default current_timestamp(6),
  key millrace_reject_open (pipeline, state, id),
  constraint millrace_reject_state check (state in ('open', 'replayed'))
) ${tableOptions}`,
    `create table if not exists ${names.ledger} (
  batch bigint not null primary key,
  pipeline varchar(255) not null,
  lane varchar(512) not null,
  epoch int not null,
  run varchar(255) not null,
  version varchar(255) not null,
  source text not null,
  table_name varchar(64) not null,
  start_position longtext not null,
  end_position longtext not null,
  \`read\` int not null,
  loaded int not null,
  merged int not null,
  filtered int not null,
  rejected int not null,
  started_at datetime(6) not null,
  committed_at datetime(6) not null default current_timestamp(6),
  key millrace_ledger_table (table_name, batch),
  constraint millrace_ledger_balances check (\`read\` = loaded + merged + filtered + rejected)
) ${tableOptions}`,
    `create table if not exists ${names.seen} (
  pipeline varchar(255) not null,
  id varchar(500) not null,
  batch bigint not null,
  seen_at datetime(6) not null default current_timestamp(6),
  primary key (pipeline, id)
) ${tableOptions}`,
    `create table if not exists ${names.batch} (
  one boolean not null primary key default true,
  last_batch bigint not null,
  constraint millrace_batch_range check (one = true and last_batch between 0 and ${2n ** BigInt(63 - lineageRecordBits) - 1n})
) ${tableOptions}`,
    `insert ignore into ${names.batch} (one, last_batch) values (true, 0)`,
  ];
}

/** Creating things is one process's work at a time: the others wait and then find them. */
export async function alone<Result>(
  sessions: Sessions,
  database: string,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const name = `millrace ${createHash("sha256").update(database).digest("hex").slice(0, 32)}`;
  const purpose = "waiting for another process to create tables";
  return sessions.use(async (session) => {
    const seconds = limit.lockMs / 1000;
    const { rows } = await session.ask<{ got: bigint | number | null }>(purpose, "select get_lock(?, ?) as got", [
      name,
      seconds,
    ]);
    if (Number(rows[0]?.got ?? 0) !== 1) throw creating();
    // When the work fails the session is ended, and the lock with it.
    const result = await work(session);
    await session.ask(purpose, "do release_lock(?)", [name]);
    return result;
  });
}

function creating(): MillraceError {
  return new MillraceError("SINK_BUSY", "Another process is creating tables, and does not come to an end", {
    remedy: "Try again, or look for it with `show processlist`.",
  });
}

/** Creates what Millrace keeps, where something of it is missing. */
export async function ensureState(sessions: Sessions, names: StateNames): Promise<void> {
  if (await isComplete(sessions, names)) return;
  const purpose = "creating Millrace's tables";
  await alone(sessions, names.database, async (session) => {
    await ensureDatabase(session, names.database);
    for (const statement of stateDdl(names)) await session.ask(purpose, statement);
  });
}

/** Asks first: the right to create is not needed for one that is there. */
async function ensureDatabase(session: Session, database: string): Promise<void> {
  const sql = "select 1 as there from information_schema.schemata where schema_name = ?";
  const { count } = await session.ask("looking for the database", sql, [database]);
  if (count > 0) return;
  await session.ask(
    `creating the database "${database}"`,
    `create database if not exists ${quoteName(database)} character set utf8mb4`,
  );
}

const stateTables = ["checkpoint", "reject", "ledger", "seen", "batch"].map((name) => `millrace_${name}`);

/** Whether all that Millrace keeps is there. */
export async function isComplete(sessions: Sessions, names: StateNames): Promise<boolean> {
  const sql = `select count(*) as found from information_schema.tables where table_schema = ? and table_name in (?)`;
  const values = [names.database, stateTables];
  const purpose = "looking for Millrace's tables";
  const { rows } = await sessions.ask<{ found: bigint }>(purpose, sql, values);
  if (Number(rows[0]?.found ?? 0) < stateTables.length) return false;
  // The last step of creating them.
  return (await sessions.ask(purpose, `select 1 as there from ${names.batch}`)).count === 1;
}
