import { ParquetRows } from "../engine/parquet-rows.ts";
import type { Archive } from "../ports/archive.ts";
import { hasLineage } from "./backup-manifest.ts";
import { parquetOfAvro } from "./restore-avro.ts";
import { columnsToday, verifyRows } from "./restore-check.ts";
import { fetchBackup, type Restoring, stopIfAborted } from "./restore-fetch.ts";
import { replaceRows } from "./restore-unit.ts";

/** What a restore has put into the table. */
export interface Restored {
  readonly version: string;
  readonly rows: number;
}

/** See `Backups.restore`. Whatever is wrong with the backup is found before the sink is opened to write. */
export async function restoreTable(restoring: Restoring): Promise<Restored> {
  const { engine, contract } = restoring;
  const fetched = await fetchBackup(restoring);
  const { manifest, name } = fetched;
  const path = restoring.format === "avro" ? await parquetOfAvro(restoring, fetched) : fetched.path;
  const rows = await ParquetRows.open(engine, path, columnsToday(manifest, contract));
  try {
    const { batches } = await verifyRows(restoring, manifest, rows);
    stopIfAborted(restoring.patience);
    const { version } = manifest;
    const source = sourceOf(restoring.archive, name);
    await replaceRows({ ...restoring, rows, batches, version, source, lineage: hasLineage(manifest) });
    return { version, rows: manifest.rows };
  } finally {
    rows.close();
  }
}

/** A file of an archive as ledgers name it: by its place, without options. */
function sourceOf({ shown }: Archive, name: string): string {
  return `${shown.replace(/[?].*$/, "").replace(/\/$/, "")}/${name}`;
}
