import type { StoredReject } from "../core/reject.ts";
import { safeText, textWidth } from "./shown.ts";

type Marked = Pick<StoredReject, "bytes" | "truncated" | "reasons" | "format">;

/** Characters of the record from `start` to before `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** The record fit for a terminal, and a line of `^` that stand under its failing values; empty when none is known. */
export function markedRecord(reject: Marked): { readonly text: string; readonly marks: string } {
  const record = new TextDecoder().decode(reject.bytes).replace(/\r?\n$/, "");
  const spans = reject.reasons.flatMap(
    ({ column, value }) => fieldSpan(record, reject, column) ?? valueSpan(record, value) ?? [],
  );
  let text = "";
  let marks = "";
  for (const [at, char] of [...indexed(record)]) {
    const shown = safeText(char);
    const isMarked = spans.some(({ start, end }) => start <= at && at < end);
    // An empty field is marked where it would begin.
    const isGap = spans.some(({ start, end }) => start === end && start === at);
    text += shown;
    marks += (isMarked || isGap ? "^" : " ").repeat(textWidth(shown));
  }
  if (spans.some(({ start, end }) => start === end && start === record.length)) marks += "^";
  return { text: reject.truncated ? `${text}…` : text, marks: marks.trimEnd() };
}

function* indexed(text: string): Iterable<[number, string]> {
  let at = 0;
  for (const char of text) {
    yield [at, char];
    at += char.length;
  }
}

/** Where a column's field stands in a CSV record, as the record's format names the fields. */
function fieldSpan(record: string, { format, reasons }: Marked, column: string | undefined): Span | undefined {
  const { format: name, delimiter, quote, columns } = format;
  if (name !== "csv" || column === undefined || typeof delimiter !== "string" || !Array.isArray(columns))
    return undefined;
  // A record whose own form is at fault has no fields to speak of.
  if (reasons.some(({ code }) => code === "malformed" || code === "columns")) return undefined;
  return fieldSpans(record, delimiter, typeof quote === "string" ? quote : "")[
    (columns as readonly unknown[]).indexOf(column)
  ];
}

function fieldSpans(record: string, delimiter: string, quote: string): Span[] {
  const spans: Span[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < record.length; at += 1) {
    if (quote !== "" && record[at] === quote) isQuoted = !isQuoted;
    else if (!isQuoted && record[at] === delimiter) {
      spans.push({ start, end: at });
      start = at + 1;
    }
  }
  return [...spans, { start, end: record.length }];
}

/** Where the value stands, if it does so once: elsewhere a mark could point at a wrong one. */
function valueSpan(record: string, value: string | undefined): Span | undefined {
  if (value === undefined || value === "") return undefined;
  const start = record.indexOf(value);
  if (start < 0 || record.indexOf(value, start + 1) >= 0) return undefined;
  return { start, end: start + value.length };
}
