import avro from "avsc";
import type { Contract } from "../../../src/core/contract.ts";
import { limit } from "../../../src/core/limit.ts";
import { avroMessages } from "../../../src/formats/avro/messages.ts";
import type { DecodedMessages } from "../../../src/ports/messages.ts";
import type { RegisteredSchema, SchemaRegistry } from "../../../src/ports/schemas.ts";

/** A registry of this process, for tests of what is done with its schemas. */
export class LocalRegistry implements SchemaRegistry {
  readonly shown = "local:registry";
  readonly asked: number[][] = [];
  readonly subjects: string[] = [];
  readonly #schemas: RegisteredSchema[] = [];

  /** Its id. */
  add(schema: unknown, more: Partial<RegisteredSchema> = {}): number {
    const text = typeof schema === "string" ? schema : JSON.stringify(schema);
    this.#schemas.push({ kind: "AVRO", text, references: [], ...more });
    return this.#schemas.length;
  }

  async schemas(ids: readonly number[]): Promise<ReadonlyMap<number, RegisteredSchema>> {
    this.asked.push([...ids]);
    const found = new Map<number, RegisteredSchema>();
    for (const id of ids) {
      const schema = this.#schemas[id - 1];
      if (schema !== undefined) found.set(id, schema);
    }
    return found;
  }

  async register(subject: string, schema: string): Promise<number> {
    this.subjects.push(subject);
    return this.add(schema);
  }

  async close(): Promise<void> {}
}

/** A record of these fields, as a schema. */
export function recordOf(...fields: readonly { readonly name: string; readonly type: unknown }[]): object {
  return { type: "record", name: "row", fields };
}

/** A value in the wire format, encoded by avsc. */
export function framed(id: number, schema: object, value: object): Buffer {
  return framedBytes(id, avro.Type.forSchema(schema as avro.Schema).toBuffer(value));
}

export function framedBytes(id: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(id, 1);
  return Buffer.concat([head, bytes]);
}

/** A long as Avro writes it. */
export function longBytes(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

interface Reading {
  readonly registry: SchemaRegistry;
  readonly contract?: Contract;
  readonly ignoreExtra?: boolean;
  readonly recordBytes?: number;
  readonly batchBytes?: number;
}

/** Offsets count from 100. */
export function decode(values: readonly Uint8Array[], reading: Reading): Promise<DecodedMessages> {
  const { registry, contract, ignoreExtra = false } = reading;
  const { recordBytes = 100_000, batchBytes = limit.batchBytes } = reading;
  const messages = values.map((value, index) => ({ offset: BigInt(100 + index), value }));
  const bounds = { batchBytes, recordBytes, rejectBytes: 500, batchRecords: limit.batchRecords };
  return avroMessages({ registry, contract, ignoreExtra }).decode(messages, bounds, new AbortController().signal);
}

/** The records as they go to the engine. */
export function linesOf({ records }: DecodedMessages): string[] {
  if (records.kind !== "json") throw new TypeError("not JSON");
  return Buffer.from(records.text).toString("utf8").split("\n").slice(0, -1);
}

/** Of each malformed record its number, code and message. */
export function faultsOf({ malformed }: DecodedMessages): (readonly [number, string, string])[] {
  return malformed.map(({ record, reasons: [reason] }) => [record, reason?.code ?? "", reason?.message ?? ""]);
}
