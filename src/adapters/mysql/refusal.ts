import { limit } from "../../core/limit.ts";
import { type Reason, type ReasonCode, shortenValue } from "../../core/reject.ts";
import { serverError } from "./errors.ts";
import { foldName } from "./names.ts";

/** What the database said when it refused a row. */
export interface RowFault {
  readonly number: number;
  readonly message: string;
  /** Which row of the statement it was about, from 1, where that can be relied on. */
  readonly row: number | undefined;
}

/** A row that the database refused. */
export interface Refusal {
  readonly row: number;
  readonly fault: RowFault;
}

const rowAtEnd = / at row (\d+)$/;

/** `counted`: rows are numbered in the order that they are in. */
export function faultFrom(number: number, message: string): RowFault {
  const row = rowAtEnd.exec(message)?.[1];
  return { number, message: message.replace(rowAtEnd, ""), row: row === undefined ? undefined : Number(row) };
}

/** Undefined for an error that is not the server's. */
export function faultOf(error: unknown): RowFault | undefined {
  const said = serverError(error);
  return said === undefined ? undefined : faultFrom(said.number, said.message);
}

/** The index whose keys met, as the message names it: MySQL puts the table's name before it. */
export function indexOf(fault: RowFault): string | undefined {
  if (codeOf(fault.number) !== "duplicate") return undefined;
  return /for key '(?:[^']*\.)?([^'.]*)'/.exec(fault.message)?.[1];
}

export function codeOf(number: number): ReasonCode {
  if ([1062, 1586, 1557].includes(number)) return "duplicate";
  return [1452, 1216].includes(number) ? "reference" : "refused";
}

/** Names of the table that rows pass through on their way; nobody knows it. */
const qualified = /(?:`[^`]*`\.)?`millrace_(?:typed|raw)`\./g;

/**
 * The reason of a reject, in the database's own words. `columns` are those of the rows, `keyOf` gives the columns of a
 * unique index.
 */
export function reasonOf(
  fault: RowFault,
  columns: readonly string[],
  keyOf: (index: string) => readonly string[],
): Reason {
  const message = fault.message.replaceAll(qualified, "");
  const column = columnOf(fault, message, columns, keyOf);
  const value =
    /^(?:Incorrect [a-z0-9 ]+ value|Duplicate entry|Truncated incorrect [A-Za-z]+ value):? '(.*)' for /s.exec(
      message,
    )?.[1];
  return {
    code: codeOf(fault.number),
    message: shortenValue(message, limit.reasonValueChars),
    ...(column === undefined ? {} : { column }),
    ...(column === undefined || value === undefined ? {} : { value: shortenValue(value, limit.reasonValueChars) }),
  };
}

function columnOf(
  fault: RowFault,
  message: string,
  columns: readonly string[],
  keyOf: (index: string) => readonly string[],
): string | undefined {
  const index = indexOf(fault);
  const named =
    index === undefined
      ? (/\bcolumn (?:`[^`]*`\.)*[`'"]([^`'"]+)[`'"]/i.exec(message)?.[1] ??
        /FOREIGN KEY \(`([^`]+)`\)/.exec(message)?.[1] ??
        /CONSTRAINT `(?:[^`]*\.)?([^`]+)` failed/.exec(message)?.[1])
      : keyOf(index).length === 1
        ? keyOf(index)[0]
        : undefined;
  return columns.find((name) => named !== undefined && foldName(name) === foldName(named));
}
