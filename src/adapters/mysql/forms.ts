import type { SinkColumn } from "../../ports/rows.ts";
import type { TableInfo } from "./catalog.ts";
import { foldName } from "./names.ts";

/** SQL that makes of a text, which is SQL too, what a column takes for the same value; undefined where that is the text itself. */
export type Form = ((text: string) => string) | undefined;

/**
 * What the rows' texts become on their way into the table's columns. The texts are those that the contract takes, which may be
 * as they were in the source: a `yes`, a time with its Z, the letters of a UUID large.
 */
export function formsOf(table: TableInfo, columns: readonly SinkColumn[]): readonly Form[] {
  const types = new Map(table.columns.map((column) => [foldName(column.name), column.type]));
  return columns.map((column) => formOf(column, types.get(foldName(column.name)) ?? ""));
}

function formOf({ type }: SinkColumn, into: string): Form {
  if (type === "boolean" && ["tinyint", "bit"].includes(into)) return truth;
  if (type === "timestamp" && ["datetime", "timestamp"].includes(into))
    return (text) => `trim(trailing 'Z' from ${text})`;
  if (type === "uuid" && into === "char") return (text) => `lower(${text})`;
  return undefined;
}

const truth = (text: string): string =>
  `case when lower(${text}) in ('true', 't', 'yes', 'y', '1') then 1 when lower(${text}) in ('false', 'f', 'no', 'n', '0') then 0 else ${text} end`;
