import type { Column } from "../../core/contract.ts";
import { jsonValue, type RowValue } from "../../core/json-value.ts";
import { limit } from "../../core/limit.ts";
import { shortenValue } from "../../core/reject.ts";
import type { EngineConnection, EngineRow } from "../../ports/engine.ts";
import type { ReadColumn } from "../../ports/relation.ts";
import { inlineTextBytes, wholeType, widthOf } from "./narrowest.ts";
import type { ColumnProfile, Profile } from "./profile.ts";

/** A relation of the engine and what numbers its rows. */
export interface ProfiledRelation {
  readonly relation: string;
  readonly rows: number;
  /** SQL of a row's number. */
  readonly row: string;
}

/** A column's profile, and what only all columns together tell. */
export interface Measured {
  readonly profile: ColumnProfile;
  /** Values for which the column's type, a guess, may not hold: above 0 the profile is not to be trusted. */
  readonly misfits: number;
  /** Of all values in the order of their rows: columns that differ in it are not equal. */
  readonly digest: string;
  readonly column: ReadColumn;
}

/** Columns that one query looks at: time to plan it grows faster than they do. */
const columnsAtOnce = 16;
/** Rows in which examples are looked for. */
const exampleRows = 1000;
/** Up to so many different values, or rows, they are counted and not estimated. */
const exactDistinct = 2000;
const exactRows = 100_000;

/** Measures columns of the relation. */
export async function measureColumns(
  connection: EngineConnection,
  relation: ProfiledRelation,
  columns: readonly ReadColumn[],
): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (let first = 0; first < columns.length; first += columnsAtOnce) {
    measured.push(...(await measureSome(connection, relation, columns.slice(first, first + columnsAtOnce))));
  }
  return measured;
}

/** The whole of it: equal columns are found among those whose digests are equal. */
export async function profileOf(
  connection: EngineConnection,
  relation: ProfiledRelation,
  measured: readonly Measured[],
): Promise<Profile> {
  const columns: ColumnProfile[] = [];
  for (const [index, { profile, digest, column }] of measured.entries()) {
    const alike = measured.slice(0, index).filter((other) => other.digest === digest);
    let duplicateOf: string | undefined;
    for (const other of alike) {
      if (relation.rows === 0 || !(await isEqual(connection, relation, other.column, column))) continue;
      duplicateOf = other.profile.duplicateOf ?? other.profile.name;
      break;
    }
    columns.push(duplicateOf === undefined ? profile : { ...profile, duplicateOf });
  }
  return { rows: relation.rows, columns };
}

async function isEqual(
  connection: EngineConnection,
  { relation }: ProfiledRelation,
  a: ReadColumn,
  b: ReadColumn,
): Promise<boolean> {
  const differing = await connection.all(
    `select 1 from ${relation} where ${a.text} is distinct from ${b.text} limit 1`,
  );
  return differing.length === 0;
}

async function measureSome(
  connection: EngineConnection,
  { relation, rows, row }: ProfiledRelation,
  columns: readonly ReadColumn[],
): Promise<Measured[]> {
  const typed = columns.map(({ value }, index) => `${value} as v${index}`);
  const texts = columns.map(({ text, kept }, index) => `${kept === undefined ? text : "null"} as t${index}`);
  const sums = columns.flatMap((column, index) => sumsSql(column, index, rows));
  const sql = `select ${sums.join(", ")} from (select ${[...typed, ...texts, `${row} as r`].join(", ")} from ${relation})`;
  const [found = {}] = await connection.all(sql);
  const distinct = await exactCounts(connection, relation, columns, found, rows);
  const examples = await examplesOf(connection, relation, columns, found);
  return columns.map((column, index) => measuredOf(column, index, rows, found, distinct[index], examples[index] ?? []));
}

/** What is looked at of column `index`: its value `v…`, its text `t…` where all is text, the row's number `r`. */
function sumsSql(column: ReadColumn, index: number, rows: number): string[] {
  const [value, text] = [`v${index}`, `t${index}`];
  const isText = column.kept === undefined;
  const own = isText ? text : value;
  const sums = [
    `count(${own}) as n${index}`,
    `min(${value}) as min${index}`,
    `max(${value}) as max${index}`,
    `bit_xor(hash(r, ${own}))::varchar as digest${index}`,
    ...(rows <= exactRows ? [] : [`approx_count_distinct(${own}) as distinct${index}`]),
    ...(isText || column.kept === "VARCHAR" || column.column.type === "json"
      ? [`sum(greatest(strlen(${own}) - ${inlineTextBytes}, 0))::double as long${index}`]
      : []),
  ];
  if (column.misfits !== undefined) {
    const misfits = column.misfits.replaceAll(column.text, text);
    sums.push(`count(*) filter (where ${text} is not null and ${misfits}) as misfits${index}`);
  }
  const wide = wideSql(column.column, value);
  return wide === undefined ? sums : [...sums, `count(*) filter (where ${wide}) as wide${index}`];
}

/** Values that keep a column from the next narrower type. */
function wideSql({ type }: Column, value: string): string | undefined {
  if (type === "double") return `cast(cast(${value} as float) as double) <> ${value}`;
  if (type === "timestamp") return `${value} <> date_trunc('day', ${value})`;
  return undefined;
}

