import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { FormatOptions } from "../../core/pipeline.ts";
import type { CsvShape } from "../csv/frame.ts";
import type { Columns } from "../csv/header.ts";
import { csvLayout } from "../csv/layout.ts";
import { type Extent, isBlank, rowText } from "./row-text.ts";
import { SharedTexts } from "./shared-texts.ts";
import { readRows, type SheetRow, unknownValue } from "./sheet.ts";
import { chooseSheet, openWorkbook, sheetNotice, type Workbook } from "./workbook.ts";
import type { ReadRange } from "./zip.ts";

/** A sheet of a workbook and how its rows become records. */
export interface SheetLayout {
  readonly sheet: string;
  /** The sheet is the one that would be read if none were named. */
  readonly isFirst: boolean;
  readonly extent: Extent;
  /** Records are CSV of this shape. */
  readonly shape: CsvShape;
  /** Rows up to this one, 1-based, are not records: the header and what is above it. */
  readonly headerRow: number;
  /** What people should know: which sheet was chosen, what was taken for a header. */
  readonly notices: readonly string[];
}

/** Rows that are looked at. */
const headRows = 100;

/** Looks at the first rows of the sheet. Throws as `openWorkbook`, `chooseSheet` and the layout of CSV do. */
export async function sheetLayout(
  read: ReadRange,
  sizeBytes: number,
  source: string,
  options: FormatOptions,
  columns: Columns | undefined,
): Promise<SheetLayout> {
  const workbook = await openWorkbook(read, sizeBytes, source);
  const sheet = chooseSheet(workbook, options.sheet);
  const rows: SheetRow[] = [];
  for await (const some of readRows(workbook, sheet)) {
    rows.push(...some);
    if (rows.length >= headRows) break;
  }
  refuseFormulas(rows, source, sheet.name);
  const head = rows.slice(0, headRows);
  const texts = await SharedTexts.read(workbook, lastText(head));
  try {
    const extent = extentOf(rows, headRows, texts, source);
    const records = head.filter((row) => !isBlank(row, texts));
    const csv = records.map((row) => `${rowText(row, extent, texts).text}\n`);
    const whole = rows.length < headRows;
    const dialect = { ...options, delimiter: ",", quote: '"' };
    const laid = csvLayout({ head: Buffer.from(csv.join("")), whole, headByte: 0 }, dialect, columns, source);
    const notices = [sheetNotice(workbook, sheet, options.sheet), laid.guess].filter((text) => text !== undefined);
    const headerRow = laid.byte > 0 ? (records[0]?.number ?? 0) : 0;
    return { sheet: sheet.name, isFirst: isFirst(workbook, sheet.name), extent, shape: laid.shape, headerRow, notices };
  } finally {
    texts.close();
  }
}

const isFirst = (workbook: Workbook, name: string): boolean => chooseSheet(workbook, undefined).name === name;

function lastText(rows: readonly SheetRow[]): number {
  const numbers = rows.flatMap(({ cells }) => cells.map(({ value }) => (typeof value === "number" ? value : -1)));
  return numbers.reduce((last, number) => Math.max(last, number), -1);
}

/** From the first column that holds something to the last one. */
function extentOf(rows: readonly SheetRow[], count: number, texts: SharedTexts, source: string): Extent {
  let first = Number.POSITIVE_INFINITY;
  let last = -1;
  for (const { cells } of rows.slice(0, count)) {
    for (const { column, value } of cells) {
      if (typeof value === "number" && texts.get(value) === "") continue;
      first = Math.min(first, column);
      last = Math.max(last, column);
    }
  }
  if (last < 0) return { first: 0, count: 1 };
  const extent = { first, count: last - first + 1 };
  if (extent.count <= limit.columns) return extent;
  throw new MillraceError("COLUMNS_MISMATCH", `A sheet of ${source} has ${extent.count} columns`, {
    remedy: `At most ${limit.columns} are possible: save those that are needed as a sheet of their own.`,
    at: { source },
  });
}

/** A sheet whose formulas were never computed holds nothing to read, and says so only here. */
function refuseFormulas(rows: readonly SheetRow[], source: string, sheet: string): void {
  const below = rows.length > 1 ? rows.slice(1) : rows;
  const cells = below.flatMap((row) => row.cells);
  if (cells.length === 0 || cells.some(({ value }) => value !== unknownValue)) return;
  throw new MillraceError(
    "FILE_FORMAT",
    `The sheet ${JSON.stringify(sheet)} of ${source} holds formulas without values`,
    {
      remedy: "The program that wrote it did not compute them: open and save it with a spreadsheet program.",
      at: { source },
    },
  );
}
