import type { CsvRows } from "../../ports/rows.ts";

const quote = 34;
const newline = 10;
const carriageReturn = 13;
const pieceBytes = 64 * 1024;
/** Longer stretches are not copied. */
const stretchBytes = pieceBytes / 4;
/** Room for a number and its delimiter, and for the word. */
const markBytesMax = 64;
/** What an unquoted field has to be for LOAD DATA to read null; quoted it is a text like any other. */
const nullWord = Buffer.from("NULL");
const quotedNullWord = Buffer.from('"NULL"');

/** How LOAD DATA reads what `loadText` makes. */
export function loadFormat(delimiter: string): string {
  return `character set utf8mb4 fields terminated by '${delimiter}' optionally enclosed by '"' escaped by '' lines terminated by '\\n'`;
}

/**
 * The same CSV in which null is the word NULL and records end in LF, in pieces. With `numbered` each record begins with its
 * number, from 0. What needs no change goes as it is, in stretches, without being copied.
 */
export function* loadText(csv: CsvRows, numbered: boolean): Generator<Uint8Array> {
  const { bytes } = csv;
  const delimiter = csv.delimiter.charCodeAt(0);
  const out = new Piece();
  let kept = 0;
  let row = 0;
  for (let at = 0, starts = true; at < bytes.length; at += 1) {
    if (starts && numbered) {
      yield* out.add(bytes, kept, at);
      kept = at;
      out.addMark(Buffer.from(`${row}${csv.delimiter}`));
    }
    const from = at;
    if (bytes[at] === quote) at = behindQuotes(bytes, at);
    while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== newline) at += 1;
    starts = bytes[at] === newline;
    if (starts) row += 1;
    const to = starts && at > from && bytes[at - 1] === carriageReturn ? at - 1 : at;
    const mark = from === to ? nullWord : isNullWord(bytes, from, to) ? quotedNullWord : undefined;
    if (mark === undefined && to === at) continue;
    yield* out.add(bytes, kept, mark === undefined ? to : from);
    if (mark !== undefined) out.addMark(mark);
    kept = at;
  }
  yield* out.add(bytes, kept, bytes.length);
  yield* out.take();
}

interface Field {
  readonly from: number;
  /** Behind the field's last byte, its quotes included. */
  readonly to: number;
  /** Whether its record ends with it. */
  readonly last: boolean;
}

/** The fields of all records, quotes and all. */
export function* fieldsOf(bytes: Uint8Array, delimiter: number): Generator<Field> {
  for (let at = 0; at < bytes.length; ) {
    const from = at;
    if (bytes[at] === quote) at = behindQuotes(bytes, at);
    while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== newline) at += 1;
    const last = bytes[at] !== delimiter;
    const to = last && at > from && bytes[at - 1] === carriageReturn ? at - 1 : at;
    yield { from, to, last };
    at += 1;
    // A record that ends in a delimiter has one more field, at the very end of the text too.
    if (!last && at === bytes.length) yield { from: at, to: at, last: true };
  }
}

function behindQuotes(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(quote, start + 1); at >= 0; at = bytes.indexOf(quote, at + 2)) {
    if (bytes[at + 1] !== quote) return at + 1;
  }
  return bytes.length;
}

function isNullWord(bytes: Uint8Array, from: number, to: number): boolean {
  return to - from === nullWord.length && nullWord.every((byte, index) => bytes[from + index] === byte);
}

/** Bytes that are gathered until there are enough to be sent. Nothing that is given is empty: that would mean the end. */
class Piece {
  #bytes = Buffer.allocUnsafe(pieceBytes);
  #length = 0;

  /** The few bytes of a mark always have room: `add` has left it. */
  addMark(mark: Uint8Array): void {
    this.#bytes.set(mark, this.#length);
    this.#length += mark.length;
  }

  /** Short stretches are put together, long ones given as they are, in their order. */
  *add(bytes: Uint8Array, from: number, to: number): Generator<Uint8Array> {
    if (this.#length + to - from > pieceBytes - markBytesMax) yield* this.take();
    if (to - from <= stretchBytes) {
      this.#bytes.set(bytes.subarray(from, to), this.#length);
      this.#length += to - from;
      return;
    }
    yield* this.take();
    for (let at = from; at < to; at += pieceBytes) {
      const end = Math.min(at + pieceBytes, to);
      yield Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at);
    }
  }

  *take(): Generator<Uint8Array> {
    if (this.#length === 0) return;
    yield this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafe(pieceBytes);
    this.#length = 0;
  }
}
