import type { Column, Contract } from "./contract.ts";
import type { Json, JsonObject } from "./json.ts";

/** JSON Schema (draft 2020-12) of one row of the contract, as it stands in JSON. */
export function jsonSchemaOf(contract: Contract): JsonObject {
  const columns = Object.entries(contract.columns);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: contract.table,
    type: "object",
    properties: Object.fromEntries(columns.map(([name, column]) => [name, columnSchema(column)])),
    required: columns.filter(([, column]) => column.nullable !== true).map(([name]) => name),
    additionalProperties: false,
  };
}

function columnSchema(column: Column): JsonObject {
  const schema: Record<string, Json> = { ...typeSchema(column), ...ruleSchema(column) };
  if (column.nullable !== true || schema["type"] === undefined) return schema;
  const nullable = { ...schema, type: [schema["type"], "null"] };
  return column.oneOf === undefined ? nullable : { ...nullable, enum: [...column.oneOf, null] };
}

function typeSchema(column: Column): JsonObject {
  switch (column.type) {
    case "integer":
      return { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
    case "bigint":
      return { type: "integer" };
    case "double":
      return { type: "number" };
    case "decimal":
      return { type: "string", pattern: "^[+-]?[0-9]+([.][0-9]+)?$" };
    case "boolean":
      return { type: "boolean" };
    case "text":
      return { type: "string" };
    case "date":
      return column.format === undefined ? { type: "string", format: "date" } : { type: "string" };
    case "timestamp":
      return column.format === undefined ? { type: "string", format: "date-time" } : { type: "string" };
    case "uuid":
      return { type: "string", format: "uuid" };
    case "json":
      return {};
  }
}

function ruleSchema(column: Column): JsonObject {
  const schema: Record<string, Json> = {};
  if (typeof column.min === "number") schema["minimum"] = column.min;
  if (typeof column.max === "number") schema["maximum"] = column.max;
  if (column.minLength !== undefined) schema["minLength"] = column.minLength;
  if (column.maxLength !== undefined) schema["maxLength"] = column.maxLength;
  if (column.pattern !== undefined) schema["pattern"] = `^(?:${column.pattern})$`;
  if (column.oneOf !== undefined) schema["enum"] = [...column.oneOf];
  return schema;
}
