import { byteOf } from "../csv/dialect.ts";
import { restOfLine } from "../csv/tokenizer.ts";
import type { Frame, ReadBounds } from "../frame.ts";
import { framedTokens } from "../framed-tokens.ts";
import { fault, RecordTable, type Tokens } from "../record-table.ts";
import { jsonText } from "./text.ts";

const { lf, cr, nul } = byteOf;

/** Frames NDJSON: a record is a line, blank lines are none. Whether a line is valid JSON is for the engine to say. */
export function frameLines(ignoreExtra: boolean, bounds: ReadBounds): Frame {
  return (bytes, last, place) => {
    const tokens = tokenizeLines(bytes, last, bounds);
    return framedTokens(bytes, tokens, place, bounds, 1, (good) => jsonText(bytes, tokens.table, good, ignoreExtra));
  };
}

function tokenizeLines(bytes: Uint8Array, last: boolean, bounds: ReadBounds): Tokens {
  const table = new RecordTable(bytes.length >> 7);
  const hasNul = bytes.includes(nul);
  let start = 0;
  let line = 0;
  while (start < bytes.length && table.count < bounds.batchRecords) {
    const found = bytes.indexOf(lf, start);
    if (found < 0 && !last) break;
    const end = found < 0 ? bytes.length : found;
    const trimmed = end > start && bytes[end - 1] === cr ? end - 1 : end;
    if (trimmed > start) {
      const faults =
        (end - start > bounds.recordBytes ? fault.tooLong : 0) |
        (hasNul && bytes.subarray(start, trimmed).includes(nul) ? fault.nul : 0);
      if (faults !== 0) table.faulty.push({ record: table.count, faults, fields: 1 });
      table.add(start, trimmed, line);
    }
    if (found >= 0) line += 1;
    start = found < 0 ? end : end + 1;
  }
  const isTooLong = !last && table.count < bounds.batchRecords && bytes.length - start > bounds.recordBytes;
  if (!isTooLong) return { table, taken: start, lines: line, rest: undefined };
  table.faulty.push({ record: table.count, faults: fault.tooLong, fields: 1 });
  table.add(start, bytes.length, line);
  return { table, taken: bytes.length, lines: line, rest: restOfLine };
}
