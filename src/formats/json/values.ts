import { byteOf } from "../csv/dialect.ts";
import type { Frame, ReadBounds } from "../frame.ts";
import { framedTokens } from "../framed-tokens.ts";
import { fault, RecordTable, type SkipRest, type Tokens } from "../record-table.ts";
import { jsonText } from "./text.ts";

const { lf, cr, nul, tab, comma, quote } = byteOf;
const space = 32;
const backslash = 92;
const openBracket = 91;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

/**
 * Frames JSON values, those of an array or one after another, on one line or many: by brackets and strings alone, as
 * whether a value is valid JSON is for the engine to say. A string that holds a line end has lost its closing quote:
 * what goes to the next line on which a value may start is the faulty record.
 */
export function frameValues(inArray: boolean, ignoreExtra: boolean, bounds: ReadBounds): Frame {
  let isOpen = inArray;
  return (bytes, last, place) => {
    const tokens = new ValueScanner(bytes, last, isOpen, bounds).run();
    isOpen = tokens.isOpen;
    return framedTokens(bytes, tokens, place, bounds, 1, (good) => jsonText(bytes, tokens.table, good, ignoreExtra));
  };
}

/** Whether a text is one array, and what comes before its first value. */
export function jsonStart(head: Uint8Array): {
  readonly inArray: boolean;
  readonly skip: number;
  readonly lines: number;
} {
  let lines = 0;
  for (let at = 0; at < head.length; at += 1) {
    const byte = head[at];
    if (byte === openBracket) return { inArray: true, skip: at + 1, lines };
    if (byte === lf) lines += 1;
    else if (byte !== space && byte !== tab && byte !== cr) break;
  }
  return { inArray: false, skip: 0, lines: 0 };
}

class ValueScanner {
  readonly #bytes: Uint8Array;
  readonly #last: boolean;
  readonly #bounds: ReadBounds;
  readonly #table: RecordTable;
  #isOpen: boolean;
  #line = 0;

  constructor(bytes: Uint8Array, last: boolean, isOpen: boolean, bounds: ReadBounds) {
    this.#bytes = bytes;
    this.#last = last;
    this.#isOpen = isOpen;
    this.#bounds = bounds;
    this.#table = new RecordTable(bytes.length >> 8);
  }

  run(): Tokens & { readonly isOpen: boolean } {
    const { recordBytes, batchRecords } = this.#bounds;
    const size = this.#bytes.length;
    let at = this.#between(0);
    let rest: SkipRest | undefined;
    while (at < size && this.#table.count < batchRecords) {
      const value = new Value();
      const end = value.scan(this.#bytes, at);
      if (end >= 0 && end - at <= recordBytes) {
        this.#add(at, end, this.#bytes.subarray(at, end).includes(nul) ? fault.nul : 0);
      } else if (value.brokenAt >= 0) {
        const next = this.#nextValue(at, value.brokenAt);
        if (next === undefined) break;
        this.#add(at, next, fault.lineEndInString);
      } else if (end >= 0 || size - at > recordBytes) {
        this.#add(at, end >= 0 ? end : size, fault.tooLong);
        if (end < 0) rest = restOf(value);
      } else if (this.#last) {
        this.#add(at, size, value.isScalar ? 0 : fault.cutShort);
      } else break;
      at = this.#table.count === 0 ? at : (this.#table.ends[this.#table.count - 1] as number);
      at = this.#between(at);
    }
    if (this.#last && at >= size && this.#isOpen) {
      this.#add(size, size, fault.cutShort);
      this.#isOpen = false;
    }
    return { table: this.#table, taken: at, lines: this.#line, rest, isOpen: this.#isOpen };
  }

  /** The next byte that belongs to a value; counts lines. */
  #between(start: number): number {
    let at = start;
    for (; at < this.#bytes.length; at += 1) {
      const byte = this.#bytes[at];
      if (byte === lf) this.#line += 1;
      else if (byte === closeBracket && this.#isOpen) this.#isOpen = false;
      else if (byte !== space && byte !== tab && byte !== cr && !(byte === comma && this.#isOpen)) break;
    }
    return at;
  }

  #add(start: number, end: number, faults: number): void {
    if (faults !== 0) this.#table.faulty.push({ record: this.#table.count, faults, fields: 1 });
    this.#table.add(start, end, this.#line);
    for (let at = this.#bytes.indexOf(lf, start); at >= 0 && at < end; at = this.#bytes.indexOf(lf, at + 1)) {
      this.#line += 1;
    }
  }

  /** The first line behind `from` that starts with a bracket, indented no more than the value at `start`. */
  #nextValue(start: number, from: number): number | undefined {
    const indent = start - (this.#bytes.lastIndexOf(lf, start) + 1);
    for (let end = this.#bytes.indexOf(lf, from); end >= 0; end = this.#bytes.indexOf(lf, end + 1)) {
      let at = end + 1;
      while (this.#bytes[at] === space || this.#bytes[at] === tab) at += 1;
      if (at - end - 1 <= indent && this.#bytes[at] === openBrace) return end;
      if (end - start > this.#bounds.recordBytes) return end;
    }
    if (this.#last || this.#bytes.length - start > this.#bounds.recordBytes) return this.#bytes.length;
    return undefined;
  }
}

/** One value, scanned in one piece or, where it is too long, in several. */
class Value {
  isScalar = false;
  /** Byte of a line end within a string; -1 while there is none. */
  brokenAt = -1;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #begun = false;

  /** The byte behind the value that goes on at `start`; -1 when it does not end within the bytes. */
  scan(bytes: Uint8Array, start: number): number {
    for (let at = start; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === backslash) this.#escaped = true;
        else if (byte === quote) {
          this.#inString = false;
          if (this.#depth === 0) return at + 1;
        } else if (byte === lf) {
          this.brokenAt = at;
          return -1;
        }
      } else if (byte === quote) {
        if (this.isScalar) return at;
        this.#inString = true;
      } else if (byte === openBrace || byte === openBracket) {
        if (this.isScalar) return at;
        this.#depth += 1;
      } else if (byte === closeBrace || byte === closeBracket) {
        if (this.isScalar) return at;
        this.#depth -= 1;
        if (this.#depth <= 0) return at + 1;
      } else if (this.#depth === 0) {
        if (byte === comma || byte === space || byte === lf || byte === tab || byte === cr)
          return this.#begun ? at : at + 1;
        this.isScalar = true;
      }
      this.#begun = true;
    }
    return -1;
  }
}

/** Goes on with a value that is too long to be held. */
function restOf(value: Value): SkipRest {
  return (bytes) => {
    const end = value.scan(bytes, 0);
    const taken = end >= 0 ? end : value.brokenAt >= 0 ? value.brokenAt + 1 : bytes.length;
    let lines = 0;
    for (let at = bytes.indexOf(lf); at >= 0 && at < taken; at = bytes.indexOf(lf, at + 1)) lines += 1;
    return { taken, lines, found: end >= 0 || value.brokenAt >= 0 };
  };
}
