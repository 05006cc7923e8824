import type { Column } from "./contract.ts";
import { MillraceError } from "./error.ts";

/** The type of a parameter or column, as in a contract. */
export type InsightType = Pick<Column, "type" | "precision" | "scale">;

/** What may be asked with. */
export interface InsightParameter extends InsightType {
  readonly name: string;
  readonly required: boolean;
  /** As JSON has it: whole numbers beyond 2^53, decimals, dates and json as text. One that is absent counts as null. */
  readonly default?: string | number | boolean;
  /** One line for people; may be empty. */
  readonly about: string;
}

export interface InsightColumn extends InsightType {
  readonly name: string;
  readonly about?: string;
}

/** A column that rows are sorted by, texts by code points, nulls last. */
export interface InsightOrder {
  readonly column: string;
  readonly descending: boolean;
}

/** A named query that anyone can add as a file. */
export interface Insight {
  readonly name: string;
  /** For people; paragraphs are a blank line apart. */
  readonly about: string;
  readonly parameters: readonly InsightParameter[];
  /** In the order of the answer. A value of any of them may be null. */
  readonly columns: readonly InsightColumn[];
  /** Tables that the query reads: while none of them changes an answer may be given again. Empty: it never may. */
  readonly tables: readonly string[];
  /** Sorts the rows outside of the database; empty where the SQL sorts them. */
  readonly order: readonly InsightOrder[];
  /** One SELECT with `cast($1 as …)` where parameters stand, without a semicolon. */
  readonly sql: string;
  /** The parameter of `$1`, of `$2`, … */
  readonly bindings: readonly string[];
  /** Whether the SELECT itself ends with LIMIT, OFFSET or FETCH, so that no LIMIT can be put behind it. */
  readonly limited: boolean;
  /** Path of the file. */
  readonly file: string;
}

/** INSIGHT_INVALID, with the file and the line, from 1. */
export function insightMistake(
  file: string,
  line: number | undefined,
  what: string,
  remedy: string,
  cause?: unknown,
): MillraceError {
  const at = line === undefined ? { source: file } : { source: file, line };
  return new MillraceError("INSIGHT_INVALID", `The insight has a mistake: ${what}`, { remedy, at, cause });
}
