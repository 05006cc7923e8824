import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { MillraceError } from "../../core/error.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { Target } from "../../ports/sink.ts";
import { type Catalog, type CatalogRow, syncFolder } from "./catalog.ts";
import { forgetLanes, forgetMessages } from "./catalog-lane.ts";
import { jsonOf, numberOf, textOf } from "./catalog-value.ts";
import { misfits, type TableColumn, tableColumnsOf } from "./sink-column.ts";
import { isPartName, tableFolder } from "./sink-part-name.ts";

/** A table as the catalog knows it. */
export interface FileTable {
  readonly name: string;
  /** Within the sink's folder. */
  readonly folder: string;
  readonly columns: readonly TableColumn[];
  readonly lineage: boolean;
}

/** A committed file of rows. */
export interface Part {
  readonly file: string;
  /** In the order of the file. */
  readonly columns: readonly string[];
  readonly batch: number;
  readonly rows: number;
}

function tableOf(row: CatalogRow): FileTable {
  return {
    name: textOf(row, "name"),
    folder: textOf(row, "folder"),
    columns: jsonOf<TableColumn[]>(row, "columns"),
    lineage: numberOf(row, "lineage") === 1,
  };
}

export function readTable(catalog: Catalog, table: string): FileTable | undefined {
  const row = catalog.get("select * from millrace_table where name = ?", table);
  return row === undefined ? undefined : tableOf(row);
}

export function listTables(catalog: Catalog): FileTable[] {
  return catalog.all("select * from millrace_table order by name").map(tableOf);
}

/** Tables that a pipeline has written to or is about to. */
export function tablesOfPipeline(catalog: Catalog, pipeline: string): FileTable[] {
  const sql = 'select t.* from millrace_table t join millrace_target p on p."table" = t.name where p.pipeline = ?';
  return catalog.all(sql, pipeline).map(tableOf);
}

export function listParts(catalog: Catalog, table: string): Part[] {
  return catalog.all('select * from millrace_part where "table" = ? order by batch, file', table).map((row) => ({
    file: textOf(row, "file"),
    columns: jsonOf<string[]>(row, "columns"),
    batch: numberOf(row, "batch"),
    rows: numberOf(row, "rows"),
  }));
}

/** Creates the table or checks that it fits, in the transaction of the caller. Throws TABLE_MISMATCH. */
export function prepareTable(catalog: Catalog, root: string, target: Target): { table: FileTable; created: boolean } {
  const known = readTable(catalog, target.table);
  const folder = tableFolder(target.table);
  const there = isFolder(join(root, folder));
  const table = known !== undefined && there ? known : createTable(catalog, root, target, folder);
  if (table === known) {
    const found = misfits(table.columns, target);
    if (found.length > 0) throw mismatch(target, found);
  }
  catalog.run("insert into millrace_target values (?, ?) on conflict do nothing", target.pipeline, target.table);
  return { table, created: table !== known };
}

function createTable(catalog: Catalog, root: string, target: Target, folder: string): FileTable {
  const { table: name, lineage } = target;
  refuseTwin(catalog, target, folder);
  refuseStrangers(join(root, folder), target);
  const columns = tableColumnsOf(target);
  catalog.run('delete from millrace_part where "table" = ?', name);
  catalog.run("delete from millrace_table where name = ?", name);
  forgetLanes(catalog, target.pipeline, []);
  forgetMessages(catalog, target.pipeline);
  const values = [name, folder, JSON.stringify(columns), lineage ? 1 : 0];
  catalog.run("insert into millrace_table (name, folder, columns, lineage) values (?, ?, ?, ?)", ...values);
  mkdirSync(join(root, folder), { recursive: true });
  syncFolder(root);
  return { name, folder, columns, lineage };
}

/** Folders that differ only in case are one on some systems, and two tables in one folder would delete each other's parts. */
function refuseTwin(catalog: Catalog, target: Target, folder: string): void {
  const sql = "select name from millrace_table where folder = ? and name <> ?";
  const twin = catalog.get(sql, folder, target.table);
  if (twin === undefined) return;
  throw mismatch(target, [`its folder would be that of the table ${JSON.stringify(textOf(twin, "name"))}`]);
}

/** A folder that the catalog does not know may hold rows; adding to it would make readers see both. */
function refuseStrangers(folder: string, target: Target): void {
  if (!isFolder(folder)) return;
  const strangers = readdirSync(folder).filter((file) => isPartName(file) || !file.startsWith("."));
  if (strangers.length === 0) return;
  throw mismatch(target, [
    `its folder holds ${strangers.length} files that the catalog does not know, such as ${strangers[0] ?? ""}`,
  ]);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function mismatch(target: Target, found: readonly string[]): MillraceError {
  return new MillraceError(
    "TABLE_MISMATCH",
    `The table ${JSON.stringify(target.table)} does not fit: ${found.join("; ")}`,
    {
      remedy: "Change the contract, or load into another table or folder.",
      at: { table: target.table },
    },
  );
}

export function hasLineage(table: FileTable): boolean {
  return table.columns.some((column) => column.name === lineageColumn);
}
