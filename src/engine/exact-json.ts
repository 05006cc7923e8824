/**
 * DuckDB reads the numbers of JSON as doubles when it takes a value out: `999999999999999.999` becomes
 * `1000000000000000.0`. Values that a double would change are therefore handed over as JSON strings that hold the
 * value's own text behind this mark, and taken out again as they are.
 */
export const exactMark = "\u0001millrace:exact:";

/** Digits of a decimal that every double keeps. */
const safeDigits = 15;
/** What a number of more digits than that, with a point among them, looks like; a long code in a string does too. */
const suspicious = /[0-9.]{17,}/g;
const lineEnd = 10;

export interface ExactJson {
  readonly text: Uint8Array;
  /** Whether any value carries the mark. */
  readonly marked: boolean;
}

/** One JSON text per line in, the same out, with the values marked that a double would change. */
export function exactJson(text: Uint8Array): ExactJson {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const pieces: Uint8Array[] = [];
  let kept = 0;
  for (const { index } of bytes.toString("latin1").matchAll(suspicious)) {
    if (index < kept) continue; // in a line that is done
    const start = index === 0 ? 0 : bytes.lastIndexOf(lineEnd, index) + 1;
    const found = bytes.indexOf(lineEnd, index);
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
