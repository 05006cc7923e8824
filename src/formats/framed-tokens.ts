import { isUtf8 } from "node:buffer";
import type { Reason, Reject } from "../core/reject.ts";
import type { RecordText } from "../ports/source.ts";
import type { Framed, FramePlace, ReadBounds } from "./frame.ts";
import { type FaultyRecord, fault, type RecordTable, type Tokens } from "./record-table.ts";

/**
 * What a batch is made of, from the records found in its bytes. `text` gives the well-formed ones: all of them when it
 * is called without numbers. Undefined when no record ends within the bytes.
 */
export function framedTokens(
  bytes: Uint8Array,
  tokens: Tokens,
  place: FramePlace,
  bounds: ReadBounds,
  expected: number,
  text: (good: readonly number[] | undefined) => RecordText,
): Framed | undefined {
  const { table, taken, lines, rest } = tokens;
  if (taken === 0 && table.count === 0 && bytes.length > 0) return undefined;
  const faulty = withEncodingFaults(bytes, tokens);
  const good = faulty.length === 0 ? undefined : goodRecords(table, faulty);
  const recordOf = (index: number): number => (good === undefined ? index : (good[index] as number));
  return {
    records: text(good),
    read: table.count,
    count: good?.length ?? table.count,
    malformed: faulty.map((record) => rejectOf(bytes, table, record, place, bounds, expected)),
    recordOf,
    at: (index) => {
      const record = recordOf(index);
      const start = table.starts[record] as number;
      const line = place.line + (table.lines[record] as number);
      return { line, offset: BigInt(place.byte + start), bytes: bytes.subarray(start, table.ends[record]) };
    },
    taken,
    lines,
    rest,
  };
}

/** The faulty records, and those that are not valid UTF-8, in order. */
function withEncodingFaults(bytes: Uint8Array, { table, taken }: Tokens): readonly FaultyRecord[] {
  if (isUtf8(bytes.subarray(0, taken))) return table.faulty;
  const known = new Map(table.faulty.map((record) => [record.record, record]));
  const faulty: FaultyRecord[] = [];
  for (let record = 0; record < table.count; record += 1) {
    const found = known.get(record);
    const isText = isUtf8(bytes.subarray(table.starts[record], table.ends[record]));
    if (isText && found !== undefined) faulty.push(found);
    // The cut end of a record that is too long may fall within a character.
    else if (!isText && ((found?.faults ?? 0) & fault.tooLong) === 0) {
      faulty.push({ record, fields: 0, ...found, faults: (found?.faults ?? 0) | fault.encoding });
    } else if (found !== undefined) faulty.push(found);
  }
  return faulty;
}

function goodRecords(table: RecordTable, faulty: readonly FaultyRecord[]): number[] {
  const good: number[] = [];
  let next = 0;
  for (let record = 0; record < table.count; record += 1) {
    if (faulty[next]?.record === record) next += 1;
    else good.push(record);
  }
  return good;
}

function rejectOf(
  bytes: Uint8Array,
  table: RecordTable,
  faulty: FaultyRecord,
  place: FramePlace,
  bounds: ReadBounds,
  expected: number,
): Reject {
  const { record } = faulty;
  const start = table.starts[record] as number;
  const end = table.ends[record] as number;
  return {
    record,
    line: place.line + (table.lines[record] as number),
    offset: BigInt(place.byte + start),
    // Copied: a reject outlives the batch's bytes.
    bytes: new Uint8Array(bytes.subarray(start, Math.min(end, start + bounds.rejectBytes))),
    truncated: end - start > bounds.rejectBytes,
    reasons: reasonsOf(faulty, expected, bounds),
  };
}

function reasonsOf({ faults, fields, says = "" }: FaultyRecord, expected: number, bounds: ReadBounds): Reason[] {
  const reasons: Reason[] = [];
  const say = (bit: number, code: Reason["code"], message: string): void => {
    if ((faults & bit) !== 0) reasons.push({ code, message });
  };
  const are = expected === 1 ? "is" : "are";
  say(fault.columns, "columns", `${fields} ${fields === 1 ? "field" : "fields"} where ${expected} ${are} expected`);
  say(fault.afterQuote, "malformed", "there is text after a closing quote");
  say(fault.unclosed, "malformed", "a quote is opened and not closed");
  say(fault.tooLong, "too_long", `the record is longer than ${bounds.recordBytes} bytes`);
  say(fault.lineEndInString, "malformed", "a string holds a line end, or is not closed");
  say(fault.cutShort, "malformed", "the file ends too early, in the middle of this");
  say(fault.own, "malformed", says);
  say(fault.nul, "malformed", "the record holds a NUL byte");
  say(fault.encoding, "encoding", "the record is not valid UTF-8");
  return reasons;
}
