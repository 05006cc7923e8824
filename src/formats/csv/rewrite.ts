import { byteOf, type Dialect, quoteMark } from "./dialect.ts";
import type { CsvTokens } from "./tokenizer.ts";

const { lf, cr } = byteOf;

/**
 * The well-formed records `good` (ascending) of a tokenized text as RFC 4180 with one kind of line end. The bytes
 * themselves, when they are that already; else a copy without blank lines and faulty records, in which fields that need
 * quotes have them.
 */
export function wellFormedText(
  bytes: Uint8Array,
  tokens: CsvTokens,
  good: readonly number[] | undefined,
  dialect: Dialect,
): Uint8Array {
  const { table, blank, lfEnds, crlfEnds } = tokens;
  const mixed = lfEnds > 0 && crlfEnds > 0;
  if (good === undefined && blank === 0 && table.unquoted.size === 0 && !mixed) return bytes.subarray(0, tokens.taken);
  const lineEnd = crlfEnds > 0 && !mixed ? Buffer.from("\r\n") : Buffer.from("\n");
  const count = good?.length ?? table.count;
  const pieces: Uint8Array[] = [];
  let runStart = 0;
  let runEnd = 0;
  const endRun = (): void => {
    if (runEnd > runStart) pieces.push(bytes.subarray(runStart, runEnd));
  };
  for (let index = 0; index < count; index += 1) {
    const record = good === undefined ? index : (good[index] as number);
    const start = table.starts[record] as number;
    const end = table.ends[record] as number;
    const next = end + lineEndBytes(bytes, end);
    if (table.unquoted.has(record) || next - end !== lineEnd.length) {
      endRun();
      const text = bytes.subarray(start, end);
      pieces.push(table.unquoted.has(record) ? withQuotes(text, dialect) : text, lineEnd);
      runStart = next;
    } else if (start !== runEnd) {
      endRun();
      runStart = start;
    }
    runEnd = next;
  }
  endRun();
  return Buffer.concat(pieces);
}

function lineEndBytes(bytes: Uint8Array, end: number): number {
  if (bytes[end] === lf) return 1;
  return bytes[end] === cr && bytes[end + 1] === lf ? 2 : 0;
}

/** A record in which unquoted fields that hold a quote or a carriage return are quoted. */
function withQuotes(record: Uint8Array, { delimiter, quote }: Dialect): Uint8Array {
  const separator = String.fromCharCode(delimiter);
  const mark = String.fromCharCode(quoteMark({ delimiter, quote }));
  const fields = splitRecord(record, { delimiter, quote }).map((field) => {
    const quoted = quote >= 0 && field[0] === quote;
    const text = Buffer.from(field.buffer, field.byteOffset, field.length).toString("latin1");
    if (quoted || !(text.includes("\r") || text.includes(mark))) return text;
    return `${mark}${text.replaceAll(mark, mark + mark)}${mark}`;
  });
  return Buffer.from(fields.join(separator), "latin1");
}

/** The fields of one well-formed record as they stand, quotes included. */
export function splitRecord(record: Uint8Array, { delimiter, quote }: Dialect): Uint8Array[] {
  const fields: Uint8Array[] = [];
  let start = 0;
  for (;;) {
    let at = start;
    if (quote >= 0 && record[at] === quote) {
      at += 1;
      for (let close = record.indexOf(quote, at); close >= 0; close = record.indexOf(quote, at)) {
        at = close + 1;
        if (record[at] !== quote) break;
        at += 1;
      }
    }
    const end = record.indexOf(delimiter, at);
    if (end < 0) {
      fields.push(record.subarray(start));
      return fields;
    }
    fields.push(record.subarray(start, end));
    start = end + 1;
  }
}

/** The values of one well-formed record as text. */
export function fieldsOf(record: Uint8Array, dialect: Dialect): string[] {
  return splitRecord(record, dialect).map((field) => {
    const text = Buffer.from(field.buffer, field.byteOffset, field.length).toString("utf8");
    if (dialect.quote < 0 || field[0] !== dialect.quote) return text;
    const mark = String.fromCharCode(dialect.quote);
    return text.slice(1, text.endsWith(mark) && text.length > 1 ? -1 : undefined).replaceAll(mark + mark, mark);
  });
}
