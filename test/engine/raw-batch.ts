import type { Contract } from "../../src/core/contract.ts";
import type { RawBatch, RecordText } from "../../src/ports/source.ts";

/** A batch as a CSV source would cut it: one record a line, no quotes. */
export function csvBatch(contract: Contract, lines: readonly string[]): RawBatch {
  const text = Buffer.from(lines.map((line) => `${line}\n`).join(""));
  return batchOf({
    records: {
      kind: "delimited",
      text,
      delimiter: ",",
      quote: '"',
      quoted: text.includes('"'),
      columns: Object.keys(contract.columns),
    },
    lines,
  });
}

/** A batch of JSON texts, one a line. */
export function jsonBatch(lines: readonly string[]): RawBatch {
  return batchOf({ records: { kind: "json", text: Buffer.from(lines.map((line) => `${line}\n`).join("")) }, lines });
}

function batchOf({ records, lines }: { records: RecordText; lines: readonly string[] }): RawBatch {
  return {
    start: { row: 0 },
    end: { row: lines.length },
    read: lines.length,
    sizeBytes: 0,
    records,
    count: lines.length,
    malformed: [],
    recordOf: (index) => index,
    at: (index) => ({ line: index + 1, offset: 0n, bytes: Buffer.from(lines[index] ?? "") }),
    format: {},
  };
}
