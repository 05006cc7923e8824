import { createHash } from "node:crypto";
import type { Json } from "../../core/json.ts";

/**
 * JSON text that jsonb takes: PostgreSQL's text has no NUL and no half of a surrogate pair, which a failing value may
 * well hold. NUL is shown as its symbol.
 */
export function jsonbText(value: unknown): string {
  const text = JSON.stringify(value);
  // Whatever is not taken is written as an escape of this kind; looking at every value of every reject would cost more.
  if (!text.includes("\\u")) return text;
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "string" ? inner.replaceAll("\0", "\u2400").toWellFormed() : inner,
  );
}

/** The very text, for columns of type json, which keep escapes as they are. */
export function jsonText(value: Json | object): string {
  return JSON.stringify(value);
}

const idCharsMax = 500;

/** A message id as a key: what text cannot hold, or an index not, goes by its hash. */
export function storedId(id: string): string {
  if (id.length <= idCharsMax && !id.includes("\0") && id.isWellFormed()) return id;
  return `sha256:${createHash("sha256").update(id, "utf16le").digest("hex")}`;
}
