import { jsonValue } from "../core/json-value.ts";
import type { Reject, StoredReject } from "../core/reject.ts";

/** What rejects on their way and rejects kept in a sink have in common. */
export type RejectLike = Pick<Reject, "line" | "offset" | "bytes" | "truncated" | "reasons">;

/** A reject as JSON: the record as text, and in base64 too where it is no UTF-8. */
export function rejectJson(reject: RejectLike): Record<string, unknown> {
  const { line, offset, truncated, reasons } = reject;
  return { line, offset: jsonValue(offset), reasons, ...recordJson(reject.bytes), ...(truncated ? { truncated } : {}) };
}

function recordJson(bytes: Uint8Array): Record<string, string> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const record = buffer.toString("utf8");
  return Buffer.from(record, "utf8").equals(buffer) ? { record } : { record, recordBase64: buffer.toString("base64") };
}

/** The same of one that is kept. */
export function storedJson(reject: StoredReject): Record<string, unknown> {
  const { id, pipeline, batch, source, record, state, attempts, rejectedAt } = reject;
  return {
    id: String(id),
    pipeline,
    source,
    ...rejectJson(reject),
    state,
    attempts,
    rejectedAt,
    batch: String(batch),
    number: record,
  };
}
