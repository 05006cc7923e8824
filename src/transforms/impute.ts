import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { TransformStep } from "../core/pipeline.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { Compiled, Transform, Whole } from "../ports/transform.ts";
import { columnNamed, isNumber, stepInvalid, stepOf } from "./columns.ts";

/** What stands for a missing value: computed of all values, or one that is given. */
export type ImputeStrategy =
  | "mean"
  | "median"
  | "most frequent"
  | "none"
  | { readonly constant: string | number | boolean };

/**
 * Fills missing values. Columns that are not named are left alone; without argument all are filled: numbers by their
 * mean, texts by the empty text, dates by the time of the first load, truth values by the more frequent one. A column
 * without any value gets 0.
 */
export function impute(strategies: Readonly<Record<string, ImputeStrategy>> = {}): TransformStep {
  return stepOf("impute", strategies);
}

type Kind = Exclude<ImputeStrategy, object> | "constant" | "empty" | "now";

interface Plan {
  readonly column: SinkColumn;
  readonly kind: Kind;
  readonly constant?: Json;
}

const standardKinds: Readonly<Record<SinkColumn["type"], Kind>> = {
  ...{ integer: "mean", bigint: "mean", double: "mean", decimal: "mean" },
  ...{ text: "empty", date: "now", timestamp: "now", boolean: "most frequent", uuid: "none", json: "none" },
};

const named: ReadonlySet<unknown> = new Set(["mean", "median", "most frequent", "none"]);

function plansOf(options: JsonObject, columns: readonly SinkColumn[]): Plan[] {
  const given = Object.entries(options);
  if (given.length === 0) {
    const plans = columns.map((column): Plan => ({ column, kind: standardKinds[column.type] }));
    return plans.filter(({ column, kind }) => column.nullable === true && kind !== "none");
  }
  return given
    .map(([name, strategy]) => planOf(columnNamed("impute", columns, name), strategy))
    .filter(({ kind }) => kind !== "none");
}

function planOf(column: SinkColumn, strategy: Json): Plan {
  const { name, type } = column;
  if (isJsonObject(strategy) && strategy["constant"] !== undefined) {
    return { column, kind: "constant", constant: strategy["constant"] };
  }
  if (!named.has(strategy)) {
    const remedy = 'Strategies are "mean", "median", "most frequent", "none" and { constant: … }.';
    throw stepInvalid("impute", `${JSON.stringify(strategy)} is no strategy for "${name}"`, remedy);
  }
  const kind = strategy as Kind;
  const isMiddle = kind === "mean" || kind === "median";
  if (isMiddle && !isNumber(column) && type !== "date" && type !== "timestamp") {
    throw stepInvalid("impute", `"${name}" is ${type} and has no ${kind}`, 'Use "most frequent" or { constant: … }.');
  }
  return { column, kind };
}

export const imputeTransform: Transform = {
  name: "impute",
  whole: {
    isNeeded: (options, columns) => plansOf(options, columns).some(({ kind }) => kind !== "constant"),
    measure: measureImpute,
  },
  compile: ({ options, parameters }, columns): Compiled => {
    const plans = plansOf(options, columns);
    const values = plans.map(({ column, kind, constant }) => {
      const value = kind === "constant" ? constant : isJsonObject(parameters) ? parameters[column.name] : undefined;
      const { name, nullable: _, ...filled } = column;
      const quoted = quoteIdentifier(name);
      const sql = value === undefined || value === null ? quoted : `coalesce(${quoted}, ${fitting(column, value)})`;
      return [name, { sql, column: filled }] as const;
    });
    return { values: Object.fromEntries(values) };
  },
};

/** A value as the column's type holds it: the mean of whole numbers is rounded. */
function fitting({ type, precision = 18, scale = 3 }: SinkColumn, value: Json): string {
  const text = quoteLiteral(typeof value === "string" ? value : JSON.stringify(value));
  if (type === "integer" || type === "bigint") return `cast(round(cast(${text} as double)) as ${type})`;
  if (type === "decimal") return `cast(${text} as decimal(${precision}, ${scale}))`;
  return `cast(${text} as ${type === "text" ? "varchar" : type})`;
}

/** The values by column, as text where JSON has no type for them. */
async function measureImpute(options: JsonObject, { connection, relation, columns, now }: Whole): Promise<Json> {
  const plans = plansOf(options, columns).filter(({ kind }) => kind !== "constant");
  const values: Record<string, Json> = {};
  for (const { column, kind } of plans) {
    const sql = measureSql(column, kind, now, relation);
    const [row] = await connection.all(
      `select count(${quoteIdentifier(column.name)}) as n, cast(${sql} as varchar) as value from ${relation}`,
    );
    values[column.name] = Number(row?.["n"]) === 0 ? nothingKnown(column, now) : (row?.["value"] as string);
  }
  return values;
}

function measureSql(column: SinkColumn, kind: Kind, now: string, relation: string): string {
  const value = quoteIdentifier(column.name);
  const isTime = column.type === "date" || column.type === "timestamp";
  const number = isTime ? `epoch_us(cast(${value} as timestamp))` : `cast(${value} as double)`;
  const back = (sql: string): string => (isTime ? `make_timestamp(cast(${sql} as bigint))` : digits(sql));
  switch (kind) {
    case "mean":
      return back(`favg(${number})`);
    case "median":
      return back(`median(${number})`);
    case "most frequent":
      // Of equally frequent values the least, so that every look finds the same.
      return `(select ${value} from (select ${value}, count(*) as n from ${relation} where ${value} is not null group by 1 order by 2 desc, 1 limit 1))`;
    case "empty":
      return "''";
    case "now":
      return quoteLiteral(now);
    case "none":
    case "constant":
      return "null";
  }
}

/** Twelve digits: what is beyond them depends on the order in which a sum was added up. */
const digits = (sql: string): string => `printf('%.12g', ${sql})`;

function nothingKnown({ type }: SinkColumn, now: string): Json {
  if (type === "date" || type === "timestamp") return now;
  return type === "boolean" ? "false" : "0";
}
