import { limit } from "../../core/limit.ts";
import { dateText } from "./number-format.ts";
import { readPart } from "./parts.ts";
import { unescaped } from "./rich-text.ts";
import type { Sheet, Workbook } from "./workbook.ts";
import { damaged } from "./zip.ts";
import { attributeOf, type XmlListener } from "./xml.ts";

/** A cell that holds something: a text, the number of one that cells share, or a formula that has no value. */
export interface Cell {
  /** 0-based. */
  readonly column: number;
  readonly value: string | number | typeof unknownValue;
}

/** Of a formula that no program has computed. */
export const unknownValue = Symbol("the value of a formula that was not computed");

export interface SheetRow {
  /** 1-based, as the program shows it. */
  readonly number: number;
  readonly cells: readonly Cell[];
}

/** The widest sheet that there may be. */
const widestColumns = 16_384;

/** Rows of a sheet with at least one cell that holds something, some at a time. */
export async function* readRows(
  workbook: Workbook,
  sheet: Sheet,
  fed?: (bytes: number) => void,
): AsyncGenerator<readonly SheetRow[], void> {
  const listener = new RowListener(workbook);
  for await (const _ of readPart(workbook.zip, sheet.entry, listener, workbook.source, fed)) {
    if (listener.rows.length > 0) yield listener.rows.splice(0);
  }
}

class RowListener implements XmlListener {
  readonly rows: SheetRow[] = [];
  readonly #workbook: Workbook;
  #row = 0;
  #cells: Cell[] = [];
  #column = -1;
  #type = "";
  #style = 0;
  #value: string | undefined;
  #hasFormula = false;
  #isValue = false;
  #isPhonetic = false;

  constructor(workbook: Workbook) {
    this.#workbook = workbook;
  }

  open(name: string, attributes: string): void {
    switch (name) {
      case "row":
        this.#row = rowNumber(attributeOf(attributes, "r")) ?? this.#row + 1;
        this.#cells = [];
        this.#column = -1;
        return;
      case "c":
        this.#column = columnNumber(attributeOf(attributes, "r")) ?? this.#column + 1;
        if (this.#column >= widestColumns) throw damaged(this.#workbook.source, "a cell lies beyond the last column");
        this.#type = attributeOf(attributes, "t") ?? "n";
        this.#style = Number(attributeOf(attributes, "s") ?? 0);
        this.#value = undefined;
        this.#hasFormula = false;
        return;
      case "f":
        this.#hasFormula = true;
        return;
      case "rPh":
        this.#isPhonetic = true;
        return;
      case "v":
        this.#value = "";
        this.#isValue = true;
        return;
      case "t":
        this.#value ??= "";
        this.#isValue = !this.#isPhonetic;
    }
  }

  close(name: string): void {
    switch (name) {
      case "v":
      case "t":
        this.#isValue = false;
        return;
      case "rPh":
        this.#isPhonetic = false;
        return;
      case "c":
        this.#endCell();
        return;
      case "row":
        if (this.#cells.length > 0) this.rows.push({ number: this.#row, cells: this.#cells });
        this.#cells = [];
    }
  }

  text(text: string): void {
    if (this.#isValue) this.#value += text;
  }

  #endCell(): void {
    const value = this.#cellValue();
    if (value !== "") this.#cells.push({ column: this.#column, value });
  }

  #cellValue(): Cell["value"] {
    const value = this.#value;
    if (value === undefined) return this.#hasFormula ? unknownValue : "";
    switch (this.#type) {
      case "s":
        return sharedIndex(value, this.#workbook.source);
      case "b":
        return value.trim() === "1" ? "true" : value.trim() === "0" ? "false" : value;
      case "n":
        return value === "" ? "" : this.#number(value);
      // Errors such as #N/A are the text that people see; what is checked tells that it is no number.
      case "e":
      case "d":
        return value;
      default:
        return unescaped(value);
    }
  }

  #number(value: string): string {
    const kind = this.#workbook.dateKinds[this.#style];
    if (kind === undefined && /^-?[0-9]{1,15}$/.test(value)) return value;
    const number = Number(value);
    if (!Number.isFinite(number)) return value;
    // The shortest text of the same number: 1.1 is written as 1.1000000000000001.
    return (kind === undefined ? undefined : dateText(number, kind, this.#workbook.is1904)) ?? String(number);
  }
}

function sharedIndex(value: string, source: string): number {
  const index = Number(value);
  if (Number.isInteger(index) && index >= 0 && index < limit.sharedTextBytes) return index;
  throw damaged(source, `a cell names the text ${JSON.stringify(value.slice(0, 20))}, which is not there`);
}

function rowNumber(text: string | undefined): number | undefined {
  const number = Number(text);
  return text !== undefined && Number.isInteger(number) && number > 0 ? number : undefined;
}

const letterA = 65;

/** `AB12` is column 27. */
function columnNumber(reference: string | undefined): number | undefined {
  if (reference === undefined) return undefined;
  let column = 0;
  let at = 0;
  for (; at < reference.length; at += 1) {
    const letter = (reference.charCodeAt(at) & ~32) - letterA;
    if (letter < 0 || letter > 25) break;
    column = column * 26 + letter + 1;
  }
  return at === 0 ? undefined : column - 1;
}

/** `AB` is the name of column 27. */
export function columnName(column: number): string {
  let name = "";
  for (let rest = column + 1; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    name = String.fromCharCode(letterA + ((rest - 1) % 26)) + name;
  }
  return name;
}
