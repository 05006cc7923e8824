import { truncateSync, writeFileSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, test } from "vitest";
import { expectError, expectLoaded, goodLine, Scene } from "./attempt.ts";

const records = 100_000;
const text = Array.from({ length: records }, (_, id) => goodLine(id + 1)).join("");

test.each([
  { name: "hired.csv.gz", packed: gzipSync(text) },
  { name: "hired.csv.zst", packed: zstdCompressSync(text) },
  { name: "hired.csv", packed: gzipSync(text) },
])("$name is loaded whole, and cut short it is an error after what could be read", async ({ name, packed }) => {
  using scene = new Scene();
  const cut = await scene.load({ content: packed.subarray(0, packed.length >> 1), name, source: { header: false } });
  expectError(cut, "FILE_TRUNCATED", /ends/);
  using other = new Scene();
  await expectLoaded(other, await other.load({ content: packed, name, source: { header: false } }), {
    read: records,
    rejected: 0,
  });
});

test("what was committed of a truncated file stays, and the whole file loads the rest of it or all, once", async () => {
  using scene = new Scene();
  const packed = gzipSync(text);
  await scene.load({
    content: packed.subarray(0, packed.length - 100),
    name: "hired.csv.gz",
    source: { header: false },
  });
  const { ledger } = await scene.kept();
  const [row] = await scene.query("select count(*)::int as rows from hired").catch(() => [{ rows: 0 }]);
  expect(ledger.reduce((sum, { loaded }) => sum + loaded, 0)).toBe(row?.["rows"]);
});

test("damaged gzip data is an error, with the rows before it accounted for", async () => {
  using scene = new Scene();
  const packed = gzipSync(text);
  packed.fill(0xff, packed.length >> 1, (packed.length >> 1) + 64);
  const { error } = await scene.load({ content: packed, name: "hired.csv.gz", source: { header: false } });
  expect(error?.code).toMatch(/FILE_FORMAT|FILE_TRUNCATED/);
});

test("a gzip of ten gigabytes of zeros is recognised, not expanded", { timeout: 60_000 }, async () => {
  using scene = new Scene();
  // Members one after another are one content: 64 MB of zeros, 160 times.
  const member = gzipSync(Buffer.alloc(64 * 2 ** 20), { level: 9 });
  scene.write("bomb.csv.gz", Buffer.concat(Array.from({ length: 160 }, () => member)));
  const started = performance.now();
  const outcome = await scene.load({ from: scene.path("bomb.csv.gz") });
  expectError(outcome, "FILE_EXPANDS", /1000 times/);
  expect(performance.now() - started).toBeLessThan(20_000);
});

async function writeParquet(path: string): Promise<void> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const sql = `copy (select range::int as id, 'Harold Vogt' as name, timestamp '2021-11-07 02:48:42' as datetime, 2 as department_id from range(50000)) to '${path}' (format parquet, row_group_size 5000)`;
  await connection.run(sql);
  instance.closeSync();
}

test("a Parquet file is loaded; cut short, damaged or of another kind it is an error", async () => {
  using scene = new Scene();
  const path = scene.path("hired.parquet");
  await writeParquet(path);
  await expectLoaded(scene, await scene.load({ from: path }), { read: 50_000, rejected: 0 });
  truncateSync(path, 20_000);
  const cut = await scene.load({ from: path });
  expect(cut.error?.code).toMatch(/FILE_TRUNCATED|FILE_FORMAT/);
  const damaged = scene.path("damaged.parquet");
  await writeParquet(damaged);
  writeFileSync(damaged, Buffer.concat([Buffer.from("PAR1"), Buffer.alloc(5000, 7), Buffer.from("PAR1")]));
  expect((await scene.load({ from: damaged })).error?.code).toMatch(/FILE_TRUNCATED|FILE_FORMAT/);
  expectError(await scene.load({ content: goodLine(1), name: "text.parquet" }), "FILE_FORMAT", /Parquet/);
});
