import type { CsvRows } from "../ports/rows.ts";

const newline = 10;
const quote = 34;

/** Well-formed CSV in memory; where its rows start is found when it is first asked for, as only refusals need it. */
export function csvRows(bytes: Uint8Array, delimiter: string): CsvRows {
  let found: Uint32Array | undefined;
  const starts = (): Uint32Array => (found ??= rowStarts(bytes));
  return {
    bytes,
    delimiter,
    offsetOf: (row) => starts()[row] ?? bytes.byteLength,
    rowAtLine: (line, from) => rowAtLine(bytes, starts(), line, from),
  };
}

/** Start of every row, and the end of the last. A quote inside quotes is doubled, so parity alone tells. */
function rowStarts(bytes: Uint8Array): Uint32Array {
  const starts: number[] = bytes.byteLength === 0 ? [] : [0];
  let quoted = false;
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const byte = bytes[at];
    if (byte === quote) quoted = !quoted;
    else if (byte === newline && !quoted) starts.push(at + 1);
  }
  if (starts.at(-1) !== bytes.byteLength) starts.push(bytes.byteLength);
  return Uint32Array.from(starts);
}

function rowAtLine(bytes: Uint8Array, starts: Uint32Array, line: number, from: number): number {
  const last = Math.max(0, starts.length - 2);
  let seen = 1;
  let row = from;
  for (let at = starts[from] ?? 0; seen < line && at < bytes.byteLength; at += 1) {
    if (bytes[at] !== newline) continue;
    seen += 1;
    while (row < last && (starts[row + 1] ?? 0) <= at + 1) row += 1;
  }
  return Math.min(row, last);
}
