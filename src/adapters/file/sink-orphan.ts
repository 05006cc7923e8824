import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Catalog } from "./catalog.ts";
import { numberOf } from "./catalog-value.ts";
import { isPartName, parseUnfinishedName } from "./sink-part-name.ts";
import { type FileTable, listParts } from "./sink-table.ts";

/**
 * Removes what dead units left. Parts get their names only while the catalog's write lock is held, so to one who holds
 * it, as the caller must, every part that the catalog does not know is an orphan. An unfinished part is dead when its
 * lane has been claimed since.
 */
export class OrphanSweep {
  readonly #catalog: Catalog;
  readonly #root: string;
  /** When each folder had last changed as it was last swept: claims of a thousand lanes then read it once. */
  readonly #swept = new Map<string, bigint>();

  constructor(catalog: Catalog, root: string) {
    this.#catalog = catalog;
    this.#root = root;
  }

  sweep(table: FileTable): void {
    const folder = join(this.#root, table.folder);
    const changed = statSync(folder, { bigint: true, throwIfNoEntry: false })?.mtimeNs;
    if (changed === undefined || this.#swept.get(table.folder) === changed) return;
    const known = new Set(listParts(this.#catalog, table.name).map((part) => part.file));
    let living = 0;
    for (const file of readdirSync(folder)) {
      const unfinished = parseUnfinishedName(file);
      const dead = unfinished === undefined ? isPartName(file) && !known.has(file) : this.#isDead(unfinished);
      if (dead) rmSync(join(folder, file), { force: true });
      else if (unfinished !== undefined) living += 1;
    }
    // A living one may be dead at the next claim without the folder having changed.
    if (living === 0) this.#swept.set(table.folder, statSync(folder, { bigint: true }).mtimeNs);
  }

  #isDead({ hash, epoch }: { readonly hash: string; readonly epoch: number }): boolean {
    const sql = "select epoch from millrace_checkpoint join millrace_lane using (pipeline, lane) where hash = ?";
    const row = this.#catalog.get(sql, hash);
    return row === undefined || numberOf(row, "epoch") > epoch;
  }
}
