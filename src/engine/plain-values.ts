import type { Column } from "../core/contract.ts";
import { plainPattern } from "./plain-pattern.ts";
import { copyBytes, copyDay, copyLower, copyText, copyTime, type ValueCopy } from "./plain-copy.ts";

/**
 * Where a value of JSON ends that stands at `at` and meets its column for sure; `doubt` for every other, which is then the
 * engine's. It may look up to the line end behind the value, and no further.
 */
export type ValueEnd = (text: Buffer, at: number) => number;

export const doubt = -1;

/** How the values of a column are read, and written as a field of CSV. */
export interface PlainValue {
  readonly end: ValueEnd;
  readonly copy: ValueCopy;
}

/** What is known of a column's values; undefined where it has rules that bytes cannot tell. */
export function plainValue(column: Column): PlainValue | undefined {
  const { type, min, max, oneOf, format } = column;
  if (type === "text") return textValue(column);
  if (oneOf !== undefined) return undefined;
  if (type === "integer") return numberValue(wholeEnd(9), column);
  if (type === "bigint") return numberValue(wholeEnd(min === undefined && max === undefined ? 18 : 15), column);
  if (type === "double") return numberValue(doubleEnd, column);
  if (min !== undefined || max !== undefined || format !== undefined) return undefined;
  switch (type) {
    case "decimal":
      return { end: decimalEnd(column), copy: copyBytes };
    case "boolean":
      return { end: booleanEnd, copy: copyBytes };
    case "date":
      return { end: (text, at) => quotedEnd(text, at, dayEnd(text, at + 1)), copy: copyDay };
    case "timestamp":
      return { end: timeEnd, copy: copyTime };
    case "uuid":
      return { end: uuidEnd, copy: copyLower };
    case "json":
      return undefined;
  }
}

const quote = 34;
const plus = 43;
const minus = 45;
const point = 46;
const zero = 48;
const backslash = 92;
/** Bytes below are control characters, which JSON has as escapes only; the line end is one of them. */
const printable = 32;

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= zero && byte <= 57;
/** Of a byte behind which another one stands in doubt. */
const quotedEnd = (text: Buffer, at: number, end: number): number =>
  end !== doubt && text[at] === quote && text[end] === quote ? end + 1 : doubt;

function textValue({ minLength = 0, maxLength, pattern, oneOf }: Column): PlainValue | undefined {
  const match = pattern === undefined ? undefined : plainPattern(pattern);
  if (pattern !== undefined && match === undefined) return undefined;
  const known = oneOf === undefined ? undefined : new Set(oneOf.map(String));
  if (minLength === 0 && maxLength === undefined && match === undefined && known === undefined) {
    return { end: textEnd, copy: copyText };
  }
  const most = maxLength ?? Number.POSITIVE_INFINITY;
  const end: ValueEnd = (text, at) => {
    const end = asciiEnd(text, at);
    const length = end - at - 2;
    if (end === doubt || length < minLength || length > most) return doubt;
    if (match !== undefined && !match(text, at + 1, end - 1)) return doubt;
    return known === undefined || known.has(text.toString("latin1", at + 1, end - 1)) ? end : doubt;
  };
  // Without a look at what it says, other characters than ASCII can be counted.
  const counted = countedEnd(minLength, most);
  return { end: match === undefined && known === undefined ? counted : end, copy: copyText };
}

/** Any text of JSON whose escapes `copyText` knows. */
function textEnd(text: Buffer, at: number): number {
  if (text[at] !== quote) return doubt;
  for (let next = at + 1; ; next += 1) {
    const byte = text[next] as number;
    if (byte === quote) return next + 1;
    if (byte < printable) return doubt;
    if (byte !== backslash) continue;
    next = escapeEnd(text, next) - 1;
    if (next < 0) return doubt;
  }
}

/** As `textEnd`, of so many characters. */
const countedEnd =
  (least: number, most: number): ValueEnd =>
  (text, at) => {
    if (text[at] !== quote) return doubt;
    let count = 0;
    for (let next = at + 1; ; next += 1) {
      const byte = text[next] as number;
      if (byte === quote) return count >= least && count <= most ? next + 1 : doubt;
      if (byte < printable) return doubt;
      // A byte that goes on with a character counts nothing.
      if ((byte & 0xc0) !== 0x80) count += 1;
      if (byte !== backslash) continue;
      next = escapeEnd(text, next) - 1;
      if (next < 0) return doubt;
    }
  };

/** A text of nothing but ASCII without escapes. */
function asciiEnd(text: Buffer, at: number): number {
  if (text[at] !== quote) return doubt;
  for (let next = at + 1; ; next += 1) {
    const byte = text[next] as number;
    if (byte === quote) return next + 1;
    if (byte < printable || byte > 126 || byte === backslash) return doubt;
  }
}

/** Those of one letter. */
const simpleEscapes = Buffer.from('"\\/bfnrt');

/** The byte behind an escape. Half a character, a control character and NUL are left in doubt. */
function escapeEnd(text: Buffer, at: number): number {
  const letter = text[at + 1] as number;
  if (simpleEscapes.includes(letter)) return at + 2;
  if (letter !== 117) return doubt;
  const digits = text.toString("latin1", at + 2, at + 6);
  if (!/^[0-9a-fA-F]{4}$/.test(digits)) return doubt;
  const code = Number.parseInt(digits, 16);
  return code < printable || (code >= 0xd800 && code <= 0xdfff) ? doubt : at + 6;
}

