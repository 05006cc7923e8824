import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineConnection } from "../../src/ports/engine.ts";

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 256 * 2 ** 20, threads: 1 });
});

afterAll(() => engine.close());

/** Fails in its 90 000th row, long after the first ones were handed over. */
const failing =
  "select case when i = 90000 then error('bad row') else repeat('x', 2000) end as t from range(100000) r(i)";

async function countOf(connection: EngineConnection, sql: string): Promise<number> {
  let count = 0;
  for await (const rows of connection.stream(sql)) count += rows.length;
  return count;
}

describe("a stream of rows", () => {
  it("tells an error behind its first rows, and does not end as if it were whole", async () => {
    const connection = await engine.connect();
    await expect(countOf(connection, failing)).rejects.toThrow(/bad row/);
    expect(await countOf(connection, "select * from range(5000)")).toBe(5000);
    connection.close();
  });

  it("tells it within a transaction too", async () => {
    const connection = await engine.connect();
    await connection.run("begin");
    await expect(countOf(connection, failing)).rejects.toThrow(/aborted/i);
    await connection.run("rollback");
    await connection.run("begin");
    expect(await countOf(connection, "select * from range(10)")).toBe(10);
    await connection.run("commit");
    connection.close();
  });

  it("that is left half-way leaves the connection usable", async () => {
    const connection = await engine.connect();
    for await (const _ of connection.stream("select * from range(100000)")) break;
    expect(await countOf(connection, "select 1")).toBe(1);
    connection.close();
  });
});
