import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fileSink } from "../../src/adapters/file/index.ts";
import { tableFolder } from "../../src/adapters/file/sink-part-name.ts";
import { sinkConformance, type SinkPlace } from "../../src/conformance/index.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { Sink } from "../../src/ports/sink.ts";
import { RowEngine } from "../conformance/engine-rows.ts";
import { readFolder } from "./file-reader.ts";

let engine: RowEngine;
beforeAll(async () => {
  engine = await RowEngine.open();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

const noKeys = "files have no index of keys: duplicates are not looked for, and `millrace check` says so";
const noMerge = "files cannot be merged by key; prepare refuses the mode";
const roundedJson = "the engine reads JSON numbers as doubles; the files hold every digit";
const skips = {
  "append refuses duplicate keys, row by row": noKeys,
  "append shows the first of many refused rows and keeps all": noKeys,
  "merge inserts, changes and counts both": noMerge,
  "merge takes the last of equal keys in a batch": noMerge,
  "merge of a key of several columns": noMerge,
};

const skipsOf = (format: string): Record<string, string> =>
  format === "ndjson" ? { ...skips, "reads every type as the row types say": roundedJson } : skips;

for (const format of ["parquet", "csv", "ndjson"]) {
  const create = async (): Promise<SinkPlace> => {
    const root = mkdtempSync(join(tmpdir(), "millrace-file-sink-[*]-"));
    const make = (): Sink => fileSink(parsePlace(`file:${root}?format=${format}`), {}, engine.context);
    return {
      sink: make(),
      other: async () => make(),
      readTable: (table) => readFolder(join(root, tableFolder(table))),
      dropTable: async (table) => rmSync(join(root, tableFolder(table)), { recursive: true }),
      dispose: async () => rmSync(root, { recursive: true }),
    };
  };
  const makeRows = (...of: Parameters<RowEngine["makeRows"]>) => engine.makeRows(...of);
  sinkConformance({ name: `file, ${format}`, api: { describe, it, expect }, create, makeRows, skips: skipsOf(format) });
}
