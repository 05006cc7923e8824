import { MillraceError } from "./error.ts";
import { limit } from "./limit.ts";

/** What lies at the beginning of the lines that a format was shown. */
export interface LineRecord {
  /** Lines that this takes, from the first one on. */
  readonly lines: number;
  /** One value for each column, null where it is missing. Absent, without `fault`: the lines belong to no record. */
  readonly values?: readonly (string | null)[];
  /** Why the lines are no record: they become a reject with this reason. */
  readonly fault?: string;
}

/** A text format of an application's own, whose records are whole lines: one or several of them. */
export interface LineFormat {
  readonly kind: "format";
  /** Kept with rejects, which are read again by the format of this name. */
  readonly name: string;
  readonly columns: readonly string[];
  /** Lines that are looked at to tell what lies at the first of them. */
  readonly linesMax: number;
  /**
   * What lies at the first line. `lines` are `linesMax` lines without their ends; fewer where the file ends, and where
   * they would be longer than a record may be. `file` is the file's name without its folder. Must depend on nothing
   * else: it is asked again, from any record on. What it throws makes the first line a reject.
   */
  readonly read: (lines: readonly string[], file: string) => LineRecord;
}

const namePattern = /^[a-z][a-z0-9-]{0,39}$/;
const builtIn: ReadonlySet<string> = new Set(["csv", "json", "ndjson", "parquet", "xlsx", "avro"]);

/** Defines a text format, for `.from(url, { format })`. Throws PIPELINE_INVALID. */
export function lineFormat(given: Omit<LineFormat, "kind">): LineFormat {
  const { name, columns, linesMax, read } = given;
  const fault = faultOf(given);
  if (fault !== undefined) {
    throw new MillraceError("PIPELINE_INVALID", `The format ${JSON.stringify(name)} has a mistake: ${fault}`, {
      remedy: "Write lineFormat({ name, columns, linesMax, read: (lines, file) => ({ lines: 1, values: […] }) }).",
    });
  }
  return { kind: "format", name, columns: [...columns], linesMax, read };
}

/** TypeScript says these too; a module that runs with its types stripped may not have been checked. */
function faultOf({ name, columns, linesMax, read }: Omit<LineFormat, "kind">): string | undefined {
  if (!namePattern.test(name)) return "its name is not up to 40 lower-case letters, digits and -";
  if (builtIn.has(name)) return "Millrace has a format of this name";
  if (columns.length === 0 || new Set(columns).size < columns.length) return "its columns are not names, each once";
  if (!Number.isInteger(linesMax) || linesMax < 1 || linesMax > limit.formatLines)
    return `linesMax is not a whole number from 1 to ${limit.formatLines}`;
  return typeof read === "function" ? undefined : "read is no function";
}

export function isLineFormat(value: unknown): value is LineFormat {
  return typeof value === "object" && value !== null && (value as { readonly kind?: unknown }).kind === "format";
}
