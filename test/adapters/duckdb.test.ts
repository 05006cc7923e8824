import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { duckdbSink } from "../../src/adapters/duckdb/index.ts";
import { sinkConformance, type SinkPlace } from "../../src/conformance/index.ts";
import { quoteIdentifier } from "../../src/core/identifier.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { Sink } from "../../src/ports/sink.ts";
import { RowEngine } from "../conformance/engine-rows.ts";
import { readExactly } from "./duckdb/exact-table.ts";
import { attached } from "./duckdb/scene.ts";

let engine: RowEngine;
beforeAll(async () => {
  engine = await RowEngine.open();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

async function create(): Promise<SinkPlace> {
  const root = mkdtempSync(join(tmpdir(), "millrace-duckdb-it's-"));
  const file = join(root, "a place.db");
  const make = (): Sink => duckdbSink(parsePlace(`duckdb:${file}`), {}, engine.context);
  return {
    sink: make(),
    other: async () => make(),
    readTable: (table) => attached(engine, file, (connection) => readExactly(connection, table)),
    dropTable: (table) =>
      attached(engine, file, async (connection) => {
        await connection.run(`drop table ${quoteIdentifier(table)}`);
      }),
    dispose: async () => {
      // The last sink has folded the log into the file.
      const log = existsSync(`${file}.wal`);
      rmSync(root, { recursive: true });
      expect(log).toBe(false);
    },
  };
}

const skips = {};
const makeRows = (...of: Parameters<RowEngine["makeRows"]>) => engine.makeRows(...of);
sinkConformance({ name: "duckdb", api: { describe, it, expect }, create, makeRows, skips });
