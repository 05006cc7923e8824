import { endianness } from "node:os";
import { byteOf } from "./dialect.ts";

const { lf, cr } = byteOf;

export interface Lines {
  /** Where each line starts; `starts[count]` is the size of the bytes. */
  readonly starts: Int32Array<ArrayBuffer>;
  readonly count: number;
}

/**
 * Cuts bytes that hold no quote into lines of exactly `fields` fields, ended by LF, or all by CR LF. Undefined as soon
 * as that is not so (another number of fields, a blank line, a lone CR) or cannot be told here: the tokenizer then finds
 * out what is there. The bytes start at a multiple of four in their buffer and end with a line end.
 *
 * Four bytes at a time: `marks` has 0x80 in each byte of a word that is the one looked for. A word without line end only
 * adds the marks of its delimiters; in one with line ends the marks below each are counted. About twice as fast as a
 * loop over bytes.
 */
export function uniformLines(bytes: Uint8Array, delimiter: number, fields: number, crlf: boolean): Lines | undefined {
  if (endianness() !== "LE" || bytes.byteOffset % 4 !== 0) return undefined;
  const whole = bytes.length & ~3;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, whole >> 2);
  const delimiters = Math.imul(delimiter, 0x01010101);
  const wanted = fields - 1;
  let starts = new Int32Array(Math.max(16, bytes.length >> 5));
  let count = 0;
  let seen = 0;
  for (let k = 0; k < words.length; k += 1) {
    const word = words[k] as number;
    const d = word ^ delimiters;
    let marks = ~(((d & 0x7f7f7f7f) + 0x7f7f7f7f) | d | 0x7f7f7f7f);
    const n = word ^ 0x0a0a0a0a;
    let ends = ~(((n & 0x7f7f7f7f) + 0x7f7f7f7f) | n | 0x7f7f7f7f);
    while (ends !== 0) {
      const end = ends & -ends;
      const below = end - 1;
      if (seen + count80(marks & below) !== wanted) return undefined;
      marks &= ~below;
      ends ^= end;
      seen = 0;
      count += 1;
      if (count === starts.length) starts = grown(starts);
      starts[count] = k * 4 + ((31 - Math.clz32(end)) >> 3) + 1;
    }
    seen += count80(marks);
  }
  for (let at = whole; at < bytes.length; at += 1) {
    if (bytes[at] === delimiter) seen += 1;
    if (bytes[at] !== lf) continue;
    if (seen !== wanted) return undefined;
    seen = 0;
    count += 1;
    if (count === starts.length) starts = grown(starts);
    starts[count] = at + 1;
  }
  const lines = { starts, count };
  return crlf && !endsInReturns(bytes, lines) ? undefined : lines;
}

/** How many bytes of a word of marks are 0x80. */
function count80(marks: number): number {
  return Math.imul(marks >>> 7, 0x01010101) >>> 24;
}

/** Whether each line ends in CR LF and no other CR is there. */
function endsInReturns(bytes: Uint8Array, { starts, count }: Lines): boolean {
  for (let line = 1; line <= count; line += 1) {
    if (bytes[(starts[line] as number) - 2] !== cr) return false;
  }
  let returns = 0;
  for (let at = bytes.indexOf(cr); at >= 0; at = bytes.indexOf(cr, at + 1)) returns += 1;
  return returns === count;
}

function grown(starts: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(starts.length * 2);
  larger.set(starts);
  return larger;
}
