import { byteOf, type Dialect, quoteMark } from "./csv/dialect.ts";
import { tokenize } from "./csv/tokenizer.ts";

/** Where a record starts in a stream of bytes. */
export interface Boundary {
  readonly byte: number;
  /** Records before it. */
  readonly row: number;
  /** 1-based line. */
  readonly line: number;
}

/** What tells where the records of a text start. */
export interface Cut {
  /** A record is a line, whatever it holds; else fields may hold quoted line ends. */
  readonly dialect: Dialect | undefined;
  /** A blank line is a record. */
  readonly blankIsRecord: boolean;
  readonly recordBytesMax: number;
}

const { lf, cr } = byteOf;

/**
 * Finds the first record that starts at or behind each of some bytes, exactly: it sees all bytes in order, hops over
 * line ends where no quote is near, and runs the tokenizer where one is. Memory stays at one record.
 */
export class BoundaryFinder {
  readonly found: Boundary[] = [];
  readonly #cut: Cut;
  readonly #targets: number[];
  #row = 0;
  #line: number;
  /** Byte of `#held`, or of what comes next. */
  #byte: number;
  #held: Uint8Array = new Uint8Array();
  /** Within a record that is too long to be held. */
  #skipping = false;

  /** `start` is the byte of what `look` is given first; `targets` ascend and lie behind it. */
  constructor(cut: Cut, start: { readonly byte: number; readonly line: number }, targets: readonly number[]) {
    this.#cut = cut;
    this.#byte = start.byte;
    this.#line = start.line;
    this.#targets = [...targets];
  }

  look(bytes: Uint8Array): void {
    if (this.#targets.length === 0) return;
    const rest = this.#skipping ? this.#skip(bytes) : bytes;
    if (rest === undefined) return;
    const all = this.#held.length === 0 ? rest : Buffer.concat([this.#held, rest]);
    const { dialect } = this.#cut;
    const taken =
      dialect !== undefined && all.includes(quoteMark(dialect)) ? this.#tokens(all, dialect) : this.#lines(all);
    this.#byte += taken;
    this.#held = all.subarray(taken);
  }

  #skip(bytes: Uint8Array): Uint8Array | undefined {
    const at = bytes.indexOf(lf);
    this.#byte += at < 0 ? bytes.length : at + 1;
    if (at < 0) return undefined;
    this.#skipping = false;
    this.#line += 1;
    return bytes.subarray(at + 1);
  }

  #lines(bytes: Uint8Array): number {
    const { blankIsRecord, recordBytesMax } = this.#cut;
    let start = 0;
    let lines = 0;
    let rows = 0;
    let wanted = (this.#targets[0] ?? Number.POSITIVE_INFINITY) - this.#byte;
    for (let at = bytes.indexOf(lf); at >= 0; at = bytes.indexOf(lf, start)) {
      const isBlank = at === start || (at === start + 1 && bytes[start] === cr);
      if (!isBlank || blankIsRecord) {
        if (start >= wanted)
          wanted = this.#found(this.#byte + start, this.#row + rows, this.#line + lines) - this.#byte;
        rows += 1;
      }
      lines += 1;
      start = at + 1;
    }
    this.#line += lines;
    this.#row += rows;
    if (bytes.length - start <= recordBytesMax) return start;
    this.#record(this.#byte + start, this.#line);
    this.#skipping = true;
    return bytes.length;
  }

  #tokens(bytes: Uint8Array, dialect: Dialect): number {
    const { blankIsRecord, recordBytesMax } = this.#cut;
    // Only whether it is one matters for the number of fields: then blank lines count.
    const fields = blankIsRecord ? 1 : undefined;
    const options = { ...dialect, fields, recordBytesMax, recordsMax: Number.POSITIVE_INFINITY };
    const { table, taken, lines, rest } = tokenize(bytes, false, options, bytes.length >> 5);
    for (let record = 0; record < table.count; record += 1) {
      this.#record(this.#byte + (table.starts[record] as number), this.#line + (table.lines[record] as number));
    }
    this.#line += lines;
    this.#skipping = rest !== undefined;
    return taken;
  }

  #record(byte: number, line: number): void {
    if (byte >= (this.#targets[0] ?? Number.POSITIVE_INFINITY)) this.#found(byte, this.#row, line);
    this.#row += 1;
  }

  /** Keeps a boundary; returns the next byte that one is wanted at or behind. */
  #found(byte: number, row: number, line: number): number {
    this.found.push({ byte, row, line });
    while (this.#targets[0] !== undefined && this.#targets[0] <= byte) this.#targets.shift();
    return this.#targets[0] ?? Number.POSITIVE_INFINITY;
  }
}
