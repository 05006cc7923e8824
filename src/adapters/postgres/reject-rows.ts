import type { Reject } from "../../core/reject.ts";
import type { SinkBatch } from "../../ports/sink.ts";
import type { Step } from "./sequence.ts";
import type { StateNames } from "./state.ts";
import { jsonbText } from "./stored-json.ts";

/**
 * The statement that inserts rejects. What the client would write as arrays, with every element escaped, goes as plainly
 * as the server can take it apart: the records' bytes in one piece, with where each starts, and reasons as lines, which
 * JSON texts never hold within.
 */
export function insertRejects(
  names: StateNames,
  { claim, batch, source, format }: SinkBatch,
  rejects: readonly Reject[],
): Step {
  const text = `insert into ${names.reject}
  (pipeline, lane, batch, source, format, record, line, record_offset, bytes, truncated, reasons)
select $1, $2, $3, $4, $5, r.record, r.line, r.record_offset, substring($6::bytea from r.start for r.size), r.truncated, r.reasons::jsonb
from unnest($7::int[], $8::int8[], $9::int8[], $10::int[], $11::int[], $12::bool[], string_to_array($13::text, e'\\n'))
  as r (record, line, record_offset, start, size, truncated, reasons)`;
  const values = [
    ...[claim.pipeline, claim.lane, batch, source, jsonbText(format)],
    Buffer.concat(rejects.map((reject) => reject.bytes)),
    arrayText(rejects.map((reject) => reject.record)),
    arrayText(rejects.map((reject) => reject.line ?? "null")),
    arrayText(rejects.map((reject) => reject.offset)),
    arrayText(startsOf(rejects)),
    arrayText(rejects.map((reject) => reject.bytes.byteLength)),
    arrayText(rejects.map((reject) => reject.truncated)),
    rejects.map((reject) => jsonbText(reject.reasons)).join("\n"),
  ];
  return { name: "millrace_rejects", text, values, purpose: "keeping rejects" };
}

/** An array of values that need no quotes. */
function arrayText(values: readonly (number | bigint | boolean | "null")[]): string {
  return `{${values.join(",")}}`;
}

/** Where each one's bytes start among all, as SQL counts, from 1. */
function startsOf(rejects: readonly Reject[]): number[] {
  let next = 1;
  return rejects.map(({ bytes }) => {
    const start = next;
    next += bytes.byteLength;
    return start;
  });
}
