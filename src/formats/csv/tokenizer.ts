import { byteOf, type Dialect, quoteMark } from "./dialect.ts";
import { fault, RecordTable, type SkipRest, type Tokens } from "../record-table.ts";

export interface TokenizeOptions extends Dialect {
  /** Fields a record must have; any number when undefined. */
  readonly fields: number | undefined;
  readonly recordBytesMax: number;
  readonly recordsMax: number;
}

/** The records of delimited text, and what tells whether it can be handed on as it is. */
export interface CsvTokens extends Tokens {
  /** Lines without any byte, which are no records. */
  readonly blank: number;
  /** Records ended by LF alone and by CR LF. */
  readonly lfEnds: number;
  readonly crlfEnds: number;
}

const { lf, cr, nul } = byteOf;
/** What ends a run of ordinary bytes. */
const special = { delimiter: 1, lf: 2, cr: 3, nul: 4, quote: 5 } as const;

type Outcome = "record" | "unfinished" | "unclosed" | "afterQuote";

/**
 * Splits bytes into records by RFC 4180: a quote opens only at the start of a field, `""` inside stands for a quote, and
 * after the closing quote comes a delimiter or a line end. Lines end in LF or CR LF; a lone CR is content. Where that
 * fails the first physical line is the faulty record and reading goes on at the next line, so that one stray quote
 * does not swallow the file. A blank line is no record, except that it is an empty value where records have one field.
 */
export function tokenize(bytes: Uint8Array, last: boolean, options: TokenizeOptions, expected = 1024): CsvTokens {
  return new Tokenizer(bytes, last, options, expected).run();
}

class Tokenizer {
  readonly #bytes: Uint8Array;
  readonly #last: boolean;
  readonly #options: TokenizeOptions;
  readonly #table: RecordTable;
  /** By byte: what it is outside quotes and inside. */
  readonly #outside = new Uint8Array(256);
  readonly #inside = new Uint8Array(256);
  #line = 0;
  #blank = 0;
  #lfEnds = 0;
  #crlfEnds = 0;
  // What the scan of one record found.
  #end = 0;
  #next = 0;
  #fields = 1;
  #newlines = 0;
  #faults = 0;
  #needsQuotes = false;

  constructor(bytes: Uint8Array, last: boolean, options: TokenizeOptions, expected: number) {
    this.#bytes = bytes;
    this.#last = last;
    this.#options = options;
    this.#table = new RecordTable(expected);
    this.#outside[options.delimiter] = special.delimiter;
    for (const kinds of [this.#outside, this.#inside]) {
      kinds[lf] = special.lf;
      kinds[nul] = special.nul;
    }
    this.#outside[quoteMark(options)] = special.quote;
    if (options.quote >= 0) this.#inside[options.quote] = special.quote;
    this.#outside[cr] = special.cr;
  }

  run(): CsvTokens {
    const { recordsMax } = this.#options;
    const size = this.#bytes.length;
    let at = 0;
    let openEnded = false;
    while (at < size && this.#table.count < recordsMax) {
      const outcome = this.#scan(at);
      if (outcome === "record" && this.#next - at <= this.#options.recordBytesMax) {
        this.#keep(at);
      } else if (!this.#recover(at, outcome)) {
        openEnded = !this.#last && size - at > this.#options.recordBytesMax;
        if (!openEnded) break;
        this.#fail(at, size, fault.tooLong);
      }
      at = openEnded ? size : this.#next;
      if (openEnded) break;
    }
    return {
      table: this.#table,
      taken: at,
      lines: this.#line,
      rest: openEnded ? restOfLine : undefined,
      blank: this.#blank,
      lfEnds: this.#lfEnds,
      crlfEnds: this.#crlfEnds,
    };
  }

  /** Finds the end of the record that starts at `start`. Fills the fields above. */
  #scan(start: number): Outcome {
    const bytes = this.#bytes;
    const { quote } = this.#options;
    this.#fields = 1;
    this.#newlines = 0;
    this.#faults = 0;
    this.#needsQuotes = false;
    let at = start;
    for (;;) {
      if (bytes[at] === quote) {
        at = this.#closingQuote(at + 1);
        if (at < 0) return this.#last ? "unclosed" : "unfinished";
        if (at < bytes.length && !this.#isFieldEnd(at)) {
          if (!this.#last && bytes[at] === cr && at + 1 === bytes.length) return "unfinished";
          return "afterQuote";
        }
      } else {
        at = this.#fieldEnd(at);
      }
      if (at < bytes.length && this.#outside[bytes[at] ?? 0] === special.delimiter) {
        this.#fields += 1;
        at += 1;
        continue;
      }
      return this.#endRecord(at);
    }
  }

  #endRecord(at: number): Outcome {
    const bytes = this.#bytes;
    this.#end = at;
    if (at >= bytes.length) {
      this.#next = bytes.length;
      return this.#last ? "record" : "unfinished";
    }
    this.#newlines += 1;
    this.#next = bytes[at] === cr ? at + 2 : at + 1;
    return "record";
  }

