import { MillraceError } from "../core/error.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { TransformStep } from "../core/pipeline.ts";
import type { SinkColumn } from "../ports/rows.ts";

/** A step's data, `options` without what is undefined. */
export function stepOf(name: string, options: JsonObject): TransformStep {
  return { kind: "transform", name, options };
}

/** Throws PIPELINE_INVALID. */
export function columnNamed(step: string, columns: readonly SinkColumn[], name: string): SinkColumn {
  const found = columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  throw stepInvalid(step, `there is no column "${name}"`, `Columns are ${columns.map((one) => one.name).join(", ")}.`);
}

export function stepInvalid(step: string, what: string, remedy: string): MillraceError {
  return new MillraceError("PIPELINE_INVALID", `The step ${step} has a mistake: ${what}`, { remedy });
}

/** Names of columns as an option: those given, else all that `isMeant`. Throws PIPELINE_INVALID. */
export function namesOf(
  step: string,
  option: Json | undefined,
  columns: readonly SinkColumn[],
  isMeant: (column: SinkColumn) => boolean,
): string[] {
  if (!Array.isArray(option) || option.length === 0) return columns.filter(isMeant).map(({ name }) => name);
  return (option as readonly string[]).map((name) => columnNamed(step, columns, name).name);
}

const numbers: ReadonlySet<string> = new Set(["integer", "bigint", "double", "decimal"]);

export const isNumber = ({ type }: Pick<SinkColumn, "type">): boolean => numbers.has(type);
