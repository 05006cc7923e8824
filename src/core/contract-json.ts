import { type Column, type Contract, columnTypes, type RowCheck, validateContract } from "./contract.ts";
import { MillraceError } from "./error.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";

/**
 * The JSON form of a contract: `{"table": T, "columns": {NAME: {"type": …, rules…}}, "checks": {NAME: SQL}}`; one
 * unnamed check may also stand as `"check": SQL`.
 */
export function contractToJson(contract: Contract): JsonObject {
  const columns = Object.fromEntries(Object.entries(contract.columns).map(([name, column]) => [name, { ...column }]));
  const { table, serial, checks } = contract;
  return {
    ...{ table, columns },
    ...(checks.length === 0 ? {} : { checks: Object.fromEntries(checks.map((c) => [c.name, c.sql])) }),
    ...(serial === undefined ? {} : { serial }),
  };
}

type Kind = "string" | "number" | "boolean" | "bound" | "list";

const columnFields: Readonly<Record<keyof Column, Kind>> = {
  type: "string",
  key: "boolean",
  nullable: "boolean",
  format: "string",
  precision: "number",
  scale: "number",
  min: "bound",
  max: "bound",
  minLength: "number",
  maxLength: "number",
  pattern: "string",
  oneOf: "list",
};

const kindNames: Readonly<Record<Kind, string>> = {
  string: "a string",
  number: "a whole number",
  boolean: "true or false",
  bound: "a number or a string",
  list: "a list of strings, numbers or booleans",
};

/** Parses the JSON form. `source` names it in errors. Throws CONTRACT_INVALID; unknown fields are mistakes. */
export function contractFromJson(value: unknown, source: string): Contract {
  if (!isJsonObject(value)) throw mistake(source, "it is not a JSON object");
  rejectUnknownFields(value, ["table", "columns", "checks", "check", "serial", "$schema"], source, "the contract");
  const { table, columns, serial } = value as Record<string, unknown>;
  if (typeof table !== "string") throw mistake(source, '"table" is missing or not a string');
  if (!isJsonObject(columns)) throw mistake(source, '"columns" is missing or not an object');
  const parsed = Object.entries(columns).map(([name, column]) => [name, columnFromJson(column, name, source)] as const);
  if (serial !== undefined && typeof serial !== "string") throw mistake(source, '"serial" is not a string');
  const checks = checksFromJson(value, source);
  const made = serial === undefined ? {} : { serial };
  return validateContract({ table, columns: Object.fromEntries(parsed), checks, ...made });
}

function columnFromJson(value: unknown, name: string, source: string): Column {
  if (!isJsonObject(value)) throw mistake(source, `column "${name}" is not an object`);
  rejectUnknownFields(value, Object.keys(columnFields), source, `column "${name}"`);
  if (value["type"] === undefined) {
    throw mistake(source, `column "${name}" has no type; types are ${columnTypes.join(", ")}`);
  }
  for (const [field, kind] of Object.entries(columnFields)) {
    const given = value[field];
    if (given !== undefined && !isKind(given, kind)) {
      throw mistake(source, `"${field}" of column "${name}" is not ${kindNames[kind]}`);
    }
  }
  return value as unknown as Column;
}

function isKind(value: Json, kind: Kind): boolean {
  switch (kind) {
    case "string":
      return typeof value === "string";
    case "number":
      return Number.isInteger(value) && Number(value) >= 0;
    case "boolean":
      return typeof value === "boolean";
    case "bound":
      return typeof value === "number" || typeof value === "string";
    case "list":
      return Array.isArray(value) && value.every((item) => ["string", "number", "boolean"].includes(typeof item));
  }
}

function checksFromJson(value: JsonObject, source: string): RowCheck[] {
  const checks: RowCheck[] = [];
  const single = value["check"];
  if (single !== undefined) {
    if (typeof single !== "string") throw mistake(source, '"check" is not a string of SQL');
    checks.push({ name: "check", sql: single });
  }
  const named = value["checks"];
  if (named === undefined) return checks;
  if (!isJsonObject(named)) throw mistake(source, '"checks" is not an object of names and SQL');
  for (const [name, sql] of Object.entries(named)) {
    if (typeof sql !== "string") throw mistake(source, `the check "${name}" is not a string of SQL`);
    checks.push({ name, sql });
  }
  return checks;
}

function rejectUnknownFields(value: JsonObject, known: readonly string[], source: string, what: string): void {
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown === undefined) return;
  throw mistake(
    source,
    `${what} has the unknown field "${unknown}"; fields are ${known.filter((f) => f !== "$schema").join(", ")}`,
  );
}

function mistake(source: string, what: string): MillraceError {
  return new MillraceError("CONTRACT_INVALID", `The contract has a mistake: ${what}`, {
    remedy:
      'A contract looks like {"table":"jobs","columns":{"id":{"type":"integer","key":true},"job":{"type":"text"}}}.',
    at: { source },
  });
}
