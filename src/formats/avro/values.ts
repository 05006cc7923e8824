import avro from "avsc";
import type { SinkColumn } from "../../ports/rows.ts";
import { decimalText } from "./logical.ts";
import { type AvroField, type AvroSchema, avroSchema } from "./schema.ts";

/** A row of plain forms: texts or null, as `engine/row-forms` defines them and `docs/backups.md` describes them. */
type RowTexts = readonly (string | null)[];

/** What avsc takes and gives: numbers, bigints for longs, buffers for decimals. */
export type AvroValue = null | boolean | number | bigint | string | Uint8Array;

/** Between rows of plain forms and the bytes of Avro records. */
export interface RecordCodec {
  readonly schema: AvroSchema;
  /**
   * Writes the record at `at` and returns where it ends; a negative number when it does not fit, which is how many
   * bytes it lacks.
   */
  encode(row: RowTexts, into: Buffer, at: number): number;
  /** The record at `at` and where it ends. Throws when there is none. */
  decode(from: Buffer, at: number): { readonly row: RowTexts; readonly end: number };
}

export function recordCodec(table: string, columns: readonly SinkColumn[]): RecordCodec {
  const schema = avroSchema(table, columns);
  const type = recordType(schema);
  const fields = schema.fields.map((field, index) => fieldCodec(field, columns[index]));
  return {
    schema,
    encode: (row, into, at) => {
      const record: Record<string, AvroValue> = {};
      for (const [index, { name, toAvro }] of fields.entries()) {
        const text = row[index] ?? null;
        record[name] = text === null ? null : toAvro(text);
      }
      return type.encode(record, into, at);
    },
    decode: (from, at) => {
      const decoded = type.decode(from, at);
      if (decoded.offset < 0) throw new RangeError("a record ends behind its block");
      const record = decoded.value as Readonly<Record<string, AvroValue>>;
      const row = fields.map(({ name, toText }) => {
        const value = record[name] ?? null;
        return value === null ? null : toText(value);
      });
      return { row, end: decoded.offset };
    },
  };
}

/** What writes and reads records of the schema, longs as bigints. */
export function recordType(schema: AvroSchema): avro.Type {
  return avro.Type.forSchema(schema as Parameters<typeof avro.Type.forSchema>[0], { typeHook });
}

interface FieldCodec {
  readonly name: string;
  readonly toAvro: (text: string) => AvroValue;
  readonly toText: (value: AvroValue) => string;
}

function fieldCodec({ name }: AvroField, column: SinkColumn | undefined): FieldCodec {
  switch (column?.type) {
    case "integer":
    case "date":
      return { name, toAvro: Number, toText: String };
    case "bigint":
    case "timestamp":
      return { name, toAvro: BigInt, toText: String };
    case "double":
      return { name, toAvro: doubleOf, toText: (value) => bitsOf(Number(value)) };
    case "boolean":
      return { name, toAvro: (text) => text === "true", toText: String };
    case "decimal": {
      const scale = column.scale ?? 3;
      return { name, toAvro: unscaledBytes, toText: (value) => decimalText(value as Uint8Array, scale) };
    }
    default:
      return { name, toAvro: (text) => text, toText: String };
  }
}

/** Eight bytes to turn numbers in. */
const wordBytes = Buffer.alloc(8);
const word = new DataView(wordBytes.buffer, wordBytes.byteOffset, wordBytes.byteLength);

function doubleOf(bits: string): number {
  word.setBigInt64(0, BigInt(bits));
  return word.getFloat64(0);
}

function bitsOf(value: number): string {
  word.setFloat64(0, value);
  return String(word.getBigInt64(0));
}

/** Numbers below this take at most 6 bytes, which buffers write faster than bigints become any. */
const fewBytes = 2 ** 47;

/** A decimal, with all digits behind its point, as its unscaled number in two's complement, big end first. */
export function unscaledBytes(text: string): Uint8Array {
  const digits = text.replace(".", "");
  const number = Number(digits);
  if (number > -fewBytes && number < fewBytes) return smallBytes(number);
  const unscaled = BigInt(digits);
  let length = 1;
  while (BigInt.asIntN(8 * length, unscaled) !== unscaled) length += 1;
  const hex = BigInt.asUintN(8 * length, unscaled).toString(16);
  return Buffer.from(hex.padStart(2 * length, "0"), "hex");
}

function smallBytes(value: number): Uint8Array {
  let length = 1;
  // Of n bytes one bit is the sign's.
  for (let bound = 128; value >= bound || value < -bound; bound *= 256) length += 1;
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeIntBE(value, 0, length);
  return bytes;
}

/** avsc reads a long as a number, and refuses those that a number cannot hold. */
const exactLong = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => {
    wordBytes.set(bytes);
    return word.getBigInt64(0, true);
  },
  // avsc has read the bytes when it returns from here.
  toBuffer: (value: bigint) => {
    word.setBigInt64(0, value, true);
    return wordBytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === "bigint",
  compare: (a: bigint, b: bigint) => (a < b ? -1 : Number(a > b)),
});

function typeHook(schema: unknown): avro.Type | undefined {
  const isLong = schema === "long" || (schema as { readonly type?: unknown }).type === "long";
  return isLong ? exactLong : undefined;
}
