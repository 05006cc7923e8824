import type { Json } from "./json.ts";
import { limit } from "./limit.ts";

/** The key, or the beginning of keys, as a store keeps it. Throws a TypeError for one that not every store can keep. */
export function storeKey(key: string): string {
  if (key.length > limit.storeKeyChars) {
    throw new TypeError(`A key of ${key.length} characters is longer than ${limit.storeKeyChars}`);
  }
  // PostgreSQL has no NUL in texts, and UTF-8 no half of a surrogate pair: two keys could become one.
  if (key.includes("\0") || !key.isWellFormed()) throw new TypeError("A key holds a NUL or half a character");
  return key;
}

/** The value as the JSON text that a store keeps. Throws a TypeError when it is too long, or none. */
export function storeText(value: Json): string {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new TypeError("A value is not JSON");
  // UTF-8 has at most three bytes for a unit of UTF-16.
  const isShort = text.length * 3 <= limit.storeValueBytes;
  if (isShort || new TextEncoder().encode(text).length <= limit.storeValueBytes) return text;
  throw new TypeError(`A value of more than ${limit.storeValueBytes} bytes as JSON is too long`);
}
