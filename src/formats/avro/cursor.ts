import { isUtf8 } from "node:buffer";
import type { ReasonCode } from "../../core/reject.ts";
import { limit } from "../../core/limit.ts";

/** Why a value cannot be read by its schema. */
export class ValueFault extends Error {
  readonly code: ReasonCode;
  constructor(code: ReasonCode, message: string) {
    super(message);
    this.code = code;
  }
}

const replacement = "\ufffd";

const malformed = (message: string): ValueFault => new ValueFault("malformed", message);

/**
 * Reads the bytes of one value in order, and bounds what becomes of them: an array of a few bytes may say that it has
 * 2^60 items that take none. Every method throws a ValueFault.
 */
export class Cursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #charsMax: number;
  #at: number;
  #chars = 0;
  #depth = 0;

  constructor(bytes: Uint8Array, at: number, charsMax: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
    this.#end = bytes.byteLength;
    this.#charsMax = charsMax;
  }

  /** Bytes that are still to be read. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** Characters of text made so far, those of a value that was given up included. */
  get chars(): number {
    return this.#chars;
  }

  /** Counts text that is made of the value. */
  make(chars: number): void {
    this.#chars += chars;
    if (this.#chars <= this.#charsMax) return;
    throw new ValueFault("too_long", `the record is longer than ${this.#charsMax} characters as text`);
  }

  /** Counts the text and returns it. */
  made(text: string): string {
    this.make(text.length);
    return text;
  }

  enter(): void {
    this.#depth += 1;
    if (this.#depth > limit.avroDepth) throw malformed(`values are nested deeper than ${limit.avroDepth}`);
  }

  leave(): void {
    this.#depth -= 1;
  }

  take(size: number): Buffer {
    const start = this.#skip(size);
    return this.#bytes.subarray(start, start + size);
  }

  float(): number {
    return this.#bytes.readFloatLE(this.#skip(4));
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#skip(8));
  }

  string(): string {
    const size = this.#length();
    const start = this.#skip(size);
    const text = this.#bytes.toString("utf8", start, start + size);
    // What is no UTF-8 was replaced; the character may also stand there by itself.
    if (text.includes(replacement) && !isUtf8(this.#bytes.subarray(start, start + size))) {
      throw new ValueFault("encoding", "a string is not valid UTF-8");
    }
    if (text.includes("\0")) throw malformed("a string holds a NUL byte");
    return text;
  }

  /** Where `size` bytes start, which are read then. */
  #skip(size: number): number {
    const start = this.#at;
    if (size > this.#end - start) throw malformed("ends too early, in the middle of a value");
    this.#at = start + size;
    return start;
  }

  #length(): number {
    const size = this.long();
    if (typeof size === "bigint" || size < 0) throw malformed("a length is out of bounds");
    return size;
  }

  byte(): number {
    if (this.#at >= this.#end) throw malformed("ends too early, in the middle of a value");
    const byte = this.#bytes[this.#at] as number;
    this.#at += 1;
    return byte;
  }

  /** Zigzag, seven bits a byte, the lowest first; a bigint where a number would not be exact. */
  long(): number | bigint {
    let low = 0;
    let high = 0;
    let top = 0;
    for (let index = 0; ; index += 1) {
      const byte = this.byte();
      const bits = byte & 127;
      if (index < 4) low |= bits << (7 * index);
      else if (index < 8) high |= bits << (7 * (index - 4));
      else top |= bits << (7 * (index - 8));
      if (top > 255 || (index === 9 && byte > 127)) throw malformed("a whole number has more than 64 bits");
      if (byte < 128) break;
    }
    if (top === 0 && high < 2 ** 25) {
      const raw = high * 2 ** 28 + low;
      return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
    }
    const raw = (BigInt(top) << 56n) | (BigInt(high) << 28n) | BigInt(low);
    return (raw >> 1n) ^ -(raw & 1n);
  }

  int(): number {
    const value = this.long();
    if (typeof value === "number" && value >= -(2 ** 31) && value < 2 ** 31) return value;
    throw malformed("an int has more than 32 bits");
  }

  /** The index of a symbol or a branch. */
  index(count: number, of: string): number {
    const index = this.int();
    if (index >= 0 && index < count) return index;
    throw malformed(`there is no ${of} ${index} in its schema`);
  }

  /** Bytes, which say how many they are. */
  sized(): Buffer {
    return this.take(this.#length());
  }

  /** Items in the next block of an array or a map; 0 at its end. */
  block(): number {
    const count = this.long();
    if (typeof count === "bigint") throw malformed("a block's count is out of bounds");
    if (count < 0) this.long(); // the block's size in bytes, for those who skip it
    return Math.abs(count);
  }
}