  #isFieldEnd(at: number): boolean {
    const kind = this.#outside[this.#bytes[at] ?? 0];
    return kind === special.delimiter || kind === special.lf || (kind === special.cr && this.#bytes[at + 1] === lf);
  }

  /** The delimiter or line end behind an unquoted field that starts at `at`; the size of the bytes when there is none. */
  #fieldEnd(start: number): number {
    const bytes = this.#bytes;
    const outside = this.#outside;
    const size = bytes.length;
    let at = start;
    for (;;) {
      while (at < size && outside[bytes[at] as number] === 0) at += 1;
      if (at >= size) return size;
      const kind = outside[bytes[at] as number];
      if (kind === special.delimiter || kind === special.lf) return at;
      if (kind === special.cr && bytes[at + 1] === lf) return at;
      if (kind === special.nul) this.#faults |= fault.nul;
      else this.#needsQuotes = true;
      at += 1;
    }
  }

  /** The byte behind the quote that closes a field; -1 when there is none. */
  #closingQuote(start: number): number {
    const bytes = this.#bytes;
    const inside = this.#inside;
    const { quote } = this.#options;
    const size = bytes.length;
    let at = start;
    for (;;) {
      while (at < size && inside[bytes[at] as number] === 0) at += 1;
      if (at >= size) return -1;
      const kind = inside[bytes[at] as number];
      if (kind === special.lf) this.#newlines += 1;
      else if (kind === special.nul) this.#faults |= fault.nul;
      else if (bytes[at + 1] !== quote) return at + 1;
      else at += 1;
      at += 1;
    }
  }

  /** Takes the record that `#scan` found, unless it is a blank line. */
  #keep(start: number): void {
    const { fields } = this.#options;
    const isBlank = this.#end === start;
    if (isBlank && fields !== 1) {
      this.#blank += 1;
      this.#line += this.#newlines;
      return;
    }
    const length = this.#next - this.#end;
    if (length === 2) this.#crlfEnds += 1;
    else if (length === 1) this.#lfEnds += 1;
    if (fields !== undefined && this.#fields !== fields) this.#faults |= fault.columns;
    const record = this.#table.count;
    if (this.#needsQuotes) this.#table.unquoted.add(record);
    if (this.#faults !== 0) this.#table.faulty.push({ record, faults: this.#faults, fields: this.#fields });
    this.#table.add(start, this.#end, this.#line);
    this.#line += this.#newlines;
  }

  /**
   * Makes the first physical line at `start` a faulty record. False when it is not known yet how the record ends, or
   * the line itself does not end within the bytes.
   */
  #recover(start: number, outcome: Outcome): boolean {
    const { recordBytesMax } = this.#options;
    const tooLong = outcome === "record" || this.#bytes.length - start > recordBytesMax;
    if (outcome === "unfinished" && !tooLong) return false;
    const found = this.#bytes.indexOf(lf, start);
    if (found < 0 && !this.#last) return false;
    const end = found < 0 ? this.#bytes.length : found;
    this.#next = found < 0 ? end : found + 1;
    if (this.#next - start > recordBytesMax) this.#fail(start, end, fault.tooLong);
    else this.#fail(start, end, outcome === "afterQuote" ? fault.afterQuote : fault.unclosed);
    return true;
  }

  #fail(start: number, end: number, faults: number): void {
    const trimmed = end > start && this.#bytes[end - 1] === cr ? end - 1 : end;
    this.#table.faulty.push({ record: this.#table.count, faults, fields: 0 });
    this.#table.add(start, trimmed, this.#line);
    if (end < this.#bytes.length) this.#line += 1;
  }
}

/** Skips to the next line end. */
export const restOfLine: SkipRest = (bytes) => {
  const at = bytes.indexOf(lf);
  return at < 0 ? { taken: bytes.length, lines: 0, found: false } : { taken: at + 1, lines: 1, found: true };
};
