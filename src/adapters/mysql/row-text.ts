import type { CsvRows } from "../../ports/rows.ts";

const quote = 34;
const newline = 10;
const carriageReturn = 13;
const pieceBytes = 64 * 1024;
/** Room for what is not full yet, one more field, and what stands around it. */
const roomBytes = 2 * pieceBytes + 64;
/** What an unquoted field has to be for LOAD DATA to read null; quoted it is a text like any other. */
const nullWord = Buffer.from("NULL");
const quotedNullWord = Buffer.from('"NULL"');

/** How LOAD DATA reads what `loadText` makes. */
export function loadFormat(delimiter: string): string {
  return `character set utf8mb4 fields terminated by '${delimiter}' optionally enclosed by '"' escaped by '' lines terminated by '\\n'`;
}

/** The same CSV in which null is the word NULL and records end in LF, in pieces. With `numbered` each record begins with its number, from 0. */
export function* loadText(csv: CsvRows, numbered: boolean): Generator<Uint8Array> {
  const out = new Piece();
  const delimiter = csv.delimiter.charCodeAt(0);
  let row = 0;
  let starts = true;
  for (const field of fieldsOf(csv.bytes, delimiter)) {
    if (starts && numbered) out.add(Buffer.from(`${row}${csv.delimiter}`));
    if (field.from === field.to) out.add(nullWord);
    else if (isNullWord(csv.bytes, field)) out.add(quotedNullWord);
    else yield* out.addLong(csv.bytes.subarray(field.from, field.to));
    out.addByte(field.last ? newline : delimiter);
    starts = field.last;
    if (field.last) row += 1;
    if (out.isFull) yield out.take();
  }
  if (!out.isEmpty) yield out.take();
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

function isNullWord(bytes: Uint8Array, { from, to }: Field): boolean {
  return to - from === nullWord.length && nullWord.every((byte, index) => bytes[from + index] === byte);
}

/** Bytes that are gathered until there are enough to be sent. */
class Piece {
  #bytes = Buffer.allocUnsafe(roomBytes);
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  get isFull(): boolean {
    return this.#length >= pieceBytes;
  }

  add(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  addByte(byte: number): void {
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }

  /** Of bytes that may be many: those that do not fit are given at once, in their order. */
  *addLong(bytes: Uint8Array): Generator<Uint8Array> {
    if (bytes.length <= pieceBytes) return this.add(bytes);
    if (!this.isEmpty) yield this.take();
    for (let at = 0; at < bytes.length; at += pieceBytes) yield Buffer.from(bytes.subarray(at, at + pieceBytes));
  }

  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafe(roomBytes);
    this.#length = 0;
    return taken;
  }
}
