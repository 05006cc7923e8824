import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { lineageColumn } from "../core/lineage.ts";
import type { Reason, Reject } from "../core/reject.ts";
import type { RawBatch, RecordAt } from "../ports/source.ts";
import type { BadRecord } from "./checked.ts";

/** The reject of one well-formed record, by its index. Throws STEP_FAILED for a row whose record is not known. */
export function rejectOf(raw: RawBatch, index: number, reasons: readonly Reason[]): Reject {
  if (index < 0) throw untraceable(reasons);
  const at = raw.at(index);
  // A copy: the batch's own bytes are reused once it is released.
  return reject(raw, index, at, Uint8Array.prototype.slice.call(at.bytes, 0, limit.rejectBytes), reasons);
}

/** The rejects of many records. Their bytes are copied into one piece of memory: one each would cost more than they hold. */
export function rejectsOf(raw: RawBatch, bad: readonly BadRecord[]): Reject[] {
  const places = bad.map(({ index, reasons }) => {
    if (index < 0) throw untraceable(reasons);
    return raw.at(index);
  });
  const sizeBytes = places.reduce((sum, { bytes }) => sum + Math.min(bytes.byteLength, limit.rejectBytes), 0);
  const kept = new Uint8Array(sizeBytes);
  let end = 0;
  return bad.map(({ index, reasons }, n) => {
    const at = places[n] as RecordAt;
    const { bytes } = at;
    const start = end;
    kept.set(bytes.byteLength > limit.rejectBytes ? bytes.subarray(0, limit.rejectBytes) : bytes, start);
    end += Math.min(bytes.byteLength, limit.rejectBytes);
    return reject(raw, index, at, kept.subarray(start, end), reasons);
  });
}

function reject(
  raw: RawBatch,
  index: number,
  { bytes, line, offset }: RecordAt,
  kept: Uint8Array,
  reasons: readonly Reason[],
): Reject {
  const truncated = bytes.byteLength > limit.rejectBytes;
  return { record: raw.recordOf(index), line, offset, bytes: kept, truncated, reasons };
}

function untraceable(reasons: readonly Reason[]): MillraceError {
  const why = reasons.map((reason) => reason.message).join("; ");
  return new MillraceError("STEP_FAILED", `The sink refused a row that cannot be traced to its record: ${why}`, {
    remedy: `Let the SQL steps hand the column ${lineageColumn} on (select * does), so that the record can become a reject.`,
  });
}
