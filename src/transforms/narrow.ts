import type { Column } from "../core/contract.ts";
import { quoteIdentifier } from "../core/identifier.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { TransformStep } from "../core/pipeline.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { BatchPlace, Compiled, Transform, Whole } from "../ports/transform.ts";
import { namesOf, stepOf } from "./columns.ts";
import { measureColumns } from "./profile/measure.ts";

/**
 * Gives columns the narrowest type of a contract that holds every value: texts become numbers, dates, truth values where
 * all of them are, `bigint` becomes `integer`, `timestamp` a date where none has a time. All columns but the key unless
 * some are named. A later value that does not fit makes its record a reject.
 */
export function narrow(...columns: readonly string[]): TransformStep {
  return stepOf("narrow", { columns });
}

const meant = (options: JsonObject, columns: readonly SinkColumn[]): string[] =>
  namesOf("narrow", options["columns"], columns, ({ key }) => key !== true);

export const narrowTransform: Transform = {
  name: "narrow",
  whole: { isNeeded: (options, columns) => meant(options, columns).length > 0, measure: measureNarrow },
  compile: ({ options, parameters }, columns, place): Compiled => {
    const names = meant(options, columns);
    const known = isJsonObject(parameters) ? parameters : {};
    const narrowed = columns.flatMap((column) => {
      const found = names.includes(column.name) ? known[column.name] : undefined;
      return isJsonObject(found)
        ? [{ column, to: { ...found, nullable: column.nullable === true } as unknown as Column }]
        : [];
    });
    return {
      values: Object.fromEntries(
        narrowed.map(({ column, to }) => [column.name, { sql: narrowSql(column, to, place), column: unformatted(to) }]),
      ),
      fails: narrowed.map(({ column, to }) => ({
        column: column.name,
        condition: `${quoteIdentifier(column.name)} is not null and (${narrowSql(column, to, place)}) is null`,
        message: `is no ${to.type}, which the column was narrowed to`,
      })),
      isReported: false,
    };
  },
};

/** Past the source, dates and timestamps are ISO 8601 whatever they looked like there. */
function unformatted({ format: _, nullable, ...column }: Column): Column {
  return nullable === true ? { ...column, nullable } : column;
}

function narrowSql({ name, type }: SinkColumn, to: Column, { typed }: BatchPlace): string {
  const value = quoteIdentifier(name);
  if (type === "text") return typed(to, value);
  if (type === "timestamp") return `case when ${value} = date_trunc('day', ${value}) then cast(${value} as date) end`;
  return `try_cast(${value} as ${to.type})`;
}

/** By column, the narrower one; columns that cannot be narrowed are left out. */
async function measureNarrow(options: JsonObject, whole: Whole): Promise<Json> {
  const names = meant(options, whole.columns);
  const read = await whole.read(names, true);
  const relation = { relation: whole.relation, rows: whole.rows, row: "rowid" };
  const found: Record<string, Json> = {};
  for (const { profile, column } of await measureColumns(whole.connection, relation, read)) {
    const before = whole.columns.find(({ name }) => name === profile.name);
    if (before === undefined || profile.missing === whole.rows) continue;
    const to = before.type === "text" ? column.column : narrower(before, profile.narrowest);
    if (to !== undefined && to.type !== before.type) found[profile.name] = jsonOf(to);
  }
  return found;
}

function narrower({ type }: SinkColumn, narrowest: string): Column | undefined {
  const isInteger = /^(TINY|SMALL)?INT(EGER)?$/.test(narrowest);
  if (type === "bigint" && isInteger) return { type: "integer" };
  if (type === "timestamp" && narrowest === "DATE") return { type: "date" };
  return undefined;
}

function jsonOf({ type, format, precision, scale }: Column): Json {
  return {
    type,
    ...(format === undefined ? {} : { format }),
    ...(precision === undefined ? {} : { precision }),
    ...(scale === undefined ? {} : { scale }),
  };
}
