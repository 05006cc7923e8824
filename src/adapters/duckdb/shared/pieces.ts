import { limit } from "../../../core/limit.ts";
import type { Reject } from "../../../core/reject.ts";

/** Bytes that an item takes besides its texts, roughly. */
const overheadBytes = 64;

/** Cuts items into pieces of about `limit.sharedPieceBytes`, or of one larger item. */
export function* piecesOf<Item>(items: readonly Item[], bytesOf: (item: Item) => number): Generator<Item[]> {
  let piece: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    piece.push(item);
    bytes += overheadBytes + bytesOf(item);
    if (bytes < limit.sharedPieceBytes) continue;
    yield piece;
    piece = [];
    bytes = 0;
  }
  if (piece.length > 0) yield piece;
}

export function textBytes(text: string): number {
  return text.length * 2;
}

export function rejectBytes({ bytes, reasons }: Reject): number {
  const texts = reasons.map(({ message, value = "" }) => overheadBytes + textBytes(message) + textBytes(value));
  return texts.reduce((sum, some) => sum + some, bytes.byteLength);
}
