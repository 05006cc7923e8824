import { isJsonObject, type Json, type JsonObject } from "../../core/json.ts";
import { limit } from "../../core/limit.ts";
import type { RegisteredSchema } from "../../ports/schemas.ts";
import {
  arrayReader,
  decimalReader,
  enumReader,
  type FieldReader,
  fixedReader,
  jsonType,
  logicalReaders,
  mapReader,
  primitives,
  recordReader,
  unionReader,
  uuidReader,
  type ValueReader,
} from "./value-readers.ts";

/** Why a schema cannot be used. */
export class SchemaFault extends Error {}

/** What a message may be by its schema: one record, or one of several. */
export interface MessageSchema {
  /** Field lists of the records; of several, the message says which. Undefined for a branch that is no record. */
  readonly branches: readonly (readonly FieldReader[] | undefined)[];
  readonly isUnion: boolean;
}

/**
 * Compiles the schema that messages were written with: https://avro.apache.org/docs/1.12.0/specification/. Written by
 * strangers, it is bounded in size and depth. Throws a SchemaFault.
 */
export function readSchema({ kind, text, references }: RegisteredSchema): MessageSchema {
  if (kind !== "AVRO") throw new SchemaFault(`it is of the type ${kind}`);
  const compiler = new Compiler();
  for (const reference of references) compiler.compile(parsed(reference));
  const json = parsed(text);
  const isUnion = Array.isArray(json);
  const branches = isUnion ? (json as readonly Json[]) : [json];
  const fields = branches.map((branch) => compiler.fieldsOf(compiler.compile(branch)));
  if (fields.every((one) => one === undefined)) throw new SchemaFault("it is none of a record");
  return { branches: fields, isUnion };
}

function parsed(text: string): Json {
  if (text.length > limit.schemaChars) throw new SchemaFault(`it is longer than ${limit.schemaChars} characters`);
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    // The name of a type alone may stand there without quotes.
    if (/^[A-Za-z_][A-Za-z0-9_.]*$/.test(text)) return text;
    throw new SchemaFault(`it is no JSON: ${(error as Error).message}`);
  }
}

const namePattern = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;

class Compiler {
  /** By full name; a record stands here before its fields are read, as it may hold itself. */
  readonly #named = new Map<string, ValueReader>();
  readonly #fields = new Map<ValueReader, readonly FieldReader[]>();

  /** The fields of a record's reader. */
  fieldsOf(reader: ValueReader): readonly FieldReader[] | undefined {
    return this.#fields.get(reader);
  }

  compile(json: Json, namespace = "", depth = 1): ValueReader {
    if (depth > limit.avroDepth) throw new SchemaFault(`types are nested deeper than ${limit.avroDepth}`);
    if (typeof json === "string") return this.#byName(json, namespace);
    if (Array.isArray(json)) return this.#union(json as readonly Json[], namespace, depth);
    if (!isJsonObject(json)) throw new SchemaFault(`${shortly(json)} is no type`);
    return this.#byObject(json, namespace, depth);
  }

