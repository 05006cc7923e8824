import type { Session } from "./session.ts";

/** A column of an existing table. */
export interface TableColumn {
  readonly name: string;
  /** The type's name alone: `int`, `varchar`. */
  readonly type: string;
  /** As people write it: `varchar(20)`, `bigint(20) unsigned`. */
  readonly shown: string;
  /** Digits behind the point of a decimal; undefined for other types. */
  readonly scale: number | undefined;
  /** Digits of a second that a time keeps. */
  readonly fraction: number;
  readonly nullable: boolean;
  /** Not null and nothing fills it in. */
  readonly required: boolean;
  /** Computed by the table: it cannot be written. */
  readonly generated: boolean;
  /** Filled by the table where it is given no value, null included. */
  readonly serial: boolean;
}

/** A unique index on whole columns. */
export interface UniqueIndex {
  readonly name: string;
  readonly columns: readonly string[];
}

/** What a load must know of a table. */
export interface TableInfo {
  readonly name: string;
  readonly kind: "table" | "view" | "other";
  readonly engine: string;
  /** Whether the engine takes part in transactions. */
  readonly transactional: boolean;
  readonly columns: readonly TableColumn[];
  readonly uniques: readonly UniqueIndex[];
  /** It has a foreign key to itself: whether a row is refused depends on what else is there. */
  readonly selfReference: boolean;
}

interface TableRow {
  readonly kind: string;
  readonly engine: string | null;
  readonly transactions: string | null;
  readonly self: number;
}

const tableSql = `select t.table_type as kind, t.engine as engine, e.transactions as transactions,
  exists (select 1 from information_schema.referential_constraints r where r.constraint_schema = t.table_schema
    and r.table_name = t.table_name and r.referenced_table_name = t.table_name) as self
from information_schema.tables t left join information_schema.engines e on e.engine = t.engine
where t.table_schema = ? and t.table_name = ?`;

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly shown: string;
  readonly scale: bigint | null;
  readonly fraction: bigint | null;
  readonly nullable: string;
  readonly preset: string | null;
  readonly extra: string;
}

const columnsSql = `select column_name as name, data_type as type, column_type as shown, numeric_scale as scale,
  datetime_precision as fraction, is_nullable as nullable, cast(column_default as char) as preset, extra as extra
from information_schema.columns where table_schema = ? and table_name = ? order by ordinal_position`;

interface IndexRow {
  readonly name: string;
  readonly column: string | null;
  readonly prefix: bigint | null;
}

const uniquesSql = `select index_name as name, column_name as \`column\`, sub_part as prefix
from information_schema.statistics where table_schema = ? and table_name = ? and non_unique = 0
order by index_name, seq_in_index`;

/** What the catalogue says of a table; undefined when there is nothing of that name. */
export async function describeTable(session: Session, database: string, table: string): Promise<TableInfo | undefined> {
  const purpose = `looking at the table "${table}"`;
  const values = [database, table];
  const [found] = (await session.ask<TableRow>(purpose, tableSql, values)).rows;
  if (found === undefined) return undefined;
  const columns = await session.ask<ColumnRow>(purpose, columnsSql, values);
  const uniques = await session.ask<IndexRow>(purpose, uniquesSql, values);
  return {
    name: table,
    kind: kindOf(found.kind),
    engine: found.engine ?? "",
    transactional: found.transactions === "YES",
    columns: columns.rows.map(columnFrom),
    uniques: uniquesFrom(uniques.rows),
    selfReference: Boolean(found.self),
  };
}

function kindOf(type: string): TableInfo["kind"] {
  if (type === "BASE TABLE" || type === "SYSTEM VERSIONED") return "table";
  return type === "VIEW" ? "view" : "other";
}

function columnFrom(row: ColumnRow): TableColumn {
  const extra = row.extra.toLowerCase();
  const nullable = row.nullable === "YES";
  const serial = extra.includes("auto_increment");
  // `default_generated` is an expression as default, which fills the column in.
  const generated = /(virtual|stored|persistent) generated/.test(extra) || /^(virtual|stored|persistent)$/.test(extra);
  return {
    name: row.name,
    type: row.type.toLowerCase(),
    shown: row.shown,
    scale: row.scale === null ? undefined : Number(row.scale),
    fraction: Number(row.fraction ?? 0),
    nullable,
    required: !nullable && row.preset === null && !serial && !generated,
    generated,
    serial,
  };
}

/** Indexes on expressions or on beginnings of columns do not tell rows apart by the columns. */
function uniquesFrom(rows: readonly IndexRow[]): readonly UniqueIndex[] {
  return [...Map.groupBy(rows, (row) => row.name)]
    .filter(([, parts]) => parts.every((part) => part.column !== null && part.prefix === null))
    .map(([name, parts]) => ({ name, columns: parts.map((part) => part.column ?? "") }));
}
