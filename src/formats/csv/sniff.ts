import { limit } from "../../core/limit.ts";
import { MillraceError } from "../../core/error.ts";
import type { FormatOptions } from "../../core/pipeline.ts";
import { byteOf, type Dialect } from "./dialect.ts";
import { fieldsOf } from "./rewrite.ts";
import { tokenize } from "./tokenizer.ts";

/** One of the first records of a delimited text. */
export interface HeadRecord {
  readonly fields: readonly string[];
  /** Where the next record starts in the head, and on which line, counted from 0. */
  readonly next: number;
  readonly nextLine: number;
}

const headRecordsMax = 100;
const candidates = [byteOf.comma, byteOf.tab, byteOf.semicolon, byteOf.pipe] as const;

/** The well-formed records at the start of a text, at most a hundred. */
export function headRecords(head: Uint8Array, whole: boolean, dialect: Dialect): HeadRecord[] {
  const options = { ...dialect, fields: undefined, recordBytesMax: limit.recordBytes, recordsMax: headRecordsMax };
  const { table, taken, lines } = tokenize(head, whole, options);
  const faulty = new Set(table.faulty.map(({ record }) => record));
  const records: HeadRecord[] = [];
  for (let record = 0; record < table.count; record += 1) {
    if (faulty.has(record)) continue;
    const isLast = record + 1 === table.count;
    records.push({
      fields: fieldsOf(head.subarray(table.starts[record], table.ends[record]), dialect),
      next: isLast ? taken : (table.starts[record + 1] as number),
      nextLine: isLast ? lines : (table.lines[record + 1] as number),
    });
  }
  return records;
}

/**
 * How a delimited text is written, as far as the options do not say. The delimiter is the one of `,` tab `;` `|` that
 * gives most of the first records the contract's number of fields, else the same number of two or more.
 */
export function sniffDialect(
  head: Uint8Array,
  whole: boolean,
  options: FormatOptions,
  expected: number | undefined,
): Dialect {
  const quote = byteOption(options.quote, "quote") ?? byteOf.quote;
  const given = byteOption(options.delimiter, "delimiter");
  if (given !== undefined && given >= 0) return { delimiter: given, quote };
  let best: number = candidates[0];
  let bestScore = 0;
  for (const delimiter of candidates) {
    const score = scoreOf(headRecords(head, whole, { delimiter, quote }), expected);
    if (score > bestScore) {
      best = delimiter;
      bestScore = score;
    }
  }
  return { delimiter: best, quote };
}

function scoreOf(records: readonly HeadRecord[], expected: number | undefined): number {
  const counts = new Map<number, number>();
  for (const { fields } of records) counts.set(fields.length, (counts.get(fields.length) ?? 0) + 1);
  const alike = Math.max(0, ...[...counts].filter(([fields]) => fields > 1).map(([, count]) => count));
  const fitting = expected === undefined || expected < 2 ? 0 : (counts.get(expected) ?? 0);
  return fitting * headRecordsMax * 10 + alike;
}

/** The delimiter that suits the text best, as one writes it, where it gives records of several fields at all. */
export function likelyDelimiter(head: Uint8Array, whole: boolean, quote: number, expected: number): string | undefined {
  const { delimiter } = sniffDialect(
    head,
    whole,
    quote < 0 ? { quote: "" } : { quote: String.fromCharCode(quote) },
    expected,
  );
  const records = headRecords(head, whole, { delimiter, quote });
  return records.some(({ fields }) => fields.length > 1) ? showByte(delimiter) : undefined;
}

export const showByte = (byte: number): string => (byte === byteOf.tab ? "a tab" : `"${String.fromCharCode(byte)}"`);

/** One ASCII character as its byte; `\t` and `tab` mean a tab, and no quote at all is the empty text, -1. */
function byteOption(text: string | undefined, name: "delimiter" | "quote"): number | undefined {
  if (text === undefined) return undefined;
  if (name === "quote" && text === "") return -1;
  if (text === "\\t" || text === "tab") return byteOf.tab;
  const byte = text.charCodeAt(0);
  if (text.length === 1 && byte < 128 && byte !== byteOf.lf && byte !== byteOf.cr && byte !== byteOf.nul) return byte;
  throw new MillraceError("CONFIG_INVALID", `The ${name} ${JSON.stringify(text)} is not one ASCII character`, {
    remedy: `Give one character, such as ${name === "quote" ? `'"'` : '";" or "\\t" for a tab'}.`,
  });
}
