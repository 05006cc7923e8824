/** Faults of a record, as bits: one record may have several. */
export const fault = {
  columns: 1,
  afterQuote: 2,
  unclosed: 4,
  tooLong: 8,
  nul: 16,
  encoding: 32,
  lineEndInString: 64,
  cutShort: 128,
  /** What a format of an application's own says. */
  own: 256,
} as const;

/**
 * Skips what is left of a record that is too long to be held: given the bytes that follow, says how many belong to it,
 * the line ends among them, and whether it ends there.
 */
export type SkipRest = (bytes: Uint8Array) => {
  readonly taken: number;
  readonly lines: number;
  readonly found: boolean;
};

/** The records found in a stretch of bytes, and how far they go. */
export interface Tokens {
  readonly table: RecordTable;
  /** Bytes taken: the next record starts here. */
  readonly taken: number;
  /** Line ends within the bytes taken. */
  readonly lines: number;
  /** The last record is too long and goes on behind the bytes. */
  readonly rest: SkipRest | undefined;
}

/** A record that cannot be handed on. */
export interface FaultyRecord {
  /** 0-based number among all records of the table. */
  readonly record: number;
  readonly faults: number;
  /** Fields found; counts only with `fault.columns`. */
  readonly fields: number;
  /** With `fault.own`. */
  readonly says?: string;
}

/**
 * Where each record of a stretch of bytes starts and ends (without its line end), and on which line, counted from 0 at
 * the first byte. Integers in typed arrays: a stretch of 8 MiB may hold four million records.
 */
export class RecordTable {
  count = 0;
  starts: Int32Array;
  ends: Int32Array;
  lines: Int32Array;
  readonly faulty: FaultyRecord[] = [];
  /** Records that need quotes to be RFC 4180: an unquoted field holds a quote or a carriage return. */
  readonly unquoted = new Set<number>();

  constructor(expected: number) {
    const size = Math.max(16, expected);
    this.starts = new Int32Array(size);
    this.ends = new Int32Array(size);
    this.lines = new Int32Array(size);
  }

  add(start: number, end: number, line: number): void {
    if (this.count === this.starts.length) this.#grow();
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.lines[this.count] = line;
    this.count += 1;
  }

  #grow(): void {
    const size = this.starts.length * 2;
    this.starts = grown(this.starts, size);
    this.ends = grown(this.ends, size);
    this.lines = grown(this.lines, size);
  }
}

function grown(from: Int32Array, size: number): Int32Array {
  const to = new Int32Array(size);
  to.set(from);
  return to;
}
