import type { EngineParameter } from "../../ports/engine.ts";

/** What may stand in the place of a `?`; a list becomes its members, parted by commas. */
export type Bound = EngineParameter | undefined | readonly EngineParameter[];

// What a backslash means depends on the session's sql_mode: text with one goes as its bytes.
const plain = /^[^\\\0]*$/;

/** A value as SQL. Numbers stand as they are, so that none passes through a type that would round it. */
export function literal(value: EngineParameter): string {
  if (value === null) return "null";
  if (typeof value === "string") return textLiteral(value);
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return bytesLiteral(value);
}

function textLiteral(text: string): string {
  if (plain.test(text)) return `'${text.replaceAll("'", "''")}'`;
  return `_utf8mb4 ${bytesLiteral(Buffer.from(text))}`;
}

export function bytesLiteral(bytes: Uint8Array): string {
  return `x'${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}'`;
}

/** Quoted texts and names of the adapter's own statements, and what stands for a value. */
const marks = /'(?:[^']|'')*'|`(?:[^`]|``)*`|\?/g;

/** `sql` with the values in the place of its `?`s. An empty list is `null`, which equals nothing. */
export function bind(sql: string, values: readonly Bound[]): string {
  if (values.length === 0) return sql;
  let next = 0;
  return sql.replace(marks, (mark) => (mark === "?" ? boundText(values[next++]) : mark));
}

function boundText(value: Bound): string {
  if (value === undefined) return "null";
  if (!isList(value)) return literal(value);
  return value.length === 0 ? "null" : value.map(literal).join(", ");
}

function isList(value: Exclude<Bound, undefined>): value is readonly EngineParameter[] {
  return Array.isArray(value);
}

/** Texts, quoted names and comments, as MySQL reads them, and what stands for a parameter. */
const parts = /'(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*"|`[^`]*`|--(?=\s)[^\n]*|#[^\n]*|\/\*[^]*?\*\/|\$(\d+)\b/g;

/** A statement of the place's dialect with its parameters `$1`, `$2`, … in; what is quoted stays as it is. */
export function bindNumbered(sql: string, values: readonly EngineParameter[]): string {
  if (values.length === 0) return sql;
  return sql.replace(parts, (part: string, number: string | undefined) => {
    if (number === undefined) return part;
    const value = values[Number(number) - 1];
    return value === undefined ? part : literal(value);
  });
}