  #byName(name: string, namespace: string): ValueReader {
    const found = primitives.get(name) ?? this.#named.get(fullName(name, namespace)) ?? this.#named.get(name);
    if (found === undefined) throw new SchemaFault(`the type ${shortly(name)} is not known`);
    return found;
  }

  #union(branches: readonly Json[], namespace: string, depth: number): ValueReader {
    if (branches.length === 0) throw new SchemaFault("a union has no branch");
    if (branches.some(Array.isArray)) throw new SchemaFault("a union stands right within another");
    return unionReader(branches.map((branch) => this.compile(branch, namespace, depth + 1)));
  }

  #byObject(json: JsonObject, namespace: string, depth: number): ValueReader {
    const { type } = json as { readonly type?: Json };
    switch (type) {
      case "record":
      case "error":
        return this.#record(json, namespace, depth);
      case "enum":
        return this.#enumOf(json, namespace);
      case "fixed":
        return this.#fixed(json, namespace);
      case "array":
        return arrayReader(this.compile(given(json, "items"), namespace, depth + 1));
      case "map":
        return mapReader(this.compile(given(json, "values"), namespace, depth + 1));
      case "bytes":
        return decimalOf(json, undefined) ?? this.#byName(type, namespace);
      default:
        if (typeof type === "string") return logicalOf(json, type) ?? this.#byName(type, namespace);
        return this.compile(given(json, "type"), namespace, depth + 1);
    }
  }

  #record(json: JsonObject, namespace: string, depth: number): ValueReader {
    const name = this.#nameOf(json, namespace);
    const fields: FieldReader[] = [];
    // Made when the fields are known; until then a field may name it.
    const later: { made?: ValueReader } = {};
    const record: ValueReader = { read: (cursor) => (later.made as ValueReader).read(cursor) };
    this.#named.set(name, record);
    const within = name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : "";
    const names = new Set<string>();
    for (const field of listed(json, "fields")) {
      const one = isJsonObject(field) ? field : {};
      const fieldName = textOf(one, "name");
      if (names.has(fieldName)) throw new SchemaFault(`the field ${shortly(fieldName)} stands there twice`);
      names.add(fieldName);
      fields.push({ name: fieldName, reader: this.compile(given(one, "type"), within, depth + 1) });
    }
    later.made = recordReader(fields);
    this.#fields.set(record, fields);
    return record;
  }

  #enumOf(json: JsonObject, namespace: string): ValueReader {
    const symbols = listed(json, "symbols").map((symbol) => {
      if (typeof symbol === "string") return symbol;
      throw new SchemaFault(`${shortly(symbol)} is no symbol`);
    });
    return this.#keep(json, namespace, enumReader(symbols));
  }

  #fixed(json: JsonObject, namespace: string): ValueReader {
    const size = given(json, "size");
    if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || size > limit.recordBytes) {
      throw new SchemaFault(`${shortly(size)} is no size`);
    }
    const isUuid = json["logicalType"] === "uuid" && size === 16;
    return this.#keep(json, namespace, isUuid ? uuidReader() : (decimalOf(json, size) ?? fixedReader(size)));
  }

  #keep(json: JsonObject, namespace: string, reader: ValueReader): ValueReader {
    this.#named.set(this.#nameOf(json, namespace), reader);
    return reader;
  }

  #nameOf(json: JsonObject, namespace: string): string {
    const own = json["namespace"];
    const name = fullName(textOf(json, "name"), typeof own === "string" ? own : namespace);
    if (!namePattern.test(name)) throw new SchemaFault(`${shortly(name)} is no name`);
    if (this.#named.has(name)) throw new SchemaFault(`the type ${shortly(name)} stands there twice`);
    return name;
  }
}

function fullName(name: string, namespace: string): string {
  return namespace === "" || name.includes(".") ? name : `${namespace}.${name}`;
}

/** A logical type that is not known, or does not go with its type, is as if it were not there: so the specification. */
function logicalOf(json: JsonObject, type: string): ValueReader | undefined {
  const { logicalType } = json;
  if (json["connect.name"] === "io.debezium.data.Json") return logicalReaders.get(`${type} ${jsonType}`);
  return typeof logicalType === "string" ? logicalReaders.get(`${type} ${logicalType}`) : undefined;
}

function decimalOf(json: JsonObject, size: number | undefined): ValueReader | undefined {
  const { logicalType, precision, scale = 0 } = json as Readonly<Record<string, Json>>;
  if (logicalType !== "decimal" || typeof precision !== "number" || typeof scale !== "number") return undefined;
  const isSound = Number.isInteger(precision) && Number.isInteger(scale) && scale >= 0 && scale <= precision;
  if (!isSound || precision < 1 || precision > limit.avroDecimalDigits) return undefined;
  return decimalReader(scale, size);
}

function given(json: JsonObject, name: string): Json {
  const value = Object.hasOwn(json, name) ? json[name] : undefined;
  if (value === undefined) throw new SchemaFault(`${shortly(json)} has no ${name}`);
  return value;
}

function listed(json: JsonObject, name: string): readonly Json[] {
  const value = given(json, name);
  if (!Array.isArray(value)) throw new SchemaFault(`${name} of ${shortly(json)} is no list`);
  return value as readonly Json[];
}

function textOf(json: JsonObject, name: string): string {
  const value = given(json, name);
  if (typeof value !== "string" || value === "") throw new SchemaFault(`${name} of ${shortly(json)} is no text`);
  return value;
}

function shortly(json: Json): string {
  const text = JSON.stringify(json);
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`;
}
