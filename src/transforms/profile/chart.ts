import type { RowValue } from "../../core/json-value.ts";
import type { EngineConnection, EngineRow } from "../../ports/engine.ts";
import type { ReadColumn } from "../../ports/relation.ts";
import type { ProfiledRelation } from "./measure.ts";
import type { ColumnProfile, Profile } from "./profile.ts";

/** How a column's values are spread: bins of equal width between its least and greatest, or its most frequent values. */
export type ColumnChart =
  | { readonly kind: "bins"; readonly counts: readonly number[] }
  | { readonly kind: "values"; readonly values: readonly { readonly value: RowValue; readonly count: number }[] }
  | { readonly kind: "none" };

const binsMax = 24;
const valuesShown = 6;
/** Beyond so many different values the most frequent ones say little and cost much. */
const countedDistinct = 10_000;

export async function chartsOf(
  connection: EngineConnection,
  relation: ProfiledRelation,
  columns: readonly ReadColumn[],
  { columns: profiles }: Profile,
): Promise<ColumnChart[]> {
  const charts: ColumnChart[] = [];
  for (const [index, column] of columns.entries()) {
    charts.push(await chartOf(connection, relation, column, profiles[index] as ColumnProfile));
  }
  return charts;
}

async function chartOf(
  connection: EngineConnection,
  { relation }: ProfiledRelation,
  { value, column }: ReadColumn,
  profile: ColumnProfile,
): Promise<ColumnChart> {
  if (profile.distinct === 0 || profile.constant !== undefined) return { kind: "none" };
  const place = placeOf(column.type, value);
  if (place !== undefined) return { kind: "bins", counts: countsOf(await connection.all(binsSql(relation, place))) };
  if (profile.distinct > countedDistinct) return { kind: "none" };
  const rows = await connection.all(
    `select ${value} as value, count(*) as count from ${relation} where ${value} is not null group by 1 order by 2 desc, 1 limit ${valuesShown}`,
  );
  return { kind: "values", values: rows.map((row) => ({ value: row["value"] ?? null, count: Number(row["count"]) })) };
}

/** Where a value stands on a line, and the step between neighbours where there is one. */
interface Place {
  readonly sql: string;
  readonly step: number | undefined;
}

/** Undefined where values are not numbers or times. */
function placeOf(type: string, value: string): Place | undefined {
  if (type === "integer" || type === "bigint") return { sql: `${value}::double`, step: 1 };
  if (type === "double" || type === "decimal") return { sql: `${value}::double`, step: undefined };
  if (type === "date") return { sql: `epoch(${value}::timestamp)`, step: 86_400 };
  if (type === "timestamp") return { sql: `epoch(${value})`, step: undefined };
  return undefined;
}

/** Of values with a step, a bin holds as many steps as any other; else the range is parted evenly. */
function binsSql(relation: string, { sql, step }: Place): string {
  const all = `select ${sql} as place from ${relation}`;
  const bounds = "select min(place) as low, max(place) as high from places where isfinite(place)";
  const steps = `((high - low) / ${step ?? 1} + 1)`;
  const width = `(ceil(${steps} / ${binsMax}) * ${step ?? 1})`;
  const even = `case when high > low then least(${binsMax - 1}, floor((place - low) / (high - low) * ${binsMax})) else 0 end`;
  const bin = step === undefined ? even : `floor((place - low) / ${width})`;
  const last = step === undefined ? String(binsMax - 1) : `floor((high - low) / ${width})`;
  return `with places as (${all}), bounds as (${bounds}) select ${bin} as bin, any_value(${last}) as last, count(*) as count from places, bounds where isfinite(place) group by 1`;
}

function countsOf(rows: readonly EngineRow[]): number[] {
  const counts = Array.from({ length: Number(rows[0]?.["last"] ?? 0) + 1 }, () => 0);
  for (const row of rows) counts[Number(row["bin"])] = Number(row["count"]);
  return counts;
}
