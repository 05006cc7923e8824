import { mkdtemp, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { jsonValue } from "../core/json-value.ts";
import { MillraceError } from "../core/error.ts";
import type { Engine } from "../engine/engine.ts";
import { lineOf } from "../engine/row-lines.ts";
import { RowSpool, UnfitValue } from "../engine/row-spool.ts";
import type { EngineRow, EngineValue } from "../ports/engine.ts";
import type { SinkColumn } from "../ports/rows.ts";

/** A whole file, which is gone when its stream has ended. */
export interface ParquetFile {
  readonly sizeBytes: number;
  readonly stream: Readable;
}

/** Writes the rows into a Parquet file. Rejects with what the pieces throw, TABLE_MISMATCH, DISK, MEMORY. */
export async function parquetFile(
  engine: Engine,
  folder: string,
  columns: readonly SinkColumn[],
  pieces: AsyncIterable<readonly EngineRow[]>,
): Promise<ParquetFile> {
  const own = await mkdtemp(join(folder, "millrace-rows-"));
  try {
    const path = join(own, "rows.parquet");
    await writeRows(engine, own, path, columns, pieces);
    const handle = await open(path);
    const { size } = await handle.stat();
    // An open file needs no name: nothing is left behind, whatever becomes of the answer.
    return { sizeBytes: size, stream: handle.createReadStream() };
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

async function writeRows(
  engine: Engine,
  folder: string,
  path: string,
  columns: readonly SinkColumn[],
  pieces: AsyncIterable<readonly EngineRow[]>,
): Promise<void> {
  const spool = await RowSpool.open({ engine, folder, columns, form: "database" });
  try {
    for await (const piece of pieces) {
      const lines = piece.map((row) => lineOf(columns.map(({ name }) => textOf(row[name] ?? null))));
      if (lines.length > 0) await spool.add(lines);
    }
    await spool.finish(path);
  } catch (error) {
    if (!(error instanceof UnfitValue)) throw error;
    throw new MillraceError("TABLE_MISMATCH", error.message, {
      remedy: "Make the contract fit the table.",
      cause: error,
    });
  } finally {
    await spool.dispose();
  }
}

function textOf(value: EngineValue): string | null {
  if (value === null) return null;
  return typeof value === "object" ? JSON.stringify(jsonValue(value)) : String(value);
}
