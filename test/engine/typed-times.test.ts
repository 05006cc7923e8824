import { afterAll, beforeAll, expect, test } from "vitest";
import { date, integer, table, timestamp } from "../../src/core/table.ts";
import { BatchChecker } from "../../src/engine/batch.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { RawBatch } from "../../src/ports/source.ts";

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 200 * 2 ** 20, threads: 1 });
});

afterAll(() => engine.close());

/** Typed records, as a Parquet file has them. */
function typedBatch(sql: string, count: number): RawBatch {
  return {
    start: { row: 0 },
    end: { row: count },
    read: count,
    sizeBytes: 0,
    records: { kind: "query", sql },
    count,
    malformed: [],
    recordOf: (index) => index,
    at: (index) => ({ line: undefined, offset: BigInt(index), bytes: Buffer.from(String(index)) }),
    format: {},
  };
}

test("a day or time that is one already needs no form; what the contract's form cannot hold is told, not cut", async () => {
  const contract = table("visits", { id: integer(), at: timestamp("%Y-%m-%dT%H:%M:%SZ"), day: date("%d.%m.%Y") });
  const checker = await BatchChecker.open(engine, { contract, steps: [], lineage: false, takes: "relation" });
  try {
    const sql = `select * from (values (1, timestamp '2021-11-07 02:48:42', date '2024-02-29'), (2, timestamp '2021-11-07 02:48:42.5', date '2024-02-29')) as v (id, "at", "day")`;
    const batch = await checker.check(typedBatch(sql, 2), 1n);
    const rows: unknown[] = [];
    for await (const piece of batch.rows.objects()) rows.push(...piece);
    expect(rows).toMatchObject([{ id: 1, at: "2021-11-07T02:48:42", day: "2024-02-29" }]);
    expect(
      batch.rejects.map(({ record, reasons }) => [record, reasons.map(({ column, code }) => `${column} ${code}`)]),
    ).toEqual([[1, ["at type"]]]);
    await batch.release();
  } finally {
    checker.close();
  }
});
