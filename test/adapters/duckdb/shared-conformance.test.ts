import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { duckdbSink } from "../../../src/adapters/duckdb/index.ts";
import { sinkConformance, type SinkPlace } from "../../../src/conformance/index.ts";
import { quoteIdentifier } from "../../../src/core/identifier.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { Sink } from "../../../src/ports/sink.ts";
import { RowEngine } from "../../conformance/engine-rows.ts";
import { HostProcess } from "./host-process.ts";

// Every promise of a sink, kept through another process that has the file.

let engine: RowEngine;
let host: HostProcess;
beforeAll(async () => {
  engine = await RowEngine.open();
  host = new HostProcess();
});
afterAll(async () => {
  // That all of it went through the host, and was said once for each place.
  expect(engine.notices.every((text) => text.endsWith(`(process ${host.pid}); working through it`))).toBe(true);
  expect(new Set(engine.notices).size).toBe(engine.notices.length);
  await host[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

async function create(): Promise<SinkPlace> {
  const root = mkdtempSync(join(tmpdir(), "millrace-duckdb-it's-"));
  const file = join(root, "a place.db");
  await host.share(file);
  const make = (): Sink => duckdbSink(parsePlace(`duckdb:${file}`), {}, engine.context);
  return {
    sink: make(),
    other: async () => make(),
    readTable: (table) => host.table(file, table),
    dropTable: async (table) => {
      await host.run(file, `drop table ${quoteIdentifier(table)}`);
    },
    dispose: async () => {
      await host.close(file);
      const left = readdirSync(root);
      const log = existsSync(`${file}.wal`);
      rmSync(root, { recursive: true });
      expect({ left, log }).toEqual({ left: ["a place.db"], log: false });
    },
  };
}

const makeRows = (...of: Parameters<RowEngine["makeRows"]>) => engine.makeRows(...of);
sinkConformance({ name: "duckdb through another process", api: { describe, it, expect }, create, makeRows, skips: {} });
