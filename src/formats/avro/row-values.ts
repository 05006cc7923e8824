import type { EngineRow, EngineValue } from "../../ports/engine.ts";
import type { ValueFormat } from "../../ports/messages.ts";
import type { SinkColumn } from "../../ports/rows.ts";
import type { SchemaRegistry } from "../../ports/schemas.ts";
import { type AvroSchema, avroSchema } from "./schema.ts";
import { jsonType } from "./value-readers.ts";
import { type AvroValue, recordType, unscaledBytes } from "./values.ts";
import { headBytes, writeHead } from "./wire.ts";

export interface AvroRowValuesOptions {
  readonly registry: SchemaRegistry;
  /** The name of the log, such as the topic. */
  readonly topic: string;
  /** The table that the rows are of: the schema's name. */
  readonly table: string;
  readonly columns: readonly SinkColumn[];
}

/**
 * Rows as Avro in the wire format of schema registries. The schema is that of `messageSchema`, registered as
 * `<topic>-value` before the first row is written.
 */
export function avroRowValues(options: AvroRowValuesOptions): ValueFormat {
  return new AvroRowValues(options);
}

/** The schema of `avroSchema`; of a json column it says besides that the text is JSON, which readers may ignore. */
function messageSchema(table: string, columns: readonly SinkColumn[]): AvroSchema {
  const schema = avroSchema(table, columns);
  const fields = schema.fields.map((field, index) => {
    const { type, nullable } = columns[index] as SinkColumn;
    if (type !== "json") return field;
    const named = { type: "string", logicalType: jsonType } as const;
    return { ...field, type: nullable === true ? (["null", named] as const) : named };
  });
  return { ...schema, fields };
}

const firstBytes = 4096;

class AvroRowValues implements ValueFormat {
  readonly #registry: SchemaRegistry;
  readonly #subject: string;
  readonly #schema: AvroSchema;
  readonly #type: ReturnType<typeof recordType>;
  readonly #fields: readonly FieldValue[];
  #id: Promise<number> | undefined;
  /** A record is written here and then copied, as its size is known only then. */
  #room = Buffer.allocUnsafeSlow(firstBytes);

  constructor({ registry, topic, table, columns }: AvroRowValuesOptions) {
    this.#registry = registry;
    this.#subject = `${topic}-value`;
    this.#schema = messageSchema(table, columns);
    this.#type = recordType(this.#schema);
    this.#fields = this.#schema.fields.map(({ name }, index) => fieldValue(name, columns[index] as SinkColumn));
  }

  async encode(rows: readonly EngineRow[]): Promise<readonly Uint8Array[]> {
    const id = await this.#registered();
    return rows.map((row) => this.#value(id, row));
  }

  /** Asked once; again only where that failed. */
  async #registered(): Promise<number> {
    this.#id ??= this.#registry.register(this.#subject, JSON.stringify(this.#schema));
    try {
      return await this.#id;
    } catch (error) {
      this.#id = undefined;
      throw error;
    }
  }

  #value(id: number, row: EngineRow): Uint8Array {
    const record: Record<string, AvroValue> = {};
    for (const { field, column, toAvro } of this.#fields) {
      const value = row[column] ?? null;
      record[field] = value === null ? null : toAvro(value);
    }
    let end = this.#type.encode(record, this.#room, headBytes);
    if (end < 0) {
      this.#room = Buffer.allocUnsafeSlow(2 * (this.#room.byteLength - end));
      end = this.#type.encode(record, this.#room, headBytes);
    }
    writeHead(id, this.#room);
    return new Uint8Array(this.#room.subarray(0, end));
  }
}

interface FieldValue {
  readonly field: string;
  readonly column: string;
  readonly toAvro: (value: EngineValue) => AvroValue;
}

function fieldValue(field: string, column: SinkColumn): FieldValue {
  return { field, column: column.name, toAvro: converter(column) };
}

function converter({ type, scale = 3 }: SinkColumn): FieldValue["toAvro"] {
  switch (type) {
    case "integer":
    case "double":
      return Number;
    case "bigint":
      return (value) => BigInt(value as bigint);
    case "boolean":
      return Boolean;
    case "decimal":
      return (value) => unscaledBytes(withDigits(textOf(value), scale));
    case "date":
      return (value) => dayOf(textOf(value));
    case "timestamp":
      return (value) => microsOf(textOf(value));
    case "text":
    case "uuid":
    case "json":
      return textOf;
  }
}

function textOf(value: EngineValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function withDigits(text: string, scale: number): string {
  const [whole = "", fraction = ""] = text.split(".");
  return `${whole}${fraction.padEnd(scale, "0")}`;
}

const dayMs = 86_400_000;
const isoDay = /^(\d+)-(\d\d)-(\d\d)( \(BC\))?$/;
/** The engine writes `0044-03-15T(BC) 10:00:00`. */
const isoTime = /^(\d+-\d\d-\d\d)[T ](\(BC\) )?(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/;

/** Days since 1970-01-01. */
function dayOf(text: string): number {
  const [, year, month, day, era] = isoDay.exec(text) ?? [];
  if (year === undefined) throw new TypeError(`${text} is no day`);
  const date = new Date(0);
  // The year before 1 is 1 BC, which counts as 0. Not Date.UTC, which takes the year 44 for 1944.
  date.setUTCFullYear(era === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day));
  return date.getTime() / dayMs;
}

/** Microseconds since 1970-01-01T00:00:00. */
function microsOf(text: string): bigint {
  const [, day, era, hours, minutes, seconds, fraction = ""] = isoTime.exec(text) ?? [];
  if (day === undefined) throw new TypeError(`${text} is no time`);
  const ofDay = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  return (
    (BigInt(dayOf(era === undefined ? day : `${day} (BC)`)) * 86_400n + BigInt(ofDay)) * 1_000_000n +
    BigInt(fraction.padEnd(6, "0"))
  );
}
