import type { CsvRows } from "../../ports/rows.ts";

/** The values of rows, column by column, each as the text of an array of texts. */
export type BoundColumns = readonly string[];

const lineEnd = /\r?\n/;

/** Takes CSV apart, so that its values can be bound to one statement. Undefined when a row has another number of values. */
export function boundColumns({ bytes, delimiter }: CsvRows, columns: number, rows: number): BoundColumns | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const arrays: string[][] = Array.from({ length: columns }, () => []);
  const add = (values: readonly string[], elementOf: (value: string) => string): boolean => {
    if (values.length !== columns) return false;
    for (let index = 0; index < columns; index += 1) arrays[index]?.push(elementOf(values[index] as string));
    return true;
  };
  if (text.includes('"')) {
    for (const values of quotedRecords(text, delimiter)) if (!add(values, quotedElement)) return undefined;
  } else {
    const lines = text.split(lineEnd);
    if (lines.at(-1) === "") lines.pop();
    for (const line of lines) if (!add(line.split(delimiter), element)) return undefined;
  }
  return arrays[0]?.length === rows ? arrays.map((elements) => `{${elements.join(",")}}`) : undefined;
}

/** Fields as they stand, quotes included. */
function* quotedRecords(text: string, delimiter: string): Generator<string[], void> {
  let values: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (char === delimiter) {
      values.push(text.slice(start, at));
      start = at + 1;
    } else if (char === "\n") {
      values.push(text.slice(start, text[at - 1] === "\r" ? at - 1 : at));
      yield values;
      values = [];
      start = at + 1;
    }
  }
  if (start < text.length || values.length > 0) yield [...values, text.slice(start)];
}

function quotedElement(field: string): string {
  if (!field.startsWith('"')) return element(field);
  return elementOfText(field.slice(1, -1).replaceAll('""', '"'));
}

/** An unquoted empty field is null. */
function element(field: string): string {
  return field === "" ? "null" : elementOfText(field);
}

/** Digits and times need no quotes; a text that reads `null` does. */
const plain = /^[0-9][0-9A-Za-z:.+-]*$/;

function elementOfText(value: string): string {
  return plain.test(value) ? value : `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
}