/** Bounds are of the column's type, and so exact. */
function numberValue(end: ValueEnd, { min, max }: Column): PlainValue | undefined {
  if (min === undefined && max === undefined) return { end, copy: copyBytes };
  if (![min, max].every((bound) => bound === undefined || isPlainBound(bound))) return undefined;
  const least = Number(min ?? Number.NEGATIVE_INFINITY);
  const most = Number(max ?? Number.POSITIVE_INFINITY);
  const bounded: ValueEnd = (text, at) => {
    const found = end(text, at);
    if (found === doubt) return doubt;
    const value = Number(text.toString("latin1", at, found));
    return value >= least && value <= most ? found : doubt;
  };
  return { end: bounded, copy: copyBytes };
}

function isPlainBound(bound: number | string): boolean {
  return /^-?[0-9]{1,15}([.][0-9]{1,15})?$/.test(String(bound)) && Number.isFinite(Number(bound));
}

/** Behind the digits from `at` on, one at least; a zero in front of others is no JSON, and the byte behind it shows that. */
function wholePartEnd(text: Buffer, at: number): number {
  if (text[at] === zero) return at + 1;
  let next = at;
  while (isDigit(text[next])) next += 1;
  return next === at ? doubt : next;
}

/** So many digits fit whatever they are. A negative zero is left in doubt. */
const wholeEnd =
  (digits: number): ValueEnd =>
  (text, at) => {
    const start = text[at] === minus ? at + 1 : at;
    const end = wholePartEnd(text, start);
    if (end === doubt || end - start > digits) return doubt;
    return start > at && text[start] === zero ? doubt : end;
  };

/** Whole numbers beyond are more than the engine reads as one. */
const wholeDigitsMax = 18;
/** A longer number may be one that the engine keeps as text. */
const doubleBytesMax = 40;

function doubleEnd(text: Buffer, at: number): number {
  const start = text[at] === minus ? at + 1 : at;
  const whole = wholePartEnd(text, start);
  if (whole === doubt || whole - start > wholeDigitsMax) return doubt;
  let end = whole;
  if (text[end] === point) {
    end += 1;
    while (isDigit(text[end])) end += 1;
    if (end === whole + 1) return doubt;
  }
  if (text[end] === 101 || text[end] === 69) end = exponentEnd(text, end);
  if (end === doubt || end - at > doubleBytesMax) return doubt;
  return start > at && !hasNonZero(text, start, end) ? doubt : end;
}

/** Of one digit or two: no double is too large or too small then. */
function exponentEnd(text: Buffer, at: number): number {
  const start = text[at + 1] === minus || text[at + 1] === plus ? at + 2 : at + 1;
  if (!isDigit(text[start])) return doubt;
  return isDigit(text[start + 1]) ? start + 2 : start + 1;
}

function hasNonZero(text: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if ((text[at] as number) > zero) return true;
  return false;
}

/** The engine reads numbers as doubles, of which it writes small ones with an exponent, and these are no decimals. */
function decimalEnd({ precision = 18, scale = 3 }: Column): ValueEnd {
  return (text, at) => {
    const start = text[at] === minus ? at + 1 : at;
    const whole = wholePartEnd(text, start);
    if (whole === doubt || whole - start > precision - scale) return doubt;
    let end = whole;
    if (text[end] === point) {
      end += 1;
      while (isDigit(text[end])) end += 1;
      if (end === whole + 1 || end - whole - 1 > scale) return doubt;
    }
    if (end - start > 15 || (text[start] === zero && end > whole + 4)) return doubt;
    return start > at && !hasNonZero(text, start, end) ? doubt : end;
  };
}

const [trueBytes, falseBytes] = [Buffer.from("true"), Buffer.from("false")];

function booleanEnd(text: Buffer, at: number): number {
  if (holds(text, at, trueBytes)) return at + trueBytes.length;
  return holds(text, at, falseBytes) ? at + falseBytes.length : doubt;
}

/** Whether these bytes stand at `at`. */
export function holds(text: Buffer, at: number, bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index += 1) if (text[at + index] !== bytes[index]) return false;
  return true;
}

/** Two digits as a number; NaN where they are none. */
function two(text: Buffer, at: number): number {
  if (!isDigit(text[at]) || !isDigit(text[at + 1])) return Number.NaN;
  return ((text[at] as number) - zero) * 10 + (text[at + 1] as number) - zero;
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Behind a day of the calendar such as 2021-11-07, of a year from 1000 on; the 29th of February is the engine's to know. */
function dayEnd(text: Buffer, at: number): number {
  if (text[at] === zero || Number.isNaN(two(text, at) + two(text, at + 2))) return doubt;
  if (text[at + 4] !== minus || text[at + 7] !== minus) return doubt;
  const day = two(text, at + 8);
  return day >= 1 && day <= (monthDays[two(text, at + 5) - 1] ?? 0) ? at + 10 : doubt;
}

const [letterT, letterZ, colon, space] = [84, 90, 58, 32];

/** To the second or parts of it, in UTC or without a zone. */
function timeEnd(text: Buffer, at: number): number {
  const start = dayEnd(text, at + 1);
  if (start === doubt || (text[start] !== letterT && text[start] !== space)) return doubt;
  if (text[start + 3] !== colon || text[start + 6] !== colon) return doubt;
  const isTime = two(text, start + 1) <= 23 && two(text, start + 4) <= 59 && two(text, start + 7) <= 59;
  if (!isTime) return doubt;
  let end = start + 9;
  if (text[end] === point) {
    while (isDigit(text[end + 1])) end += 1;
    if (end === start + 9 || end > start + 15) return doubt;
    end += 1;
  }
  return quotedEnd(text, at, text[end] === letterZ ? end + 1 : end);
}

function uuidEnd(text: Buffer, at: number): number {
  const isUuid = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(text.toString("latin1", at + 1, at + 37));
  return isUuid ? quotedEnd(text, at, at + 37) : doubt;
}
