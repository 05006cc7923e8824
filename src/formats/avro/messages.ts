import type { Contract } from "../../core/contract.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Reason, Reject } from "../../core/reject.ts";
import type { DecodedMessages, Message, MessageBounds, MessageFormat } from "../../ports/messages.ts";
import type { RegisteredSchema, SchemaRegistry } from "../../ports/schemas.ts";
import type { RecordAt } from "../../ports/source.ts";
import { ValueFault } from "./cursor.ts";
import { readSchema, SchemaFault } from "./read-schema.ts";
import { limit } from "../../core/limit.ts";
import { type RecordText, recordTextOf } from "./record-text.ts";
import { SchemaCache } from "./schema-cache.ts";
import { schemaIdOf } from "./wire.ts";

export interface AvroMessagesOptions {
  readonly registry: SchemaRegistry;
  /** Whose columns the fields become; undefined while it is still to be inferred. */
  readonly contract: Contract | undefined;
  /** Fields that the contract lacks are dropped instead of making the record a reject. */
  readonly ignoreExtra: boolean;
}

/** Avro values in the wire format of schema registries, each by the schema that it was written with. */
export function avroMessages(options: AvroMessagesOptions): MessageFormat {
  return new AvroMessages(options);
}

/** How the values of a schema are read, or why they cannot be. */
type Usable = RecordText | { readonly fault: string };

class AvroMessages implements MessageFormat {
  readonly #registry: SchemaRegistry;
  readonly #format: JsonObject;
  readonly #ignoreExtra: boolean;
  readonly #schemas: SchemaCache<Usable>;

  constructor({ registry, contract, ignoreExtra }: AvroMessagesOptions) {
    this.#registry = registry;
    this.#ignoreExtra = ignoreExtra;
    this.#format = { format: "avro", registry: registry.shown, ...(ignoreExtra ? { ignoreExtra } : {}) };
    this.#schemas = new SchemaCache(registry, (schema) => usable(schema, contract, ignoreExtra));
  }

  async decode(messages: readonly Message[], bounds: MessageBounds, signal: AbortSignal): Promise<DecodedMessages> {
    const { ids, count } = this.#idsOf(messages, bounds);
    const schemas = await this.#schemas.of(new Set(ids.filter((id) => typeof id === "number")), signal);
    const batch = new Batch(bounds);
    for (let index = 0; index < count && !batch.isFull; index += 1) {
      const message = messages[index] as Message;
      const id = ids[index] as number | string;
      if (typeof id === "string") batch.refuse(message, { code: "malformed", message: id });
      else batch.add(message, schemas.get(id) ?? { fault: `is not known to ${this.#registry.shown}` }, id);
    }
    return batch.decoded(this.#format, this.#ignoreExtra);
  }

  /** Schema ids, or what is wrong, of messages from the first on: those that do not bring too many new schemas. */
  #idsOf(messages: readonly Message[], bounds: MessageBounds): { ids: (number | string)[]; count: number } {
    const ids: (number | string)[] = [];
    const fresh = new Set<number>();
    for (const { value } of messages) {
      const id = schemaIdOf(value);
      if (typeof id === "number" && !this.#schemas.has(id)) fresh.add(id);
      if (fresh.size > limit.schemasAtOnce || ids.length >= bounds.batchRecords) break;
      ids.push(id);
    }
    return { ids, count: ids.length };
  }
}

function usable(schema: RegisteredSchema, contract: Contract | undefined, ignoreExtra: boolean): Usable {
  try {
    return recordTextOf(readSchema(schema), contract, ignoreExtra);
  } catch (error) {
    if (error instanceof SchemaFault) return { fault: `cannot be used: ${error.message}` };
    // The stack does not hold what is nested so deep.
    if (error instanceof RangeError) return { fault: "cannot be used: it is nested too deep" };
    throw error;
  }
}

/** A batch as it grows, message by message. */
class Batch {
  readonly #bounds: MessageBounds;
  readonly #lines: string[] = [];
  readonly #good: number[] = [];
  readonly #taken: Message[] = [];
  readonly #malformed: Reject[] = [];
  /** Made of the messages, in characters; that of values which were given up counts too, as it took its time. */
  #chars = 0;
  #sizeBytes = 0;

  constructor(bounds: MessageBounds) {
    this.#bounds = bounds;
  }

  get isFull(): boolean {
    return this.#chars >= this.#bounds.batchBytes;
  }

  add(message: Message, schema: Usable, id: number): void {
    if ("fault" in schema) {
      this.refuse(message, { code: "schema", message: `its schema ${id} ${schema.fault}` });
      return;
    }
    const cursor = schema.cursor(message.value, this.#bounds.recordBytes);
    try {
      const line = schema.read(cursor);
      this.#good.push(this.#taken.length);
      this.#lines.push(line);
      this.#take(message);
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error;
      this.refuse(message, { code: error.code, message: error.message });
    }
    this.#chars += cursor.chars;
  }

  refuse(message: Message, reason: Reason): void {
    const { rejectBytes } = this.#bounds;
    const { line, offset, bytes } = recordAt(message);
    this.#malformed.push({
      record: this.#taken.length,
      ...{ line, offset },
      // Copied: a reject outlives the batch's bytes.
      bytes: new Uint8Array(bytes.subarray(0, rejectBytes)),
      truncated: bytes.byteLength > rejectBytes,
      reasons: [reason],
    });
    this.#take(message);
  }

  decoded(format: JsonObject, ignoreExtra: boolean): DecodedMessages {
    const good = this.#good;
    const taken = this.#taken;
    const text = Buffer.from(this.#lines.join(""), "utf8");
    return {
      read: taken.length,
      sizeBytes: this.#sizeBytes,
      records: { kind: "json", text, times: true, ...(ignoreExtra ? { ignoreExtra } : {}) },
      count: good.length,
      malformed: this.#malformed,
      recordOf: (index) => good[index] as number,
      at: (index) => recordAt(taken[good[index] as number] as Message),
      format,
    };
  }

  #take(message: Message): void {
    this.#taken.push(message);
    this.#sizeBytes += message.value.byteLength;
  }
}

function recordAt({ offset, value }: Message): RecordAt {
  return { line: undefined, offset, bytes: value };
}
