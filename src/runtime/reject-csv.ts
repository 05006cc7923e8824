import type { StoredReject } from "../core/reject.ts";

const header = [
  "id",
  "pipeline",
  "source",
  "line",
  "offset",
  "code",
  "column",
  "value",
  "reason",
  "state",
  "rejected_at",
  "record",
];

/** `rejectCsv` after `rejectCsvHeader`: a line for each reason of a reject. */
export function rejectCsv(reject: StoredReject): string {
  return reasonRows(reject).map(csvLine).join("");
}

function reasonRows(reject: StoredReject): string[][] {
  const { id, pipeline, source, line, offset, state, rejectedAt, bytes } = reject;
  const record = new TextDecoder().decode(bytes);
  return reject.reasons.map(({ code, column, value, message }) => {
    const reason = [code, column ?? "", value ?? "", message];
    return [String(id), pipeline, source, String(line ?? ""), String(offset), ...reason, state, rejectedAt, record];
  });
}

function csvLine(cells: readonly string[]): string {
  return `${cells.map(csvCell).join(",")}\n`;
}

/** Text that a spreadsheet would take for a formula gets an apostrophe in front, which makes it text there. */
export function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const rejectCsvHeader = csvLine(header);
