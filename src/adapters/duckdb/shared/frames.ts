import { deserialize, serialize } from "node:v8";
import { MillraceError } from "../../../core/error.ts";
import { limit } from "../../../core/limit.ts";

/** Two processes talk over a socket in frames: each its length in four bytes, then its content. */
const headBytes = 4;

/** A frame with this content. Throws SINK_REFUSED when it is larger than `limit.sharedFrameBytes`. */
export function frameOf(content: Uint8Array): Buffer {
  if (content.byteLength > limit.sharedFrameBytes) {
    const size = `${content.byteLength} bytes`;
    throw new MillraceError("SINK_REFUSED", `A row or text of ${size} cannot go from one process to the other`, {
      remedy: "Ask for less of it, or do it while no other process has the file.",
    });
  }
  const frame = Buffer.allocUnsafe(headBytes + content.byteLength);
  frame.writeUInt32BE(content.byteLength);
  frame.set(content, headBytes);
  return frame;
}

/** The contents of the frames in a stream of bytes. Rejects when one is announced as larger than may be sent. */
export async function* framesIn(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  const gathered = new Gathered();
  let wanted: number | undefined;
  for await (const chunk of chunks) {
    gathered.add(chunk);
    for (;;) {
      const bytes = gathered.take(wanted ?? headBytes);
      if (bytes === undefined) break;
      if (wanted !== undefined) yield bytes;
      wanted = wanted === undefined ? contentBytes(bytes) : undefined;
    }
  }
}

function contentBytes(head: Buffer): number {
  const bytes = head.readUInt32BE();
  if (bytes > limit.sharedFrameBytes) throw new TypeError(`a frame of ${bytes} bytes is too large to be taken`);
  return bytes;
}

/** Bytes that have come and are not taken yet. They are joined only once there are enough. */
class Gathered {
  #chunks: Buffer[] = [];
  #size = 0;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.byteLength;
  }

  take(bytes: number): Buffer | undefined {
    if (this.#size < bytes) return undefined;
    const [first] = this.#chunks;
    const all = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.#chunks = [all.subarray(bytes)];
    this.#size -= bytes;
    return all.subarray(0, bytes);
  }
}

/** A value as the content of a frame: as Node clones it, so that bigints, bytes, undefined, NaN and -0 arrive as they are. */
export function encode(value: unknown): Buffer {
  return serialize(value);
}

/** The value of a frame's content. Throws when it is none. */
export function decode(content: Buffer): unknown {
  return deserialize(content) as unknown;
}

/** The version of the form in which Node clones values: two processes must agree on it. */
export const cloneFormat = serialize(null)[1] ?? 0;

/** Items in the first piece: a row may be of many MiB, and what is too large is encoded in vain. */
const firstPieceItems = 16;
/** They are appended to arrays by a call with as many arguments. */
const pieceItemsMax = 4096;

/** Cuts a long answer into frames of about `limit.sharedPieceBytes`, or of one larger item. Learns how many items fit. */
export class Cutter<Item> {
  readonly #wrap: (items: readonly Item[]) => unknown;
  #items = firstPieceItems;

  /** `wrap` makes of some items the value that is sent. */
  constructor(wrap: (items: readonly Item[]) => unknown) {
    this.#wrap = wrap;
  }

  *cut(items: readonly Item[]): Generator<Buffer> {
    for (let start = 0; start < items.length; ) {
      const piece = items.slice(start, start + this.#items);
      const content = encode(this.#wrap(piece));
      const isTooLarge = content.byteLength > limit.sharedPieceBytes;
      if (isTooLarge) this.#items = Math.ceil(piece.length / 2);
      else if (piece.length === this.#items && content.byteLength < limit.sharedPieceBytes / 4)
        this.#items = Math.min(pieceItemsMax, piece.length * 2);
      if (isTooLarge && piece.length > 1) continue;
      yield frameOf(content);
      start += piece.length;
    }
  }
}
