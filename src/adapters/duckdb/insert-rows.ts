import { quoteIdentifier } from "../../core/identifier.ts";
import type { EngineConnection } from "../../ports/engine.ts";
import type { Target } from "../../ports/sink.ts";
import { numberCell } from "./cells.ts";
import { sameName } from "./same-name.ts";
import type { ReadableRows } from "./copied-rows.ts";

/** The rows of a batch on their way into a table. */
export interface Insertion {
  readonly connection: EngineConnection;
  /** Quoted. */
  readonly table: string;
  readonly target: Target;
  readonly rows: ReadableRows;
  /** A column to be filled with one number more for each new row; the table has no default for it. */
  readonly serial?: string;
}

export interface Inserted {
  readonly loaded: number;
  readonly merged: number;
}

/** SQL of the rows with their number `_row`, without those in `excluded`, which is bound as `$1` when there are any. */
export async function chosenRows(rows: ReadableRows, excluded: ReadonlySet<number>): Promise<string> {
  const all = `select * from (${await rows.select()})`;
  if (excluded.size === 0) return all;
  return `${all} where _row not in (select cast(unnest(from_json($1::json, '["BIGINT"]')) as bigint))`;
}

export function excludedParameter(excluded: ReadonlySet<number>): string[] {
  return excluded.size === 0 ? [] : [JSON.stringify([...excluded])];
}

/** Writes the rows but for `excluded`. Rejects with the engine's error when it refuses one; the transaction is over then. */
export async function insertRows(insertion: Insertion, excluded: ReadonlySet<number>): Promise<Inserted> {
  const count = insertion.rows.count - excluded.size;
  if (count === 0) return { loaded: 0, merged: 0 };
  if (insertion.target.mode === "merge") return mergeRows(insertion, excluded, count);
  const { connection, rows } = insertion;
  const sql = `${insertClause(insertion)} from (${await chosenRows(rows, excluded)}) order by _row`;
  return { loaded: await connection.run(sql, excludedParameter(excluded)), merged: 0 };
}

async function mergeRows(insertion: Insertion, excluded: ReadonlySet<number>, count: number): Promise<Inserted> {
  const { connection, target, rows } = insertion;
  const key = target.key.map(quoteIdentifier).join(", ");
  const chosen = await chosenRows(rows, excluded);
  const parameters = excludedParameter(excluded);
  const distinct = await countOf(connection, `select distinct ${key} from (${chosen})`, parameters);
  // DuckDB refuses to change one row twice in a statement; the window is paid for only where keys repeat.
  const last = `select * from (${chosen}) qualify row_number() over (partition by ${key} order by _row desc) = 1`;
  const before = await countOf(connection, `select 1 from ${insertion.table}`, []);
  const from = distinct === count ? chosen : last;
  await connection.run(
    `${insertClause(insertion)} from (${from}) order by _row ${onConflict(target, rows)}`,
    parameters,
  );
  const loaded = (await countOf(connection, `select 1 from ${insertion.table}`, [])) - before;
  return { loaded, merged: count - loaded };
}

function insertClause({ table, rows, serial }: Insertion): string {
  const columns = rows.columns.map(({ name }) => quoteIdentifier(name)).join(", ");
  if (serial === undefined) return `insert into ${table} (${columns}) select ${columns}`;
  // One unit writes at a time, so nobody else counts on from the same number. A row that is merged leaves a gap.
  const name = quoteIdentifier(serial);
  const next = `(select coalesce(max(${name}), 0) from ${table}) + row_number() over (order by _row)`;
  return `insert into ${table} (${name}, ${columns}) select ${next}, ${columns}`;
}

function onConflict(target: Target, rows: ReadableRows): string {
  const others = rows.columns.filter(({ name }) => !target.key.some((key) => sameName(key, name)));
  const key = target.key.map(quoteIdentifier).join(", ");
  if (others.length === 0) return `on conflict (${key}) do nothing`;
  const changes = others.map(({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`);
  return `on conflict (${key}) do update set ${changes.join(", ")}`;
}

async function countOf(connection: EngineConnection, select: string, parameters: readonly string[]): Promise<number> {
  const [row] = await connection.all(`select count(*) as n from (${select})`, parameters);
  return numberCell(row ?? {}, "n");
}
