import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "../../src/engine/engine.ts";
import { ContractInference } from "../../src/engine/infer.ts";
import { csvBatch, jsonBatch } from "./raw-batch.ts";

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 200 * 2 ** 20, threads: 2 });
});

afterAll(() => engine.close());

/** The type found for a column of these values; each inner list is a batch of its own. */
async function typeOf(...batches: readonly (readonly string[])[]): Promise<object | undefined> {
  const connection = await engine.connect();
  const inference = new ContractInference(connection);
  for (const values of batches) {
    const raw = csvBatch(
      { table: "t", columns: { v: { type: "text" }, n: { type: "text" } }, checks: [] },
      values.map((value) => `${value},x`),
    );
    await inference.look(raw.records, raw.count);
  }
  connection.close();
  return inference.contract("t", []).columns["v"];
}

const many = (value: (n: number) => string): string[] => Array.from({ length: 3000 }, (_, n) => value(n));

describe("inference", () => {
  const cases: readonly [string, readonly (readonly string[])[], object][] = [
    ["small whole numbers", [["1", "-2", ""]], { type: "integer" }],
    ["a larger one later", [["1"], ["3000000000"]], { type: "bigint" }],
    ["a larger one behind the sample", [many((n) => (n === 2500 ? "9223372036854775807" : "1"))], { type: "bigint" }],
    ["fractions", [["1", "2.5"]], { type: "double" }],
    ["many digits", [["1", "2.5", "1234567890.123456789"]], { type: "decimal", precision: 38, scale: 10 }],
    [
      "a long whole number among fractions",
      [["9223372036854775807"], ["2.5"]],
      { type: "decimal", precision: 38, scale: 10 },
    ],
    ["codes", [["007", "123"]], { type: "text" }],
    ["zero alone is no code", [["0", "10"]], { type: "integer" }],
    ["words", [["true", "FALSE"]], { type: "boolean" }],
    ["days", [["2021-11-07"]], { type: "date" }],
    ["days and times", [["2021-11-07", "2021-11-07T02:48:42Z"]], { type: "timestamp" }],
    ["days the German way", [["07.11.2021"]], { type: "date", format: "%d.%m.%Y" }],
    ["days that only fit one way", [["07/11/2021", "31/12/2021"]], { type: "date", format: "%d/%m/%Y" }],
    ["days that fit both ways", [["07/11/2021"]], { type: "text" }],
    ["one misfit far behind", [many((n) => (n === 2999 ? "n/a" : "5"))], { type: "text" }],
    ["uuids", [["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]], { type: "uuid" }],
    [
      "JSON",
      [["[1]", '{"a":1}']].map((batch) => batch.map((value) => `"${value.replaceAll('"', '""')}"`)),
      { type: "json" },
    ],
    ["no value at all", [["", ""]], { type: "text" }],
    ["text", [["x", "1"]], { type: "text" }],
  ];
  for (const [title, batches, column] of cases) {
    it(`finds the narrowest type that holds every value: ${title}`, async () => {
      expect(await typeOf(...batches)).toEqual({ ...column, nullable: true });
    });
  }

  it("takes JSON fields in the order in which they are met, and names what is missing of a key", async () => {
    const connection = await engine.connect();
    const inference = new ContractInference(connection);
    const raw = jsonBatch(['{"b": 1}', '{"a": {"x": 1}, "b": 2}', "broken"]);
    await inference.look(raw.records, raw.count);
    expect(inference.contract("t", ["b"]).columns).toEqual({
      b: { type: "integer", key: true },
      a: { type: "json", nullable: true },
    });
    expect(() => inference.contract("t", ["c"])).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID" }));
    connection.close();
  });
});
