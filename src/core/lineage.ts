/**
 * `_millrace`, the one lineage column: a bigint that holds a batch and the record within it. The batch's ledger row
 * names file or topic, lines or offsets, pipeline version and steps.
 *
 * Layout, most significant bit first: 0, 39 bits of batch, 24 bits of record (0-based, malformed records counted).
 */
export const lineageColumn = "_millrace";
export const lineageRecordBits = 24;

export function encodeLineage(batch: bigint, record: number): bigint {
  return (batch << BigInt(lineageRecordBits)) | BigInt(record);
}

export function decodeLineage(value: bigint): { readonly batch: bigint; readonly record: number } {
  return {
    batch: value >> BigInt(lineageRecordBits),
    record: Number(value & ((1n << BigInt(lineageRecordBits)) - 1n)),
  };
}
