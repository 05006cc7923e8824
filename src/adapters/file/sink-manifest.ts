import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { Catalog } from "./catalog.ts";
import { engineTypeOf } from "./sink-column.ts";
import { partFormatOf } from "./sink-part-name.ts";
import { listParts, readTable } from "./sink-table.ts";

export const manifestName = "_manifest.json";

/** Up to this many parts the manifest is written after every commit. */
const partsOften = 500;
/** With more, the manifest follows the catalog at this distance, so that writing it does not outgrow the work itself. */
const behindMs = 1_000;

/**
 * `_manifest.json` in each table's folder: the committed parts, for readers without SQLite. It is a copy of the
 * catalog, which is the truth; it names only committed parts.
 */
export class Manifests {
  readonly #catalog: Catalog;
  readonly #root: string;
  readonly #context: AdapterContext;
  readonly #behind = new Set<string>();
  readonly #writtenAt = new Map<string, number>();

  constructor(catalog: Catalog, root: string, context: AdapterContext) {
    this.#catalog = catalog;
    this.#root = root;
    this.#context = context;
  }

  /** Called after a commit that changed the table's parts; writes now, or at the latest when the sink is closed. */
  changed(table: string): void {
    const parts = this.#catalog.get('select count(*) as parts from millrace_part where "table" = ?', table)?.["parts"];
    const age = this.#context.now() - (this.#writtenAt.get(table) ?? 0);
    if (Number(parts) <= partsOften || age >= behindMs) this.write(table);
    else this.#behind.add(table);
  }

  /** Brings manifests that are behind up to the catalog. */
  writeBehind(): void {
    for (const table of [...this.#behind]) this.write(table);
  }

  /**
   * Writes the manifest from the catalog under the catalog's lock, so that of two processes the later one writes the
   * later state. The rows are committed whatever becomes of it: a failure is said, and the next write mends it.
   */
  write(table: string): void {
    try {
      this.#catalog.inTransaction(() => this.#replace(table));
      this.#behind.delete(table);
      this.#writtenAt.set(table, this.#context.now());
    } catch (error) {
      this.#behind.add(table);
      const why = error instanceof Error ? error.message : String(error);
      this.#context.notice(`The manifest of ${table} could not be written and is behind the catalog: ${why}`);
    }
  }

  #replace(name: string): void {
    const table = readTable(this.#catalog, name);
    if (table === undefined) return;
    const parts = listParts(this.#catalog, name);
    const manifest = {
      table: name,
      rows: parts.reduce((sum, part) => sum + part.rows, 0),
      columns: table.columns.map((column) => ({
        name: column.name,
        type: engineTypeOf(column),
        nullable: column.nullable,
      })),
      parts: parts.map(({ file, batch, rows }) => ({ file, format: partFormatOf(file), batch, rows })),
    };
    const path = join(this.#root, table.folder, manifestName);
    const unfinished = join(this.#root, table.folder, `.${manifestName}.tmp`);
    writeDurably(unfinished, `${JSON.stringify(manifest, undefined, 1)}\n`);
    renameSync(unfinished, path);
  }
}

function writeDurably(path: string, text: string): void {
  const handle = openSync(path, "w");
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.byteLength; ) at += writeSync(handle, bytes, at);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
