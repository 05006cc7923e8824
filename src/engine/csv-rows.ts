import type { CsvRows } from "../ports/rows.ts";

const newline = 10;
const quote = 34;

/** Well-formed CSV in memory; where its rows start is found when it is first asked for, as only refusals need it. */
export function csvRows(bytes: Uint8Array, delimiter: string): CsvRows {
  let found: Uint32Array | undefined;
  const starts = (): Uint32Array => (found ??= rowStarts(bytes));
  return { bytes, delimiter, offsetOf: (row) => starts()[row] ?? bytes.byteLength };
}

/** Start of every row, and the end of the last. */
function rowStarts(bytes: Uint8Array): Uint32Array {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts = view.includes(quote) ? startsBesideQuotes(view) : startsOfLines(view);
  if (starts.at(-1) !== bytes.byteLength) starts.push(bytes.byteLength);
  return Uint32Array.from(starts);
}

/** Without quotes a row is a line: hops from one to the next cost half of a look at every byte. */
function startsOfLines(view: Buffer): number[] {
  const starts = [0];
  for (let at = view.indexOf(newline); at >= 0; at = view.indexOf(newline, at + 1)) starts.push(at + 1);
  return starts;
}

/** A quote inside quotes is doubled, so parity alone tells whether a line end ends the row. */
function startsBesideQuotes(view: Buffer): number[] {
  const starts = [0];
  let quoted = false;
  for (let at = 0; at < view.length; at += 1) {
    const byte = view[at];
    if (byte === quote) quoted = !quoted;
    else if (byte === newline && !quoted) starts.push(at + 1);
  }
  return starts;
}
