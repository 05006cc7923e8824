import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Contract } from "../../src/core/contract.ts";
import { decimal, double, json, table, text } from "../../src/core/table.ts";
import { BatchChecker, type CheckedBatch } from "../../src/engine/batch.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineRow } from "../../src/ports/engine.ts";
import type { RawBatch } from "../../src/ports/source.ts";
import { jsonBatch } from "./raw-batch.ts";

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 200 * 2 ** 20, threads: 1 });
});

afterAll(() => engine.close());

async function checked(contract: Contract, raw: RawBatch, look: (batch: CheckedBatch) => Promise<void>): Promise<void> {
  const checker = await BatchChecker.open(engine, { contract, steps: [], lineage: false, takes: "relation" });
  try {
    const batch = await checker.check(raw, 7n);
    await look(batch);
    await batch.release();
  } finally {
    checker.close();
  }
}

async function objects(batch: CheckedBatch): Promise<EngineRow[]> {
  const rows: EngineRow[] = [];
  for await (const piece of batch.rows.objects()) rows.push(...piece);
  return rows;
}

describe("values that the engine's own reading would change", () => {
  const contract = table("v", { x: decimal(30, 20).nullable(), doc: json().nullable(), note: text().nullable() });

  it("stay exact: long decimals, also in nested JSON and text", async () => {
    const lines = [
      '{"x": 999999999.99999999999999999999, "doc": {"deep": [0.12345678901234567890]}, "note": "0.12345678901234567890"}',
      '{"x": 0.1, "doc": "plain string", "note": "ça, \\"quoted\\" 12345678901234567890.5"}',
      '{"note": "no number", "doc": 5}',
    ];
    await checked(contract, jsonBatch(lines), async (batch) => {
      expect(batch.rejects).toEqual([]);
      const csv = Buffer.from((await batch.rows.csv()).bytes).toString();
      expect(csv).toContain(
        '999999999.99999999999999999999,"{""deep"": [0.12345678901234567890]}",0.12345678901234567890',
      );
      expect(csv).toContain('0.10000000000000000000,"""plain string""","ça, ""quoted"" 12345678901234567890.5"');
    });
  });

  it("stay exact beside doubles, which are read as they are: also within what stands under a double's name", async () => {
    const mixed = table("m", { x: double().nullable(), exact: decimal(30, 20).nullable(), doc: json().nullable() });
    const lines = [
      '{"x": 1664624846.7627381, "exact": 0.12345678901234567890, "doc": {"x": 0.12345678901234567890}}',
      '{"x": -0.10000000000000000555, "doc": "\\"x\\": 0.12345678901234567890"}',
      '{"doc": [{"x": 12345678901234567.5}], "x": 1}',
      '{"x": 1.2345678901234567890e400}',
    ];
    await checked(mixed, jsonBatch(lines), async (batch) => {
      const csv = Buffer.from((await batch.rows.csv()).bytes)
        .toString()
        .split("\n");
      expect(csv[0]).toBe('1664624846.762738,0.12345678901234567890,"{""x"": 0.12345678901234567890}"');
      expect(csv[1]).toContain("-0.1,,");
      expect(csv[2]).toContain("12345678901234567.5");
      expect(batch.rejects.map(({ reasons }) => reasons[0]?.column)).toEqual(["x"]);
    });
  });

  it("are the nearest double of every number that is written out, as JavaScript reads it", async () => {
    const doubles = table("d", { x: double() });
    const texts = Array.from({ length: 2_000 }, (_, index) => {
      const value = Math.sin(index + 1) * 10 ** (index % 18);
      return index % 2 === 0 ? String(value) : value.toFixed(20);
    });
    const lines = texts.map((text) => `{"x": ${text}}`);
    await checked(doubles, jsonBatch(lines), async (batch) => {
      expect(batch.rejects).toEqual([]);
      expect((await objects(batch)).map(({ x }) => x)).toEqual(texts.map(Number));
    });
  });

  it("keep a byte order mark at the start of a text", async () => {
    await checked(contract, jsonBatch(['{"note": "\ufeffmarked", "doc": "\ufeffx"}']), async (batch) => {
      expect((await objects(batch))[0]).toMatchObject({ note: "\ufeffmarked", doc: "\ufeffx" });
    });
  });
});
