import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Pipeline, pipeline } from "../../src/core/pipeline.ts";
import { integer, table, text } from "../../src/core/table.ts";
import { BatchChecker, type CheckedBatch } from "../../src/engine/batch.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineRow } from "../../src/ports/engine.ts";
import { csvBatch } from "./raw-batch.ts";

const people = table("people", { id: integer().key(), name: text() });
const lines = ["1,Ann", "2,Bob", "x,Cy", "4,Dee", "5,Eve"];

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 200 * 2 ** 20, threads: 2 });
});

afterAll(() => engine.close());

async function through(
  so: Pipeline,
  look: (batch: CheckedBatch, rows: EngineRow[]) => Promise<void>,
  lineage = false,
): Promise<void> {
  const checker = await BatchChecker.open(engine, { contract: people, steps: so.steps, lineage, takes: "relation" });
  try {
    const batch = await checker.check(csvBatch(people, lines), 1n);
    const rows: EngineRow[] = [];
    for await (const piece of batch.rows.objects()) rows.push(...piece);
    await look(batch, rows);
    await batch.release();
  } finally {
    checker.close();
  }
}

const start = pipeline("p").from("file:x.csv").check(people);

describe("steps", () => {
  it("run SQL and TypeScript in order; what they drop is filtered, what they throw on is a reject", async () => {
    const so = start.sql<{ twice: number }>`select *, id * 2 as twice from batch where id <> 2`
      .map({ name: text(), shout: text() }, (row) => {
        if (row.id === 4) throw new Error("four is out");
        return row.twice === 10 ? undefined : { ...row, shout: `${row.name}!` };
      })
      .to("duckdb:x");
    await through(so, async (batch, rows) => {
      expect(rows).toEqual([{ id: 1, name: "Ann", twice: 2, shout: "Ann!" }]);
      expect(batch.filtered).toBe(2);
      expect(
        batch.rejects.map((reject) => [reject.record, reject.reasons[0]?.code, Buffer.from(reject.bytes).toString()]),
      ).toEqual([
        [2, "type", "x,Cy"],
        [3, "step", "4,Dee"],
      ]);
      expect(batch.rows.columns.map((column) => column.name)).toEqual(["id", "name", "twice", "shout"]);
      expect(batch.rows.columns[0]?.key).toBe(true);
    });
  });

  it("keep lineage and the record of each row", async () => {
    await through(
      start.sql`select * from batch where id > 1`.to("duckdb:x"),
      async (batch, rows) => {
        expect(rows.map((row) => row["_millrace"])).toEqual([1n, 3n, 4n].map((record) => (1n << 24n) + record));
        expect([0, 1, 2].map((row) => batch.rows.recordOf(row))).toEqual([1, 3, 4]);
      },
      true,
    );
  });

  it("check what a function returns against the declared columns", async () => {
    const so = start.map((row) => ({ ...row, id: row.id === 5 ? (null as unknown as number) : row.id })).to("duckdb:x");
    await through(so, async (batch, rows) => {
      expect(rows.map((row) => row["id"])).toEqual([1, 2, 4]);
      expect(batch.rejects.at(-1)).toMatchObject({ record: 4, reasons: [{ code: "missing", column: "id" }] });
    });
  });

  it("refuse undeclared columns, promises and things that are no rows, record by record", async () => {
    const returns = [{ id: 1, name: "a", extra: 1 }, Promise.resolve(undefined), [1], 7];
    let call = 0;
    const so = start.map(() => returns[call++] as never).to("duckdb:x");
    await through(so, async (batch, rows) => {
      expect(rows).toEqual([]);
      expect(batch.rejects.filter((reject) => reject.reasons[0]?.code === "step")).toHaveLength(4);
      expect(batch.rejects[0]?.reasons[0]?.message).toContain('undeclared column "extra"');
    });
  });

  it("fail as a whole with the SQL's own error, and when SQL makes more rows than records", async () => {
    await expect(through(start.sql`select nope from batch`.to("duckdb:x"), async () => {})).rejects.toMatchObject({
      code: "STEP_FAILED",
      message: expect.stringContaining("nope"),
    });
    const twice = start.sql`select * from batch union all select * from batch`.to("duckdb:x");
    await expect(through(twice, async () => {})).rejects.toMatchObject({ code: "STEP_FAILED" });
  });

  it("fail when SQL doubles one record in the place of others", async () => {
    // As many rows as it dropped: the count alone would call all of them filtered and loaded.
    const doubling = start.sql`select * from batch where id > 3 union all select * from batch where id > 3`;
    await expect(through(doubling.to("duckdb:x"), async () => {})).rejects.toMatchObject({
      code: "STEP_FAILED",
      message: expect.stringContaining("several rows of one record"),
    });
  });

  it("never lay the failure of a row that cannot be traced at another record's door", async () => {
    const untraced = start.sql`select id, name from batch`;
    const throwing = untraced.map(() => {
      throw new Error("no");
    });
    const mistyped = untraced.map((row) => ({ ...row, id: "x" as unknown as number }));
    for (const flow of [throwing, mistyped]) {
      await expect(through(flow.to("duckdb:x"), async () => {})).rejects.toMatchObject({ code: "STEP_FAILED" });
    }
  });

  it("leave nothing in the engine", async () => {
    const connection = await engine.connect();
    expect(await connection.all("select table_name from duckdb_tables()")).toEqual([]);
    connection.close();
  });
});
