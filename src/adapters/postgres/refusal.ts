import type { DatabaseError } from "pg";
import { limit } from "../../core/limit.ts";
import { type Reason, type ReasonCode, shortenValue } from "../../core/reject.ts";

/** What the database said when it refused a row. */
export interface RowFault {
  readonly state: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
  /** Context of a COPY: names the line, and for a value that it could not read the column and the value. */
  readonly where?: string | undefined;
}

/** A row that the database refused. */
export interface Refusal {
  readonly row: number;
  readonly fault: RowFault;
}

export function faultOf(error: DatabaseError): RowFault {
  const { code = "", message, detail, column, constraint, where } = error;
  return { state: code, message, detail, column, constraint, where };
}

/** `COPY hired, line 12, column id: "x"` in whatever language the server speaks. */
function copyContext(fault: RowFault, table: string): string | undefined {
  const start = `COPY ${table}, `;
  return fault.where
    ?.split("\n")
    .find((line) => line.startsWith(start))
    ?.slice(start.length);
}

/** The 1-based physical line of the copied bytes that was at fault; undefined when the error names none. */
export function lineOf(fault: RowFault, table: string): number | undefined {
  const digits = /^\D*(\d+)/.exec(copyContext(fault, table) ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function codeOf(state: string): ReasonCode {
  if (state === "23505" || state === "23P01") return "duplicate";
  return state === "23503" ? "reference" : "refused";
}

interface Culprit {
  readonly column: string | undefined;
  readonly value: string | undefined;
}

/** The column, and its value where the database shows it. `columns` are those of the rows. */
function culpritOf(fault: RowFault, table: string, columns: readonly string[]): Culprit {
  const context = copyContext(fault, table) ?? "";
  for (const name of columns.toSorted((a, b) => b.length - a.length)) {
    const mark = ` ${name}: "`;
    const at = context.indexOf(mark);
    if (at >= 0) return { column: name, value: context.slice(at + mark.length).replace(/"$/, "") };
  }
  if (fault.column !== undefined && fault.column !== "") return { column: fault.column, value: undefined };
  const [, keys = "", value] = /\((.*?)\)=\((.*)\)/s.exec(fault.detail ?? "") ?? [];
  const named = columns.find((name) => name === keys || `"${name.replaceAll('"', '""')}"` === keys);
  return { column: named, value: named === undefined ? undefined : value };
}

/** The reason of a reject, in the database's own words. `table` is the one that was copied to, unquoted. */
export function reasonOf(fault: RowFault, table: string, columns: readonly string[]): Reason {
  const { column, value } = culpritOf(fault, table, columns);
  const detail = fault.detail === undefined || fault.detail === "" ? "" : `: ${fault.detail}`;
  return {
    code: codeOf(fault.state),
    message: shortenValue(`${fault.message}${detail}`, limit.reasonValueChars),
    ...(column === undefined ? {} : { column }),
    ...(value === undefined ? {} : { value: shortenValue(value, limit.reasonValueChars) }),
  };
}