async function exactCounts(
  connection: EngineConnection,
  relation: string,
  columns: readonly ReadColumn[],
  found: EngineRow,
  rows: number,
): Promise<(number | undefined)[]> {
  const isCountable = (index: number): boolean =>
    rows <= exactRows || Number(found[`distinct${index}`]) <= exactDistinct;
  const counts = columns.flatMap(({ text, value, kept }, index) =>
    isCountable(index) ? [`count(distinct ${kept === undefined ? text : value}) as d${index}`] : [],
  );
  if (counts.length === 0) return [];
  const [row = {}] = await connection.all(`select ${counts.join(", ")} from ${relation}`);
  return columns.map((_, index) => (row[`d${index}`] === undefined ? undefined : Number(row[`d${index}`])));
}

/** Texts as they stand; of typed columns their values. */
async function examplesOf(
  connection: EngineConnection,
  relation: string,
  columns: readonly ReadColumn[],
  found: EngineRow,
): Promise<RowValue[][]> {
  const shown = columns.map(({ text, value, kept }, index) => `${kept === undefined ? text : value} as v${index}`);
  const first = await connection.all(`select ${shown.join(", ")} from ${relation} limit ${exampleRows}`);
  const examples = columns.map((_, index) => firstDistinct(first.map((row) => row[`v${index}`] ?? null)));
  for (const [index, column] of columns.entries()) {
    if ((examples[index]?.length ?? 0) > 0 || Number(found[`n${index}`]) === 0) continue;
    const own = column.kept === undefined ? column.text : column.value;
    const late = await connection.all(`select ${own} as v from ${relation} where ${own} is not null limit 1`);
    examples[index] = firstDistinct(late.map((row) => row["v"] ?? null));
  }
  return examples;
}

function firstDistinct(values: readonly RowValue[]): RowValue[] {
  const kept = new Map<string, RowValue>();
  for (const value of values) {
    if (value === null) continue;
    const shown = shownValue(value);
    kept.set(JSON.stringify(jsonValue(shown)), shown);
    if (kept.size >= limit.examplesShown) break;
  }
  return [...kept.values()];
}

function shownValue(value: RowValue): RowValue {
  return typeof value === "string" ? shortenValue(value, limit.reasonValueChars) : value;
}

function measuredOf(
  read: ReadColumn,
  index: number,
  rows: number,
  found: EngineRow,
  distinct: number | undefined,
  examples: readonly RowValue[],
): Measured {
  const { name, column, kept } = read;
  const count = Number(found[`n${index}`] ?? 0);
  const long = Number(found[`long${index}`] ?? 0);
  const [min, max] = [found[`min${index}`] ?? null, found[`max${index}`] ?? null];
  const narrowest = narrowestType(read, min, max, Number(found[`wide${index}`] ?? 0));
  const isConstant = rows > 0 && count === rows && (distinct ?? Number(found[`distinct${index}`])) === 1;
  const profile: ColumnProfile = {
    name,
    type: column.type,
    ...(column.format === undefined ? {} : { format: column.format }),
    narrowest,
    sizeBytes: rows * widthOf(kept ?? "VARCHAR") + long,
    narrowBytes: rows * widthOf(narrowest) + (narrowest === "VARCHAR" ? long : 0),
    missing: rows - count,
    distinct: distinct ?? Math.min(count, Number(found[`distinct${index}`])),
    distinctIsExact: distinct !== undefined,
    min: shownValue(min),
    max: shownValue(max),
    ...(isConstant ? { constant: examples[0] ?? shownValue(min) } : {}),
    examples,
  };
  const misfits = Number(found[`misfits${index}`] ?? 0);
  return { profile, misfits, digest: JSON.stringify(found[`digest${index}`]), column: read };
}

function narrowestType({ column, kept }: ReadColumn, min: RowValue, max: RowValue, wide: number): string {
  switch (column.type) {
    case "integer":
    case "bigint":
      return min === null || max === null ? "TINYINT" : wholeType(wholeOf(min), wholeOf(max));
    case "double":
      return wide === 0 ? "FLOAT" : "DOUBLE";
    case "timestamp":
      return wide === 0 ? "DATE" : "TIMESTAMP";
    case "decimal":
      return narrowestDecimal(column, digitsOf(min), digitsOf(max));
    case "boolean":
      return "BOOLEAN";
    case "date":
      return "DATE";
    case "uuid":
      return "UUID";
    case "text":
    case "json":
      return kept !== undefined && column.type === "json" ? kept : "VARCHAR";
  }
}

/** As many digits before the point as the largest value has; those behind it stay. */
function narrowestDecimal({ scale = 3 }: Column, min: string, max: string): string {
  const whole = (text: string): number => text.replace(/^-?0*/, "").replace(/[.].*$/, "").length;
  const precision = Math.max(1, Math.max(whole(min), whole(max)) + scale);
  return `DECIMAL(${Math.min(38, precision)},${scale})`;
}

/** The engine gives whole numbers as numbers or bigints, and as text where they are wider. */
const wholeOf = (value: RowValue): bigint => BigInt(digitsOf(value));

const digitsOf = (value: RowValue): string =>
  typeof value === "string" || typeof value === "number" || typeof value === "bigint" ? String(value) : "0";
