import type { PoolClient } from "pg";
import { ask } from "./client.ts";

/** A column of an existing table. */
export interface TableColumn {
  readonly name: string;
  /** The type's name in the catalogue, of a domain that of its base: `int4`, `varchar`. */
  readonly type: string;
  /** As people write it: `character varying(20)`. */
  readonly shown: string;
  /** To cast a text to, without length or precision, which assignment then applies as COPY does. */
  readonly cast: string;
  /** `e` an enum; see `pg_type.typtype`. */
  readonly kind: string;
  /** Digits before and after the point of a `numeric`, undefined when it has no bounds. */
  readonly precision: number | undefined;
  readonly scale: number | undefined;
  /** Digits of a second that a time keeps. */
  readonly fraction: number;
  /** Not null and nothing fills it in. */
  readonly required: boolean;
  /** Computed by the table: it cannot be written. */
  readonly generated: boolean;
  /** `generated always as identity`: written by overriding, never updated. */
  readonly alwaysIdentity: boolean;
}

/** A unique index that ON CONFLICT can use: whole columns, no condition, checked at once. */
export interface UniqueIndex {
  readonly name: string;
  readonly columns: readonly string[];
}

/** What a load must know of a table. */
export interface TableInfo {
  readonly schema: string;
  readonly name: string;
  readonly kind: "table" | "view" | "foreign" | "other";
  readonly columns: readonly TableColumn[];
  readonly uniques: readonly UniqueIndex[];
  readonly partitioned: boolean;
  /** COPY cannot write it: a view, or row level security holds for this user. */
  readonly insertOnly: boolean;
  /** It has constraints that are checked at commit unless told otherwise. */
  readonly deferred: boolean;
  /** It has a foreign key to itself: whether a row is refused depends on what else is there. */
  readonly selfReference: boolean;
  /** It, or a partition of it, has triggers that run before or instead of an insert, and may drop the row. */
  readonly rowTriggers: boolean;
}

interface TableRow {
  readonly oid: number;
  readonly relkind: string;
  readonly rls: boolean;
  readonly deferred: boolean;
  readonly self: boolean;
  readonly triggers: boolean;
}

const tableSql = `select c.oid::int8 as oid, c.relkind, row_security_active(c.oid) as rls,
  exists (select from pg_constraint k where k.conrelid = c.oid and k.condeferred)
    or exists (select from pg_trigger t where t.tgrelid = c.oid and t.tginitdeferred) as deferred,
  exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and k.confrelid = c.oid) as self,
  exists (select from pg_trigger t where t.tgtype & 66 <> 0 and not t.tgisinternal
    and (t.tgrelid = c.oid or t.tgrelid in (select p.relid from pg_partition_tree(c.oid) as p))) as triggers
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2`;

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly shown: string;
  readonly cast: string;
  readonly kind: string;
  readonly typmod: number;
  readonly required: boolean;
  readonly generated: boolean;
  readonly always: boolean;
}

const columnsSql = `select a.attname as name, b.typname as type, format_type(a.atttypid, a.atttypmod) as shown,
  format_type(a.atttypid, -1) as cast, b.typtype as kind,
  case when t.typtype = 'd' then t.typtypmod else a.atttypmod end as typmod,
  a.attnotnull and not a.atthasdef and a.attidentity = '' as required,
  a.attgenerated <> '' as generated, a.attidentity = 'a' as always
from pg_attribute a join pg_type t on t.oid = a.atttypid
  join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum`;

const uniquesSql = `select i.relname as name, array(
    select a.attname::text from unnest(x.indkey[0:x.indnkeyatts - 1]) as k
      join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k) as columns
from pg_index x join pg_class i on i.oid = x.indexrelid
where x.indrelid = $1 and x.indisunique and x.indisvalid and x.indimmediate and x.indpred is null and x.indexprs is null
order by x.indisprimary desc, i.relname`;

/** What the catalogue says of a table; undefined when there is nothing of that name. */
export async function describeTable(client: PoolClient, schema: string, table: string): Promise<TableInfo | undefined> {
  const purpose = `looking at the table "${table}"`;
  const found = await ask<TableRow>(client, purpose, { text: tableSql, values: [schema, table] });
  const row = found.rows[0];
  if (row === undefined) return undefined;
  const values = [row.oid];
  const columns = await ask<ColumnRow>(client, purpose, { text: columnsSql, values });
  const uniques = await ask<UniqueIndex>(client, purpose, { text: uniquesSql, values });
  const kind = kindOf(row.relkind);
  return {
    schema,
    name: table,
    kind,
    columns: columns.rows.map(columnFrom),
    uniques: uniques.rows,
    partitioned: row.relkind === "p",
    insertOnly: row.rls || kind === "view",
    deferred: row.deferred,
    selfReference: row.self,
    rowTriggers: row.triggers,
  };
}

function kindOf(relkind: string): TableInfo["kind"] {
  if (relkind === "r" || relkind === "p") return "table";
  if (relkind === "v") return "view";
  return relkind === "f" ? "foreign" : "other";
}

function columnFrom(row: ColumnRow): TableColumn {
  const { typmod } = row;
  const bounded = row.type === "numeric" && typmod >= 4;
  // The scale is a signed number of 11 bits since PostgreSQL 15, and never negative before it.
  const scale = bounded ? (((typmod - 4) & 0x7ff) ^ 1024) - 1024 : undefined;
  return {
    name: row.name,
    type: row.type,
    shown: row.shown,
    cast: row.cast,
    kind: row.kind,
    precision: bounded ? ((typmod - 4) >> 16) & 0xffff : undefined,
    scale,
    fraction: row.type.startsWith("time") && typmod >= 0 ? typmod : 6,
    required: row.required,
    generated: row.generated,
    alwaysIdentity: row.always,
  };
}
