import { MillraceError } from "../../core/error.ts";
import type { FormatOptions } from "../../core/pipeline.ts";
import type { Sniffed } from "../sniff.ts";
import type { CsvShape } from "./frame.ts";
import { type Columns, columnsByHeader, fieldNames, judgeFirst } from "./header.ts";
import { type HeadRecord, headRecords, likelyDelimiter, showByte, sniffDialect } from "./sniff.ts";

/** A delimited file: how it is written, what its fields are called, and where its first record starts. */
export interface CsvLayout {
  readonly shape: CsvShape;
  /** Byte of the decoded file and 1-based line behind the header. */
  readonly byte: number;
  readonly line: number;
  /** What was guessed of the first record and how to say it, where nothing in the file tells. */
  readonly guess: string | undefined;
}

/**
 * Works out the layout from the head of a file. With the contract's columns the fields are mapped to them by the header
 * or, without header, by their order. Throws HEADER_MISMATCH and COLUMNS_MISMATCH.
 */
export function csvLayout(
  { head, whole, headByte }: Pick<Sniffed, "head" | "whole" | "headByte">,
  options: FormatOptions,
  columns: Columns | undefined,
  source: string,
): CsvLayout {
  const expected = columns === undefined ? undefined : Object.keys(columns).length;
  const dialect = sniffDialect(head, whole, options, expected);
  const records = headRecords(head, whole, dialect);
  const { isHeader, isGuess } = judgeFirst(
    records.map(({ fields }) => fields),
    columns,
    options.header,
    source,
  );
  const header = isHeader ? records[0] : undefined;
  if (header === undefined && columns !== undefined) {
    refuseOtherCounts(records, Object.keys(columns).length, source, () =>
      hint(dialect.delimiter, likelyDelimiter(head, whole, dialect.quote, Object.keys(columns).length)),
    );
  }
  const shape = {
    ...dialect,
    nullText: options.nullText,
    columns: columnNames(header, records, columns, options.ignoreExtra === true, source),
  };
  return {
    shape,
    byte: headByte + (header?.next ?? 0),
    line: 1 + (header?.nextLine ?? 0),
    guess: isGuess ? guessText(isHeader, shape.columns, source) : undefined,
  };
}

const namesShown = 5;

function guessText(isHeader: boolean, columns: readonly (string | undefined)[], source: string): string {
  const names = columns.slice(0, namesShown).join(", ") + (columns.length > namesShown ? ", …" : "");
  return isHeader
    ? `The first record of ${source} was taken for a header (${names}); if it is data, say --no-header`
    : `The first record of ${source} was taken for data (column names ${names}); if it is a header, say --header`;
}

function columnNames(
  header: HeadRecord | undefined,
  records: readonly HeadRecord[],
  columns: Columns | undefined,
  ignoreExtra: boolean,
  source: string,
): (string | undefined)[] {
  if (columns !== undefined) {
    return header === undefined ? Object.keys(columns) : columnsByHeader(header.fields, columns, ignoreExtra, source);
  }
  return fieldNames(header?.fields, header?.fields.length ?? usualCount(records));
}

/** The number of fields that most of the first records have; the first such number where several are as frequent. */
function usualCount(records: readonly HeadRecord[]): number {
  const counts = new Map<number, number>();
  for (const { fields } of records) counts.set(fields.length, (counts.get(fields.length) ?? 0) + 1);
  return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best), [1, 0] as [number, number])[0];
}

function refuseOtherCounts(
  records: readonly HeadRecord[],
  expected: number,
  source: string,
  hintOf: () => string,
): void {
  if (records.length === 0 || records.some(({ fields }) => fields.length === expected)) return;
  const counts = [...new Set(records.map(({ fields }) => fields.length))].sort((a, b) => a - b);
  const [least = 0, most = least] = [counts[0], counts.at(-1)];
  const found = `${least === most ? least : `${least} to ${most}`} ${most === 1 ? "field" : "fields"}`;
  const which = records.length === 1 ? "the first record has" : `the first ${records.length} records have`;
  const columns = `${expected} ${expected === 1 ? "column" : "columns"}`;
  throw new MillraceError(
    "COLUMNS_MISMATCH",
    `In ${source} ${which} ${found}, the contract has ${columns}${hintOf()}`,
    {
      remedy: "Give the delimiter that the file uses (--delimiter), or the contract that belongs to the file.",
      at: { source, line: 1 },
    },
  );
}

function hint(used: number, likely: string | undefined): string {
  if (likely === undefined) return "";
  return likely === showByte(used) ? "" : `; the delimiter seems to be ${likely}`;
}
