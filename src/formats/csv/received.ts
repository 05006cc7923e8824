import type { LaneReader } from "../../ports/source.ts";
import type { ReadBounds } from "../frame.ts";
import { framedReader } from "../reader.ts";
import { ByteWindow } from "../window.ts";
import { byteOf } from "./dialect.ts";
import { type CsvShape, csvFormat, frameCsv } from "./frame.ts";
import { fieldsOf } from "./rewrite.ts";

/** CSV as it is received when nobody can be asked: a comma, `"`, no header, the contract's columns in their order. */
function shapeOf(columns: readonly string[]): CsvShape {
  return { delimiter: byteOf.comma, quote: byteOf.quote, columns, nullText: undefined };
}

export interface Received {
  readonly columns: readonly string[];
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly sizeBytes: number;
  /** Records of the lane before the first one. */
  readonly row: number;
  readonly bounds: ReadBounds;
}

/** Reads CSV in UTF-8, perhaps with a byte order mark, to its end. Lines and bytes of its positions count from its own start. */
export function receivedCsv({ columns, bytes, sizeBytes, row, bounds }: Received): LaneReader {
  const shape = shapeOf(columns);
  return framedReader({
    window: new ByteWindow(withoutMark(bytes)),
    frame: frameCsv(shape, bounds),
    format: csvFormat(shape),
    start: { row, byte: 0, line: 1, sizeBytes },
    bounds,
    close: async () => undefined,
  });
}

/** The values of a record as received, each as text, whatever is wrong with it. */
export function receivedValues(record: Uint8Array): string[] {
  const end = record.at(-1) === byteOf.lf ? (record.at(-2) === byteOf.cr ? -2 : -1) : record.length;
  return fieldsOf(record.subarray(0, end), { delimiter: byteOf.comma, quote: byteOf.quote });
}

const mark = Buffer.from([0xef, 0xbb, 0xbf]);

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, byteLength);

async function* withoutMark(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const piece of pieces) {
    if (head === undefined) {
      yield piece;
      continue;
    }
    head = head.length === 0 ? viewOf(piece) : Buffer.concat([head, piece]);
    if (head.length < mark.length) continue;
    yield head.subarray(head.subarray(0, mark.length).equals(mark) ? mark.length : 0);
    head = undefined;
  }
  if (head !== undefined && head.length > 0) yield head;
}
