/** Writes the value of JSON between two bytes as a field of CSV; gives where the next byte goes. Never more than the value's bytes. */
export type ValueCopy = (from: Buffer, start: number, end: number, to: Uint8Array, at: number) => number;

/** Numbers and truth values are the same in both. */
export function copyBytes(from: Buffer, start: number, end: number, to: Uint8Array, at: number): number {
  let next = at;
  for (let index = start; index < end; index += 1) {
    to[next] = from[index] as number;
    next += 1;
  }
  return next;
}

const quote = 34;
const backslash = 92;

/** JSON's quotes are those of CSV; only escapes are written otherwise. */
export function copyText(from: Buffer, start: number, end: number, to: Uint8Array, at: number): number {
  let next = at;
  for (let index = start; index < end; index += 1) {
    const byte = from[index] as number;
    if (byte === backslash) {
      next = copyEscape(from, index, to, next);
      index += from[index + 1] === letterU ? 5 : 1;
    } else {
      to[next] = byte;
      next += 1;
    }
  }
  return next;
}

const letterU = 117;
const meanings = new Map(["b\b", "f\f", "n\n", "r\r", "t\t"].map((pair) => [pair.charCodeAt(0), pair.charCodeAt(1)]));

function copyEscape(from: Buffer, index: number, to: Uint8Array, at: number): number {
  const letter = from[index + 1] as number;
  if (letter !== letterU) return copyCharacter(meanings.get(letter) ?? letter, to, at);
  const digits = from.toString("latin1", index + 2, index + 6);
  return copyCharacter(Number.parseInt(digits, 16), to, at);
}

/** In UTF-8; a quote is doubled. */
function copyCharacter(code: number, to: Uint8Array, at: number): number {
  if (code === quote) to[at + 1] = quote;
  if (code < 0x80) {
    to[at] = code;
    return code === quote ? at + 2 : at + 1;
  }
  const last = 0x80 | (code & 0x3f);
  if (code < 0x800) {
    to[at] = 0xc0 | (code >> 6);
    to[at + 1] = last;
    return at + 2;
  }
  to[at] = 0xe0 | (code >> 12);
  to[at + 1] = 0x80 | ((code >> 6) & 0x3f);
  to[at + 2] = last;
  return at + 3;
}

export function copyDay(from: Buffer, start: number, end: number, to: Uint8Array, at: number): number {
  return copyBytes(from, start + 1, end - 1, to, at);
}

const [zero, point, space, letterZ] = [48, 46, 32, 90];
/** Bytes of a day, and of a day and a time to the second. */
const [dayBytes, secondBytes] = [10, 19];

/** As the engine writes it: a blank before the time, no zone, no zeros at the end of parts of a second. */
export function copyTime(from: Buffer, start: number, end: number, to: Uint8Array, at: number): number {
  let last = end - 1;
  if (from[last - 1] === letterZ) last -= 1;
  if (last - start - 1 > secondBytes) {
    while (from[last - 1] === zero) last -= 1;
    if (from[last - 1] === point) last -= 1;
  }
  const next = copyBytes(from, start + 1, last, to, at);
  to[at + dayBytes] = space;
  return next;
}

/** A UUID has small letters. */
export function copyLower(from: Buffer, start: number, end: number, to: Uint8Array, at: number): number {
  const next = copyBytes(from, start + 1, end - 1, to, at);
  for (let index = at; index < next; index += 1) {
    const byte = to[index] as number;
    if (byte >= 65 && byte <= 70) to[index] = byte + 32;
  }
  return next;
}
