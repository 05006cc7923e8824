import type { Column, Contract } from "../core/contract.ts";
import { doubt, holds, type PlainValue, plainValue } from "./plain-values.ts";

const newline = 10;
const tab = 9;
const space = 32;
const quote = 34;
const comma = 44;
const colon = 58;
const open = 123;
const close = 125;
const letterN = 110;

const nullBytes = Buffer.from("null");

/** Where a column is not to be found in a record. */
const absent = -1;

/** A field name as JSON writes it, and its column. */
interface Field extends PlainValue {
  readonly key: Buffer;
  readonly nullable: boolean;
}

/**
 * Reads JSON objects, one a line, that meet a contract for sure, in one pass over their bytes, and writes them as CSV. It
 * knows the spellings that nearly all events have; what it does not know is in doubt, so that it can accept nothing that
 * the engine refuses, nor take it for another value.
 */
export class PlainJson {
  readonly #fields: readonly Field[];
  readonly #ignoreExtra: boolean;
  /** Column by key with its quotes. */
  readonly #columns: ReadonlyMap<string, number>;
  /** By column the one that came behind it last, from 1 on; at 0 the one that came first. */
  readonly #following: Int32Array;
  /** Of the line read last, by column: where its value starts and ends; the same where it is null. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;

  private constructor(fields: readonly Field[], ignoreExtra: boolean) {
    this.#fields = fields;
    this.#ignoreExtra = ignoreExtra;
    this.#columns = new Map(fields.map(({ key }, index) => [key.toString("latin1"), index]));
    this.#following = Int32Array.from({ length: fields.length + 1 }, (_, index) => Math.min(index, fields.length - 1));
    this.#starts = new Int32Array(fields.length);
    this.#ends = new Int32Array(fields.length);
  }

  /** Undefined for a contract with rules that bytes cannot tell, and for a lone column, whose null would be an empty line. */
  static of(contract: Contract, ignoreExtra: boolean): PlainJson | undefined {
    const entries = Object.entries(contract.columns);
    const fields = entries.flatMap(([name, column]) => fieldOf(name, column) ?? []);
    if (contract.checks.length > 0 || entries.length < 2 || fields.length < entries.length) return undefined;
    return new PlainJson(fields, ignoreExtra);
  }

  /** What a record's commas, line end and absent fields may take beside its own bytes. */
  get marksMax(): number {
    return this.#fields.length + 1;
  }

  /** Reads the line at `at` of a text whose last byte is a line end; gives where the next one starts, or `doubt`. */
  read(text: Buffer, at: number): number {
    this.#starts.fill(absent);
    const end = text[at] === open ? this.#readFields(text, blanksEnd(text, at + 1)) : doubt;
    if (end === doubt) return doubt;
    const last = blanksEnd(text, end);
    return text[last] === newline && this.#isComplete() ? last + 1 : doubt;
  }

  /** The byte behind the object; `doubt` where it is not plain. */
  #readFields(text: Buffer, start: number): number {
    let before = 0;
    for (let at = start; ; at = blanksEnd(text, at + 1)) {
      const column = this.#columnAt(text, at, before);
      if (column === absent) {
        if (!this.#ignoreExtra) return doubt;
        at = extraEnd(text, at);
      } else {
        at = this.#readValue(text, at, column);
        before = column + 1;
      }
      if (at === doubt) return doubt;
      at = blanksEnd(text, at);
      if (text[at] === close) return at + 1;
      if (text[at] !== comma) return doubt;
    }
  }

  /** The column whose key stands at `at`. Nearly always it is the one that came at this place in the line before. */
  #columnAt(text: Buffer, at: number, before: number): number {
    const guess = this.#following[before] as number;
    if (holds(text, at, (this.#fields[guess] as Field).key)) return guess;
    if (text[at] !== quote) return absent;
    const end = text.indexOf(quote, at + 1);
    const column = this.#columns.get(text.toString("latin1", at, end + 1));
    if (column === undefined) return absent;
    this.#following[before] = column;
    return column;
  }

  #readValue(text: Buffer, keyAt: number, column: number): number {
    const { key, end: endOf, nullable } = this.#fields[column] as Field;
    // The engine takes the first of two.
    if (this.#starts[column] !== absent) return doubt;
    const at = valueStart(text, keyAt + key.length);
    if (at === doubt) return doubt;
    this.#starts[column] = at;
    if (text[at] === letterN) {
      this.#ends[column] = at;
      return nullable && holds(text, at, nullBytes) ? at + nullBytes.length : doubt;
    }
    const end = endOf(text, at);
    this.#ends[column] = end;
    return end;
  }

  #isComplete(): boolean {
    for (let column = 0; column < this.#fields.length; column += 1) {
      if (this.#starts[column] === absent && !(this.#fields[column] as Field).nullable) return false;
    }
    return true;
  }

  /** Writes the fields of the line read last, parted by commas; gives where the next byte goes. */
  write(from: Buffer, to: Uint8Array, at: number): number {
    let next = at;
    for (let column = 0; column < this.#fields.length; column += 1) {
      if (column > 0) {
        to[next] = comma;
        next += 1;
      }
      const start = this.#starts[column] as number;
      const end = this.#ends[column] as number;
      if (start !== absent && start !== end) next = (this.#fields[column] as Field).copy(from, start, end, to, next);
    }
    return next;
  }
}

/** Names are compared by their bytes, and so have to be written in one way only. */
function fieldOf(name: string, column: Column): Field | undefined {
  const value = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/.test(name) ? plainValue(column) : undefined;
  return value === undefined
    ? undefined
    : { ...value, key: Buffer.from(`"${name}"`), nullable: column.nullable === true };
}

function blanksEnd(text: Buffer, start: number): number {
  let at = start;
  while (text[at] === space || text[at] === tab) at += 1;
  return at;
}

/** Where the value behind a key starts. */
function valueStart(text: Buffer, keyEnd: number): number {
  const at = blanksEnd(text, keyEnd);
  return text[at] === colon ? blanksEnd(text, at + 1) : doubt;
}

const anyScalar: readonly PlainValue[] = (["text", "double", "boolean"] as const).flatMap(
  (type) => plainValue({ type }) ?? [],
);

/** Behind a field that the contract lacks, of a single value and a key that is written plainly. */
function extraEnd(text: Buffer, at: number): number {
  const keyEnd = (anyScalar[0] as PlainValue).end(text, at);
  if (keyEnd === doubt || text.subarray(at, keyEnd).includes(92)) return doubt;
  const start = valueStart(text, keyEnd);
  if (start === doubt) return doubt;
  if (holds(text, start, nullBytes)) return start + nullBytes.length;
  for (const { end } of anyScalar) {
    const found = end(text, start);
    if (found !== doubt) return found;
  }
  return doubt;
}
