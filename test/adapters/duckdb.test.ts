import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { textCell } from "../../src/adapters/duckdb/cells.ts";
import { duckdbSink } from "../../src/adapters/duckdb/index.ts";
import { sinkConformance, type SinkPlace } from "../../src/conformance/index.ts";
import { quoteIdentifier } from "../../src/core/identifier.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { EngineConnection, EngineRow, EngineValue } from "../../src/ports/engine.ts";
import type { Sink } from "../../src/ports/sink.ts";
import { RowEngine } from "../conformance/engine-rows.ts";
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
    readTable: (table) =>
      attached(engine, file, async (connection) => {
        const known = await connection.all("select 1 from duckdb_tables() where table_name = $1", [table]);
        return known.length === 0 ? [] : readExactly(connection, table);
      }),
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

/** Text is read as bytes: the driver would drop a byte order mark as it decodes it. */
async function readExactly(connection: EngineConnection, table: string): Promise<EngineRow[]> {
  const columns = await connection.all(
    "select column_name as name, data_type as type from duckdb_columns() where table_name = $1",
    [table],
  );
  const selected = columns.map((column) => {
    const name = quoteIdentifier(textCell(column, "name"));
    return column["type"] === "VARCHAR" ? `encode(${name}) as ${name}` : name;
  });
  const rows = await connection.all(`select ${selected.join(", ")} from ${quoteIdentifier(table)}`);
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, decoded(value)])));
}

function decoded(value: EngineValue): EngineValue {
  return value instanceof Uint8Array ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(value) : value;
}

const skips = {};
const makeRows = (...of: Parameters<RowEngine["makeRows"]>) => engine.makeRows(...of);
sinkConformance({ name: "duckdb", api: { describe, it, expect }, create, makeRows, skips });
