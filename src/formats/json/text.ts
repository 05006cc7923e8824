import type { RecordText } from "../../ports/source.ts";
import { byteOf } from "../csv/dialect.ts";
import type { RecordTable } from "../record-table.ts";

const { lf, cr } = byteOf;
const space = 32;

/** One JSON text per line. Line ends within one stand between its parts, so that blanks mean the same. */
export function jsonText(
  bytes: Uint8Array,
  table: RecordTable,
  good: readonly number[] | undefined,
  ignoreExtra: boolean,
): RecordText {
  const count = good?.length ?? table.count;
  const numberOf = (index: number): number => (good === undefined ? index : (good[index] as number));
  let size = count;
  for (let index = 0; index < count; index += 1) {
    size += (table.ends[numberOf(index)] as number) - (table.starts[numberOf(index)] as number);
  }
  const text = new Uint8Array(size);
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const record = bytes.subarray(table.starts[numberOf(index)], table.ends[numberOf(index)]);
    text.set(record, at);
    at += record.length;
    text[at] = lf;
    at += 1;
  }
  let isLine = at === 0;
  if (!isLine) isLine = !spansLines(bytes, table, numberOf, count);
  if (!isLine) blankLineEnds(text, table, numberOf, count);
  return { kind: "json", text, ...(ignoreExtra ? { ignoreExtra } : {}) };
}

function spansLines(
  bytes: Uint8Array,
  table: RecordTable,
  numberOf: (index: number) => number,
  count: number,
): boolean {
  for (let index = 0; index < count; index += 1) {
    const record = bytes.subarray(table.starts[numberOf(index)], table.ends[numberOf(index)]);
    if (record.includes(lf) || record.includes(cr)) return true;
  }
  return false;
}

function blankLineEnds(text: Uint8Array, table: RecordTable, numberOf: (index: number) => number, count: number): void {
  let start = 0;
  for (let index = 0; index < count; index += 1) {
    const end = start + (table.ends[numberOf(index)] as number) - (table.starts[numberOf(index)] as number);
    for (let at = start; at < end; at += 1) if (text[at] === lf || text[at] === cr) text[at] = space;
    start = end + 1;
  }
}
