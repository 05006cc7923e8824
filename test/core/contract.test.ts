import { describe, expect, expectTypeOf, it } from "vitest";
import { type Contract, validateContract } from "../../src/core/contract.ts";
import { contractFromJson, contractToJson } from "../../src/core/contract-json.ts";
import { jsonSchemaOf } from "../../src/core/json-schema.ts";
import { bigint, date, decimal, integer, json, type Row, table, text, timestamp } from "../../src/core/table.ts";

const hiredJson = {
  table: "hired_employees",
  columns: {
    id: { type: "integer", key: true },
    name: { type: "text" },
    datetime: { type: "timestamp", format: "%Y-%m-%dT%H:%M:%SZ" },
    department_id: { type: "integer" },
    job_id: { type: "integer" },
  },
};

const hired = table("hired_employees", {
  id: integer().key(),
  name: text(),
  datetime: timestamp("%Y-%m-%dT%H:%M:%SZ"),
  department_id: integer(),
  job_id: integer(),
});

describe("contract", () => {
  it("is the same from TypeScript and from JSON, and back", () => {
    expect(contractFromJson(hiredJson, "hired.json")).toEqual(hired);
    expect(contractToJson(hired)).toEqual(hiredJson);
  });

  it("types its rows", () => {
    const all = table("t", {
      a: integer(),
      b: bigint().nullable(),
      c: decimal(10, 2),
      d: date(),
      e: json<{ x: number }>(),
      f: text().oneOf("x", "y").nullable(),
    });
    expectTypeOf<Row<typeof all>>().toEqualTypeOf<{
      a: number;
      b: bigint | null;
      c: string;
      d: string;
      e: { x: number };
      f: "x" | "y" | null;
    }>();
  });

  const mistakes: readonly [string, unknown, RegExp][] = [
    ["no object", [], /not a JSON object/],
    ["no table", { columns: {} }, /"table" is missing/],
    ["no columns", { table: "t", columns: {} }, /has no column/],
    ["unknown field", { table: "t", columns: { a: { type: "text" } }, colums: 1 }, /unknown field "colums"/],
    [
      "unknown column field",
      { table: "t", columns: { a: { type: "text", requierd: true } } },
      /unknown field "requierd"/,
    ],
    ["no type", { table: "t", columns: { a: {} } }, /column "a" has no type/],
    ["unknown type", { table: "t", columns: { a: { type: "int" } } }, /unknown type "int"/],
    [
      "wrong kind",
      { table: "t", columns: { a: { type: "text", key: "yes" } } },
      /"key" of column "a" is not true or false/,
    ],
    ["rule of another type", { table: "t", columns: { a: { type: "integer", pattern: "x" } } }, /cannot have pattern/],
    ["nullable key", { table: "t", columns: { a: { type: "text", key: true, nullable: true } } }, /cannot be nullable/],
    ["json key", { table: "t", columns: { a: { type: "json", key: true } } }, /cannot be a key/],
    ["names alike", { table: "t", columns: { a: { type: "text" }, A: { type: "text" } } }, /differ only in case/],
    ["kept name", { table: "t", columns: { _millrace: { type: "text" } } }, /kept for Millrace/],
    ["scale", { table: "t", columns: { a: { type: "decimal", precision: 3, scale: 4 } } }, /decimal\(3,4\)/],
    ["long name", { table: "t", columns: { ["x".repeat(64)]: { type: "text" } } }, /cannot be the name of a column/],
    ["no number", { table: "t", columns: { a: { type: "integer", min: "abc" } } }, /"abc" is no bound for column "a"/],
    ["no day", { table: "t", columns: { a: { type: "date", max: 2021 } } }, /2021 is no bound for column "a"/],
    ["empty check", { table: "t", columns: { a: { type: "text" } }, check: " " }, /is empty/],
  ];
  for (const [title, value, message] of mistakes) {
    it(`says what is wrong: ${title}`, () => {
      expect(() => contractFromJson(value, "c.json")).toThrow(
        expect.objectContaining({ code: "CONTRACT_INVALID", message: expect.stringMatching(message) }),
      );
    });
  }

  it("takes names of any letters", () => {
    const contract: Contract = {
      table: 'select "x"',
      columns: { "größe in m²": { type: "double" }, "a'b": { type: "text" } },
      checks: [],
    };
    expect(validateContract(contract)).toBe(contract);
  });

  it("has a JSON Schema", () => {
    const contract = table("t", {
      id: integer().key().max(9),
      note: text().nullable().pattern("a+"),
      kind: text().nullable().oneOf("x"),
    });
    expect(jsonSchemaOf(contract)).toMatchObject({
      required: ["id"],
      additionalProperties: false,
      properties: {
        id: { type: "integer", maximum: 9 },
        note: { type: ["string", "null"], pattern: "^(?:a+)$" },
        kind: { enum: ["x", null] },
      },
    });
  });
});
