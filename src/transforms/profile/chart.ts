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

const bins = 24;
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
  const place = placeSql(column.type, value);
  if (place !== undefined) {
    const rows = await connection.all(binsSql(relation, place));
    return { kind: "bins", counts: countsOf(rows) };
  }
  if (profile.distinct > countedDistinct) return { kind: "none" };
  const rows = await connection.all(
    `select ${value} as value, count(*) as count from ${relation} where ${value} is not null group by 1 order by 2 desc, 1 limit ${valuesShown}`,
  );
  return { kind: "values", values: rows.map((row) => ({ value: row["value"] ?? null, count: Number(row["count"]) })) };
}

/** A value as a place on a line; undefined where values are not numbers or times. */
function placeSql(type: string, value: string): string | undefined {
  if (type === "integer" || type === "bigint" || type === "double" || type === "decimal") return `${value}::double`;
  if (type === "date" || type === "timestamp") return `epoch(${value}::timestamp)`;
  return undefined;
}

function binsSql(relation: string, place: string): string {
  const all = `select ${place} as place from ${relation}`;
  const bounds = "select min(place) as low, max(place) as high from places where isfinite(place)";
  const bin = `least(${bins - 1}, floor((place - low) / (high - low) * ${bins}))::integer`;
  return `with places as (${all}), bounds as (${bounds}) select case when high > low then ${bin} else 0 end as bin, count(*) as count from places, bounds where isfinite(place) group by 1`;
}

function countsOf(rows: readonly EngineRow[]): number[] {
  const counts = Array.from({ length: bins }, () => 0);
  for (const row of rows) counts[Number(row["bin"])] = Number(row["count"]);
  return counts;
}
