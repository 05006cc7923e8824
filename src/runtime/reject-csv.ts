import type { StoredReject } from "../core/reject.ts";
import { csvLine, safeCell, type SafeCellOptions } from "../formats/csv/safe-cell.ts";

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
export function rejectCsv(reject: StoredReject, options: SafeCellOptions = {}): string {
  return reasonRows(reject)
    .map((texts) => csvLine(texts.map((text) => safeCell(text, options))))
    .join("");
}

function reasonRows(reject: StoredReject): string[][] {
  const { id, pipeline, source, line, offset, state, rejectedAt, bytes } = reject;
  const record = new TextDecoder().decode(bytes);
  return reject.reasons.map(({ code, column, value, message }) => {
    const reason = [code, column ?? "", value ?? "", message];
    return [String(id), pipeline, source, String(line ?? ""), String(offset), ...reason, state, rejectedAt, record];
  });
}

export const rejectCsvHeader = csvLine(header);
