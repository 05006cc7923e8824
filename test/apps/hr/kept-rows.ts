import { readFile } from "node:fs/promises";
import { zstdDecompressSync } from "node:zlib";
import avro from "avsc";
import { parquetReadObjects } from "hyparquet";

type Rows = Readonly<Record<string, unknown>>[];

const byId = (one: { id?: unknown }, other: { id?: unknown }): number => Number(one.id) - Number(other.id);

/** The rows of a Parquet file, read by another library than the one that wrote it. */
export async function readParquet(path: string): Promise<Rows> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  const file = new Uint8Array(buffer, byteOffset, byteLength).slice().buffer;
  const rows: Rows = await parquetReadObjects({ file, compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) } });
  return rows.sort(byId);
}

/** The rows of an Avro file. */
export function readAvro(path: string): Promise<Rows> {
  return new Promise((resolve, reject) => {
    const rows: Rows = [];
    avro
      .createFileDecoder(path)
      .on("data", (row: Readonly<Record<string, unknown>>) => rows.push({ ...row }))
      .once("error", reject)
      .once("end", () => resolve(rows.sort(byId)));
  });
}
