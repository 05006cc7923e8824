import { afterAll, beforeAll, expect, test } from "vitest";
import type { Contract } from "../../src/core/contract.ts";
import { integer, table, text } from "../../src/core/table.ts";
import { BatchChecker } from "../../src/engine/batch.ts";
import { Engine } from "../../src/engine/engine.ts";
import { sinkColumnsOf } from "../../src/runtime/shape.ts";
import { csvBatch } from "./raw-batch.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 200 * 2 ** 20, threads: 1 });
});
afterAll(() => engine.close());

async function check(contract: Contract, lines: readonly string[], on = engine): Promise<void> {
  const checker = await BatchChecker.open(on, { contract, steps: [], lineage: false, takes: "relation" });
  try {
    await (await checker.check(csvBatch(contract, lines), 1n)).release();
  } finally {
    checker.close();
  }
}

test.each([
  ["a check over a column that is not there", table("t", { id: integer() }, { checks: { c: "foo > 3" } })],
  ["a check that is no SQL", table("t", { id: integer() }, { checks: { c: "id >" } })],
  ["a pattern that is none", table("t", { id: integer(), name: text().pattern("([") })],
])("%s is the contract's mistake, known before a record is read", async (_, contract) => {
  const mistake = { code: "CONTRACT_INVALID", at: { table: "t" } };
  await expect(sinkColumnsOf(contract, [], engine)).rejects.toMatchObject(mistake);
  await expect(
    check(
      contract,
      Object.keys(contract.columns).map(() => "1"),
    ),
  ).rejects.toMatchObject(mistake);
});

test("a check that fails on a value is the contract's mistake", async () => {
  const contract = table("t", { id: integer(), name: text() }, { checks: { c: "cast(name as integer) > 3" } });
  await expect(check(contract, ["1,a"])).rejects.toMatchObject({ code: "CONTRACT_INVALID" });
});

test("an engine without memory says that it is memory", async () => {
  const small = await Engine.open({ memoryBytes: 2 * 2 ** 20, threads: 1 });
  try {
    const contract = table("t", { id: integer(), name: text() });
    const lines = Array.from({ length: 50_000 }, (_, index) => `${index},${"x".repeat(100)}`);
    await expect(check(contract, lines, small)).rejects.toMatchObject({ code: "MEMORY" });
  } finally {
    await small.close();
  }
});
