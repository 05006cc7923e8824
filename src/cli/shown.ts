import { jsonValue } from "../core/json-value.ts";
import type { EngineValue } from "../ports/engine.ts";

/** Control characters, and those that turn the direction of writing: they could make a terminal show what is not there. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const hostile = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const names: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text from data, files or servers as it may go to a terminal: control characters stand as `\n` or `\u001b`. */
export function safeText(text: string): string {
  return text.replace(hostile, (char) => names[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const doubleWidth =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60]$/u;

function charWidth(char: string): number {
  if (char <= "\u02ff") return 1;
  if (zeroWidth.test(char)) return 0;
  return doubleWidth.test(char) ? 2 : 1;
}

/** Columns that the text takes in a terminal. */
export function textWidth(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** The text cut to `width` columns, with `…` as the last one when something is missing. */
export function clip(text: string, width: number): string {
  let taken = 0;
  let kept = "";
  for (const char of text) {
    const next = taken + charWidth(char);
    if (next > width - 1) return textWidth(text) <= width ? text : `${kept}…`;
    taken = next;
    kept += char;
  }
  return kept;
}

/** A value of a row as people read it. */
export function valueText(value: EngineValue): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return safeText(value);
  if (value instanceof Uint8Array)
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`;
  if (typeof value === "object") return safeText(JSON.stringify(jsonValue(value)));
  return String(value);
}
