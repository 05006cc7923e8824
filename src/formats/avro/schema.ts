import type { Column } from "../../core/contract.ts";
import type { SinkColumn } from "../../ports/rows.ts";

/** An Avro type as schemas write it: see https://avro.apache.org/docs/1.12.0/specification/#schema-declaration. */
export type AvroType =
  | "null"
  | "int"
  | "long"
  | "double"
  | "boolean"
  | "string"
  | { readonly type: "int" | "long" | "string"; readonly logicalType: string }
  | {
      readonly type: "bytes";
      readonly logicalType: "decimal";
      readonly precision: number;
      readonly scale: number;
    };

export interface AvroField {
  readonly name: string;
  /** The column's name, where it cannot be the field's. */
  readonly doc?: string;
  readonly type: AvroType | readonly ["null", AvroType];
  readonly default?: null;
}

export interface AvroSchema {
  readonly type: "record";
  readonly name: string;
  /** The table's name, where it cannot be the record's. */
  readonly doc?: string;
  readonly fields: readonly AvroField[];
}

/** The schema of a table's rows: a record with a field for each column, in order. The same columns give the same schema. */
export function avroSchema(table: string, columns: readonly SinkColumn[]): AvroSchema {
  const taken = new Set<string>();
  return {
    type: "record",
    ...named(table, new Set()),
    fields: columns.map((column) => {
      const type = avroType(column);
      const field = named(column.name, taken);
      return column.nullable === true ? { ...field, type: ["null", type], default: null } : { ...field, type };
    }),
  };
}

/** Decimals as the spec has them: the unscaled number as two's complement, big end first, in as few bytes as it takes. */
function avroType(column: Column): AvroType {
  switch (column.type) {
    case "integer":
      return "int";
    case "bigint":
      return "long";
    case "decimal":
      return {
        ...{ type: "bytes", logicalType: "decimal" },
        precision: column.precision ?? 18,
        scale: column.scale ?? 3,
      } as const;
    case "date":
      return { type: "int", logicalType: "date" };
    case "timestamp":
      return { type: "long", logicalType: "timestamp-micros" };
    case "uuid":
      return { type: "string", logicalType: "uuid" };
    case "text":
    case "json":
      return "string";
    case "double":
    case "boolean":
      return column.type;
  }
}

/** Avro's names are ASCII letters, digits and `_`, no digit first; names that become the same are numbered. */
function named(name: string, taken: Set<string>): { readonly name: string; readonly doc?: string } {
  const legal = name.replaceAll(/[^A-Za-z0-9_]/gu, "_").replace(/^(?=[0-9])/, "_");
  let free = legal;
  // JavaScript would not keep a field of that name.
  for (let more = 2; taken.has(free) || free === "__proto__"; more += 1) free = `${legal}_${more}`;
  taken.add(free);
  return free === name ? { name } : { name: free, doc: name };
}
