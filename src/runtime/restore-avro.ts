import { join } from "node:path";
import { MillraceError } from "../core/error.ts";
import { lineOf } from "../engine/row-lines.ts";
import { RowSpool } from "../engine/row-spool.ts";
import { avroRows } from "../formats/avro/reader.ts";
import { linePieces, oneAhead } from "./backup-lines.ts";
import { type BackupManifest, invalid } from "./backup-manifest.ts";
import { type Fetched, named, type Restoring, stopIfAborted } from "./restore-fetch.ts";

/**
 * The rows of a backup's Avro file as a local Parquet file, which is then verified and restored like any other. Throws
 * BACKUP_INVALID for what is not an Avro file of the backup's columns; DISK, MEMORY, INTERRUPTED.
 */
export async function parquetOfAvro(restoring: Restoring, { manifest, path }: Fetched): Promise<string> {
  const { engine, folder, patience } = restoring;
  const { columns } = manifest;
  const spool = await RowSpool.open({ engine, columns, folder, form: "plain" });
  try {
    for await (const lines of oneAhead(linePieces(linesOf(path, manifest)))) {
      stopIfAborted(patience);
      await spool.add(lines);
    }
    const parquet = join(folder, "of-avro.parquet");
    await spool.finish(parquet);
    return parquet;
  } catch (error) {
    const isOurs = error instanceof MillraceError && !["FILE_FORMAT", "FILE_TRUNCATED"].includes(error.code);
    if (isOurs) throw error;
    throw invalid(named(manifest), `its Avro file cannot be read: ${(error as Error).message}`, error);
  } finally {
    await spool.dispose();
  }
}

async function* linesOf(path: string, { table, columns }: BackupManifest): AsyncGenerator<string[]> {
  for await (const rows of avroRows(path, table, columns)) yield rows.map(lineOf);
}
