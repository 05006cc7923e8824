import { quoteIdentifier } from "../core/identifier.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { TransformStep } from "../core/pipeline.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { Compiled, Transform, Whole } from "../ports/transform.ts";
import { columnNamed, isNumber, stepInvalid, stepOf } from "./columns.ts";

/** `(value - shift) / by`: what was taken from a column's values, and undoes it. */
export interface Scaling {
  readonly method: "min-max" | "standard";
  /** The least value, or the mean. */
  readonly shift: number;
  /** The range, or the standard deviation of all values (divided by n); 0 where all values are the same. */
  readonly by: number;
}

/** `min-max` brings values to 0 to 1, `standard` to mean 0 and deviation 1; or what is known of them already. */
export type ScaleMethod = Scaling["method"] | Scaling;

/** Scales columns of numbers, which become `double`. */
export function scale(methods: Readonly<Record<string, ScaleMethod>>): TransformStep {
  return stepOf("scale", methods as unknown as JsonObject);
}

/** A scaled value as it was. `scaling` is one of the parameters that the pipeline's definition keeps. */
export function unscale(scaling: Scaling, value: number): number {
  return value * scaling.by + scaling.shift;
}

/** The same in SQL. */
export function unscaleSql({ shift, by }: Scaling, column: string): string {
  return `(${quoteIdentifier(column)} * ${literal(by)} + ${literal(shift)})`;
}

const literal = (value: number): string => `cast('${value}' as double precision)`;

interface Plan {
  readonly column: SinkColumn;
  readonly method: Scaling["method"];
  readonly given: Scaling | undefined;
}

function plansOf(options: JsonObject, columns: readonly SinkColumn[]): Plan[] {
  return Object.entries(options).map(([name, option]) => {
    const column = columnNamed("scale", columns, name);
    if (!isNumber(column)) {
      throw stepInvalid("scale", `"${name}" is ${column.type}`, "Scale columns of numbers, or narrow them before.");
    }
    const given = scalingOf(option);
    const method = given?.method ?? option;
    if (method === "min-max" || method === "standard") return { column, method, given };
    const remedy = 'Methods are "min-max", "standard" and { method, shift, by }.';
    throw stepInvalid("scale", `${JSON.stringify(option)} is no method for "${name}"`, remedy);
  });
}

function scalingOf(value: Json | undefined): Scaling | undefined {
  if (!isJsonObject(value)) return undefined;
  const { method, shift, by } = value;
  if (typeof shift !== "number" || typeof by !== "number") return undefined;
  return { method: method === "standard" ? method : "min-max", shift, by };
}

export const scaleTransform: Transform = {
  name: "scale",
  whole: {
    isNeeded: (options, columns) => plansOf(options, columns).some(({ given }) => given === undefined),
    measure: async (options, whole) => {
      const plans = plansOf(options, whole.columns).filter(({ given }) => given === undefined);
      const found: Record<string, Json> = {};
      for (const plan of plans) found[plan.column.name] = { ...(await measureScaling(plan, whole)) };
      return found;
    },
  },
  compile: ({ options, parameters }, columns): Compiled => {
    const values = plansOf(options, columns).map(({ column, given }) => {
      const { name, nullable, key } = column;
      const scaling = given ?? (isJsonObject(parameters) ? scalingOf(parameters[name]) : undefined);
      const value = `cast(${quoteIdentifier(name)} as double)`;
      const doubled = {
        type: "double",
        ...(nullable === true ? { nullable } : {}),
        ...(key === true ? { key } : {}),
      } as const;
      return [name, { sql: scaling === undefined ? value : scaledSql(value, scaling), column: doubled }] as const;
    });
    return { values: Object.fromEntries(values) };
  },
};

function scaledSql(value: string, { shift, by }: Scaling): string {
  const shifted = `(${value} - ${literal(shift)})`;
  return by === 0 ? shifted : `${shifted} / ${literal(by)}`;
}

async function measureScaling({ column, method }: Plan, { connection, relation }: Whole): Promise<Scaling> {
  const value = `cast(${quoteIdentifier(column.name)} as double)`;
  const [shift, by] =
    method === "min-max"
      ? [`min(${value})`, `max(${value}) - min(${value})`]
      : [`favg(${value})`, `stddev_pop(${value})`];
  const [row] = await connection.all(`select ${shift} as shift, ${by} as by from ${relation}`);
  const exact = (found: unknown): number =>
    method === "min-max" ? Number(found ?? 0) : Number(Number(found ?? 0).toPrecision(12));
  return { method, shift: exact(row?.["shift"]), by: exact(row?.["by"]) };
}
