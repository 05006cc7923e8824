import type { CsvRows } from "../../ports/rows.ts";

const carriageReturn = 13;
const newline = 10;

/**
 * The same rows, each ended by LF alone: COPY takes rows that end in LF or in CRLF, and refuses a mixture of both.
 * Undefined when there is nothing to change.
 */
export function withEvenLineEnds(csv: CsvRows, count: number): CsvRows | undefined {
  const even = new Uint8Array(csv.bytes.byteLength);
  const starts = new Uint32Array(count + 1);
  let length = 0;
  for (let row = 0; row < count; row += 1) {
    const bytes = csv.bytes.subarray(csv.offsetOf(row), csv.offsetOf(row + 1));
    const isDos = bytes.at(-1) === newline && bytes.at(-2) === carriageReturn;
    even.set(isDos ? bytes.subarray(0, -2) : bytes, length);
    length += isDos ? bytes.byteLength - 1 : bytes.byteLength;
    if (isDos) even[length - 1] = newline;
    starts[row + 1] = length;
  }
  if (length === csv.bytes.byteLength) return undefined;
  return {
    bytes: even.subarray(0, length),
    delimiter: csv.delimiter,
    offsetOf: (row) => starts[row] ?? length,
  };
}
