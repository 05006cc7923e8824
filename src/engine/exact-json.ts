import type { Column, Contract } from "../core/contract.ts";

/**
 * DuckDB reads the numbers of JSON as doubles when it takes a value out: `999999999999999.999` becomes
 * `1000000000000000.0`. Values that a double would change are therefore handed over as JSON strings that hold the
 * value's own text behind this mark, and taken out again as they are.
 */
export const exactMark = "\u0001millrace:exact:";

/** Digits of a decimal that every double keeps. */
const safeDigits = 15;
/** A longer number may be one that no double can hold, and that is for the rules to say. */
const plainBytesMax = 40;

export interface ExactJson {
  readonly text: Uint8Array;
  /** Whether any value carries the mark. */
  readonly marked: boolean;
}

/** Names of the columns that are doubles anyway, and have no rule whose reason would show the value's own text. */
export function doubleColumns({ columns }: Contract): ReadonlySet<string> {
  const isPlain = ({ type, min, max, oneOf }: Column): boolean =>
    type === "double" && min === undefined && max === undefined && oneOf === undefined;
  const isAscii = (name: string): boolean => /^[\x20-\x7e]*$/.test(name);
  return new Set(Object.keys(columns).filter((name) => isAscii(name) && isPlain(columns[name] as Column)));
}

/** One JSON text per line in, the same out, with the values marked that a double would change; `doubles` are left. */
export function exactJson(text: Uint8Array, doubles: ReadonlySet<string>): ExactJson {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const pieces: Uint8Array[] = [];
  let kept = 0;
  for (const start of inexactLines(bytes, doubles)) {
    const found = bytes.indexOf(byteOf.lf, start);
    const end = found < 0 ? bytes.length : found;
    const line = bytes.subarray(start, end).toString("utf8");
    const exact = exactLine(line);
    if (exact === line) continue;
    pieces.push(bytes.subarray(kept, start), Buffer.from(exact));
    kept = end;
  }
  if (pieces.length === 0) return { text, marked: false };
  pieces.push(bytes.subarray(kept));
  return { text: Buffer.concat(pieces), marked: true };
}

const byteOf = {
  lf: 10,
  quote: 34,
  comma: 44,
  minus: 45,
  point: 46,
  zero: 48,
  nine: 57,
  colon: 58,
  bracket: 91,
  backslash: 92,
  bracketEnd: 93,
  brace: 123,
  braceEnd: 125,
} as const;

/** Where the lines start that hold a number which a double would change, in a field that is not one of `doubles`. */
function inexactLines(bytes: Buffer, doubles: ReadonlySet<string>): number[] {
  const lines: number[] = [];
  let line = 0;
  let depth = 0;
  let [stringStart, stringEnd, keyStart, keyEnd] = [0, 0, 0, 0];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (byte === byteOf.quote) {
      stringStart = at + 1;
      stringEnd = endOfString(bytes, stringStart);
      at = stringEnd;
      if (bytes[at] === byteOf.lf) at -= 1;
    } else if (byte === byteOf.minus || (byte >= byteOf.zero && byte <= byteOf.nine)) {
      const end = endOfNumber(bytes, at);
      if (end - at > safeDigits && isInexact(bytes, at, end)) {
        const isPlain = depth === 1 && end - at <= plainBytesMax && !hasExponent(bytes, at, end);
        const isDouble = isPlain && doubles.has(bytes.toString("latin1", keyStart, keyEnd));
        if (!isDouble && lines.at(-1) !== line) lines.push(line);
      }
      at = end - 1;
    } else if (byte === byteOf.colon) {
      if (depth === 1) [keyStart, keyEnd] = [stringStart, stringEnd];
    } else if (byte === byteOf.brace || byte === byteOf.bracket) depth += 1;
    else if (byte === byteOf.braceEnd || byte === byteOf.bracketEnd) depth -= 1;
    else if (byte === byteOf.lf) {
      line = at + 1;
      depth = 0;
    }
  }
  return lines;
}

/** Where the quote stands that ends the string, or its line. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start;
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === byteOf.quote || byte === byteOf.lf) return at;
    if (byte === byteOf.backslash && bytes[at + 1] !== byteOf.lf) at += 1;
  }
  return at;
}

const isExponent = (byte: number | undefined): boolean => byte === 101 || byte === 69;

function endOfNumber(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    const isPart = (byte >= byteOf.zero && byte <= byteOf.nine) || byte === byteOf.point || isExponent(byte);
    if (!isPart && !((byte === byteOf.minus || byte === 43) && isExponent(bytes[at - 1]))) break;
  }
  return at;
}

function hasExponent(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (isExponent(bytes[at])) return true;
  return false;
}

/** As `isInexactNumber`. */
function isInexact(bytes: Uint8Array, start: number, end: number): boolean {
  let digits = 0;
  let isWhole = true;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number;
    if (isExponent(byte)) return digits > safeDigits;
    if (byte === byteOf.point) isWhole = false;
    else if (byte > byteOf.zero || (byte === byteOf.zero && digits > 0)) digits += 1;
  }
  return !isWhole && digits > safeDigits;
}

const token = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:[.][0-9]+)?(?:[eE][+-]?[0-9]+)?|[{}[\],:]/g;

/** The line with every inexact field of its object marked; a line that is no JSON object stays for the engine to refuse. */
function exactLine(line: string): string {
  let out = "";
  let kept = 0;
  let depth = 0;
  let valueStart = -1;
  let isInexact = false;
  for (const { 0: part, index } of line.matchAll(token)) {
    if (depth === 1 && valueStart >= 0 && (part === "," || part === "}")) {
      if (isInexact) {
        out += line.slice(kept, valueStart) + JSON.stringify(exactMark + line.slice(valueStart, index).trim());
        kept = index;
      }
      valueStart = -1;
      isInexact = false;
    }
    if (part === "{" || part === "[") depth += 1;
    else if (part === "}" || part === "]") depth -= 1;
    else if (part === ":" && depth === 1 && valueStart < 0) valueStart = index + 1;
    else if (part[0] !== '"') isInexact ||= isInexactNumber(part);
  }
  return out + line.slice(kept);
}

/** Whole numbers of any size are kept by the engine as they are. */
function isInexactNumber(part: string): boolean {
  if (!/[.eE]/.test(part)) return false;
  const digits = part
    .replace(/[eE].*$/, "")
    .replace(/^[-0.]+/, "")
    .replace(".", "");
  return digits.length > safeDigits;
}
