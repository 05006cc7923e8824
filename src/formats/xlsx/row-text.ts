import type { SharedTexts } from "./shared-texts.ts";
import { columnName, type SheetRow, unknownValue } from "./sheet.ts";

/** The columns of a sheet that records are made of. */
export interface Extent {
  /** 0-based, the first of them. */
  readonly first: number;
  readonly count: number;
}

/** A row as a record of CSV, and what is wrong with it when it cannot be one. */
export interface RowText {
  readonly text: string;
  readonly fault: { readonly code: "columns" | "malformed"; readonly message: string } | undefined;
}

/** Whether nothing stands in it but texts without a character: such a row is no record, as a blank line is none. */
export function isBlank({ cells }: SheetRow, texts: SharedTexts): boolean {
  return cells.every(({ value }) => typeof value === "number" && texts.get(value) === "");
}

const needsQuotes = /[",\n\r]/;

/** The row as CSV, a field for each column; empty ones and texts that are empty are missing. */
export function rowText({ number, cells }: SheetRow, { first, count }: Extent, texts: SharedTexts): RowText {
  const fields: string[] = [];
  let fault: RowText["fault"];
  for (const { column, value } of cells) {
    const field = column - first;
    if (value === unknownValue) {
      const cell = `${columnName(column)}${number}`;
      fault ??= { code: "malformed", message: `the cell ${cell} holds a formula that has no value` };
      continue;
    }
    const text = typeof value === "string" ? value : texts.get(value);
    if (text === "") continue;
    if (field < 0 || field >= count) {
      const cell = `${columnName(column)}${number}`;
      fault ??= { code: "columns", message: `the cell ${cell} lies outside of the ${count} columns of the sheet` };
    }
    const at = Math.max(field, 0);
    while (fields.length < at) fields.push("");
    fields[at] = needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  while (fields.length < count) fields.push("");
  return { text: fields.join(","), fault };
}
