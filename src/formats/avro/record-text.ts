import type { Column, Contract } from "../../core/contract.ts";
import { timeMark } from "../../ports/source.ts";
import { Cursor, ValueFault } from "./cursor.ts";
import type { MessageSchema } from "./read-schema.ts";
import { avroSchema } from "./schema.ts";
import type { FieldReader } from "./value-readers.ts";
import { headBytes } from "./wire.ts";

/** How the messages of a schema become lines of JSON, one object each. */
export interface RecordText {
  /** At the start of the message's value. */
  cursor(value: Uint8Array, charsMax: number): Cursor;
  /** Throws a ValueFault. */
  read(cursor: Cursor): string;
}

/** A field of a record on its way to a column. */
interface FieldText {
  /** What stands in front of the value; undefined for a field that is read and dropped. */
  readonly key: string | undefined;
  readonly read: (cursor: Cursor) => string;
}

/** Fields become columns of their name, or of the name that a column has in Avro: see `avroSchema`. */
export function recordTextOf(
  { branches, isUnion }: MessageSchema,
  contract: Contract | undefined,
  ignoreExtra: boolean,
): RecordText {
  const columnOf = columnFinder(contract);
  const records = branches.map((fields) => fields?.map((field) => fieldText(field, columnOf, ignoreExtra)));
  return {
    cursor: (value, charsMax) => new Cursor(value, headBytes, charsMax),
    read: (cursor) => {
      const fields = records[isUnion ? cursor.index(records.length, "branch") : 0];
      if (fields === undefined) throw new ValueFault("malformed", "is not a record");
      const line = objectLine(fields, cursor);
      if (cursor.left === 0) return line;
      throw new ValueFault("malformed", `goes on for ${cursor.left} bytes behind its record`);
    },
  };
}

function objectLine(fields: readonly FieldText[], cursor: Cursor): string {
  cursor.enter();
  let text = "";
  for (const { key, read } of fields) {
    const value = read(cursor);
    if (key === undefined) continue;
    cursor.make(key.length + 1);
    text += text === "" ? key + value : `,${key}${value}`;
  }
  cursor.leave();
  return `{${text}}\n`;
}

type ColumnFinder = (field: string) => (Column & { readonly name: string }) | undefined;

function fieldText({ name, reader }: FieldReader, columnOf: ColumnFinder | undefined, ignoreExtra: boolean): FieldText {
  const column = columnOf?.(name);
  const isDropped = ignoreExtra && columnOf !== undefined && column === undefined;
  const key = isDropped ? undefined : `${JSON.stringify(column?.name ?? name)}:`;
  const { readColumn } = reader;
  if (readColumn === undefined || column === undefined || column.type === "json") return { key, read: reader.read };
  const isTime = column.type === "date" || column.type === "timestamp";
  const mark = isTime ? (column.format === undefined ? "" : timeMark) : undefined;
  return { key, read: (cursor) => readColumn(cursor, mark) };
}

/** The column that a field of a record becomes; undefined where columns are still to be found out. */
function columnFinder(contract: Contract | undefined): ColumnFinder | undefined {
  if (contract === undefined) return undefined;
  const columns = Object.entries(contract.columns).map(([name, column]) => ({ ...column, name }));
  const byName = new Map(columns.map((column) => [column.name, column]));
  const { fields } = avroSchema(contract.table, columns);
  const byAvroName = new Map(fields.map(({ name }, index) => [name, columns[index]]));
  return (field) => byName.get(field) ?? byAvroName.get(field);
}
