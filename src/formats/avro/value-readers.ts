import { limit } from "../../core/limit.ts";
import { type Cursor, ValueFault } from "./cursor.ts";
import { clockText, dayText, decimalText, type TimeUnit, timestampText, timeUnits, uuidText } from "./logical.ts";

/** Reads one value and gives it as JSON text. */
export type ReadText = (cursor: Cursor) => string;

/** How values of a type are read. */
export interface ValueReader {
  readonly read: ReadText;
  /**
   * The same for a field that becomes a column and no JSON value, where that differs: decimals keep their zeros. With
   * `mark` the column is one of days or times: these have it in front then, and no zone, as all such columns are in UTC.
   */
  readonly readColumn?: (cursor: Cursor, mark: string | undefined) => string;
}

/** Numbers and words take about as much. */
const shortChars = 8;

export const primitives: ReadonlyMap<string, ValueReader> = new Map<string, ValueReader>([
  ["null", { read: (cursor) => cursor.made("null") }],
  ["boolean", { read: booleanText }],
  ["int", { read: (cursor) => counted(cursor, String(cursor.int())) }],
  ["long", { read: (cursor) => counted(cursor, String(cursor.long())) }],
  ["float", { read: (cursor) => numberText(cursor, cursor.float()) }],
  ["double", { read: (cursor) => numberText(cursor, cursor.double()) }],
  ["bytes", { read: (cursor) => bytesText(cursor, cursor.sized()) }],
  ["string", { read: stringText }],
]);

function counted(cursor: Cursor, text: string): string {
  cursor.make(shortChars);
  return text;
}

function booleanText(cursor: Cursor): string {
  const byte = cursor.byte();
  if (byte > 1) throw new ValueFault("malformed", `a boolean is ${byte} and neither 0 nor 1`);
  return counted(cursor, byte === 1 ? "true" : "false");
}

/** JSON has no word for what is no number; the text of it fits no column of numbers. */
function numberText(cursor: Cursor, value: number): string {
  if (Number.isFinite(value)) return counted(cursor, Object.is(value, -0) ? "-0.0" : String(value));
  return cursor.made(`"${value}"`);
}

function bytesText(cursor: Cursor, bytes: Buffer): string {
  return cursor.made(`"${bytes.toString("base64")}"`);
}

function stringText(cursor: Cursor): string {
  return cursor.made(JSON.stringify(cursor.string()));
}

/** Name of the logical type of strings that hold JSON: of our own values; `Json` of Debezium's says the same. */
export const jsonType = "json";

/** JSON as it is, on one line. */
function jsonText(cursor: Cursor): string {
  const text = cursor.string();
  try {
    JSON.parse(text);
  } catch {
    // The words of the parser would repeat a part of the value.
    throw new ValueFault("malformed", "a string that is to hold JSON holds none");
  }
  return cursor.made(text.replaceAll(/[\r\n]/g, " "));
}

export function fixedReader(size: number): ValueReader {
  return { read: (cursor) => bytesText(cursor, cursor.take(size)) };
}

export function uuidReader(): ValueReader {
  return { read: (cursor) => cursor.made(`"${uuidText(cursor.take(16))}"`) };
}

/** `size` of a fixed; undefined for bytes, which say how many they are. */
export function decimalReader(scale: number, size: number | undefined): ValueReader {
  const digits = (cursor: Cursor): string => {
    const bytes = size === undefined ? cursor.sized() : cursor.take(size);
    if (bytes.byteLength > limit.avroDecimalBytes) {
      throw new ValueFault("malformed", `a decimal has more than ${limit.avroDecimalBytes} bytes`);
    }
    return cursor.made(decimalText(bytes, scale));
  };
  return { read: digits, readColumn: (cursor) => `"${digits(cursor)}"` };
}

/** `zone` stands behind the text, where the column is not one of times. */
function timed(iso: (cursor: Cursor) => string, zone = ""): ValueReader {
  return {
    read: (cursor) => cursor.made(`"${iso(cursor)}${zone}"`),
    readColumn: (cursor, mark) =>
      cursor.made(JSON.stringify(`${mark ?? ""}${iso(cursor)}${mark === undefined ? zone : ""}`)),
  };
}

/** Readers of logical types by type and name: https://avro.apache.org/docs/1.12.0/specification/#logical-types */
export const logicalReaders: ReadonlyMap<string, ValueReader> = new Map<string, ValueReader>([
  [`string ${jsonType}`, { read: jsonText }],
  ["int date", timed((cursor) => dayText(cursor.int()))],
  ["int time-millis", { read: (cursor) => cursor.made(`"${clockText(cursor.int(), "millis")}"`) }],
  ["long time-micros", { read: (cursor) => cursor.made(`"${clockText(cursor.long(), "micros")}"`) }],
  ...(Object.keys(timeUnits) as TimeUnit[]).flatMap((unit): [string, ValueReader][] => [
    [`long timestamp-${unit}`, timed((cursor) => timestampText(cursor.long(), unit), "Z")],
    [`long local-timestamp-${unit}`, timed((cursor) => timestampText(cursor.long(), unit))],
  ]),
]);

export function enumReader(symbols: readonly string[]): ValueReader {
  const texts = symbols.map((symbol) => JSON.stringify(symbol));
  return { read: (cursor) => cursor.made(texts[cursor.index(texts.length, "symbol")] as string) };
}

export function unionReader(branches: readonly ValueReader[]): ValueReader {
  const read: ReadText = (cursor) => branch(branches, cursor).read(cursor);
  if (branches.every(({ readColumn }) => readColumn === undefined)) return { read };
  return {
    read,
    readColumn: (cursor, mark) => {
      const one = branch(branches, cursor);
      return one.readColumn === undefined ? one.read(cursor) : one.readColumn(cursor, mark);
    },
  };
}

function branch(branches: readonly ValueReader[], cursor: Cursor): ValueReader {
  return branches[cursor.index(branches.length, "branch")] as ValueReader;
}

export function arrayReader(items: ValueReader): ValueReader {
  return { read: (cursor) => `[${blocksText(cursor, items.read)}]` };
}

export function mapReader(values: ValueReader): ValueReader {
  const entry: ReadText = (cursor) => `${stringText(cursor)}:${values.read(cursor)}`;
  return { read: (cursor) => `{${blocksText(cursor, entry)}}` };
}

function blocksText(cursor: Cursor, item: ReadText): string {
  cursor.enter();
  let text = "";
  for (let count = cursor.block(); count !== 0; count = cursor.block()) {
    for (; count > 0; count -= 1) {
      // An item may take no byte, so that bytes do not bound them.
      cursor.make(1);
      text += text === "" ? item(cursor) : `,${item(cursor)}`;
    }
  }
  cursor.leave();
  return text;
}

export interface FieldReader {
  readonly name: string;
  readonly reader: ValueReader;
}

export function recordReader(fields: readonly FieldReader[]): ValueReader {
  const keys = fields.map(({ name }, index) => `${index === 0 ? "" : ","}${JSON.stringify(name)}:`);
  const keyChars = keys.reduce((sum, key) => sum + key.length, 2);
  return {
    read: (cursor) => {
      cursor.enter();
      cursor.make(keyChars);
      let text = "{";
      for (let index = 0; index < fields.length; index += 1) {
        text += keys[index] as string;
        text += (fields[index] as FieldReader).reader.read(cursor);
      }
      cursor.leave();
      return `${text}}`;
    },
  };
}
