import type { Column } from "../../core/contract.ts";
import { MillraceError } from "../../core/error.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { SinkColumn } from "../../ports/rows.ts";
import type { Target } from "../../ports/sink.ts";
import { columnList, quoteName } from "./names.ts";

/**
 * Text is compared by its code points, trailing spaces included: two keys are equal only when they are the same. MySQL and
 * MariaDB have different names for it, and each takes the comment that is meant for it for SQL.
 */
export const tableOptions =
  "engine=InnoDB character set utf8mb4 /*!80017 collate utf8mb4_0900_bin */ /*M!100200 collate utf8mb4_nopad_bin */";

/** Bytes that InnoDB takes in one key, and those of a character at most. */
const keyBytesMax = 3072;
const charBytes = 4;
/** Characters of a key's text whose length the contract does not say. */
export const keyCharsDefault = 255;
/** Longer texts are not part of the row, and of shorter ones not more than so many bytes: a row has 65535 in all. */
const shortCharsMax = 255;
const shortBytesMax = 40_000;

const keyBytes: Readonly<Record<Column["type"], number>> = {
  integer: 4,
  bigint: 8,
  double: 8,
  decimal: 32,
  boolean: 1,
  date: 3,
  timestamp: 8,
  uuid: 36,
  text: 0,
  json: 0,
};

/** The type of a column that is no key, or of a key whose length does not depend on the others. */
export function columnType(column: Column): string {
  switch (column.type) {
    case "integer":
      return "int";
    case "decimal":
      return `decimal(${column.precision ?? 18},${column.scale ?? 3})`;
    case "text":
      return "longtext";
    case "timestamp":
      return "datetime(6)";
    case "uuid":
      return "char(36) character set ascii collate ascii_bin";
    default:
      return column.type;
  }
}

/** The target's columns without lineage, which follows from `target.lineage`. */
export function dataColumns(target: Target): readonly SinkColumn[] {
  return target.columns.filter((column) => column.name !== lineageColumn);
}

/** Types of all columns. Text has a length where it is short, and always in a key. Throws CONTRACT_INVALID for a key too long. */
function columnTypes(target: Target): readonly string[] {
  const keyChars = keyTextChars(target);
  let rowBytes = keyBytesMax;
  return dataColumns(target).map((column) => {
    if (column.type !== "text") return columnType(column);
    if (target.key.includes(column.name)) return `varchar(${column.maxLength ?? keyChars})`;
    const bytes = (column.maxLength ?? Number.POSITIVE_INFINITY) * charBytes;
    if (bytes > shortCharsMax * charBytes || rowBytes + bytes > shortBytesMax) return "longtext";
    rowBytes += bytes;
    return `varchar(${column.maxLength})`;
  });
}

/** Characters for each text of the key whose length the contract leaves open. */
function keyTextChars(target: Target): number {
  const keys = dataColumns(target).filter((column) => target.key.includes(column.name));
  const open = keys.filter((column) => column.type === "text" && column.maxLength === undefined).length;
  const given = keys.reduce((sum, { type, maxLength = 0 }) => sum + keyBytes[type] + maxLength * charBytes, 0);
  const chars = Math.min(keyCharsDefault, Math.floor((keyBytesMax - given) / charBytes / Math.max(open, 1)));
  if (given <= keyBytesMax && (open === 0 || chars > 0)) return chars;
  throw new MillraceError(
    "CONTRACT_INVALID",
    `The key of "${target.table}" is too long for MySQL: ${given} bytes, of at most ${keyBytesMax}`,
    {
      remedy: `Give the key's texts a smaller maxLength, together at most ${keyBytesMax / charBytes} characters.`,
      at: { table: target.table },
    },
  );
}

/** The statement that creates the target table. */
export function targetDdl(target: Target): string {
  const types = columnTypes(target);
  const lines = dataColumns(target).map(
    (column, index) => `${quoteName(column.name)} ${types[index]}${column.nullable === true ? " null" : " not null"}`,
  );
  const { serial } = target;
  if (serial !== undefined) lines.unshift(`${quoteName(serial)} bigint not null auto_increment primary key`);
  if (target.lineage) lines.push(`${quoteName(lineageColumn)} bigint null`);
  if (target.key.length > 0) {
    lines.push(`${serial === undefined ? "primary key" : "unique key"} (${columnList(target.key)})`);
  }
  if (target.lineage) lines.push(`key (${quoteName(lineageColumn)})`);
  return `create table ${quoteName(target.table)} (\n  ${lines.join(",\n  ")}\n) ${tableOptions}`;
}
