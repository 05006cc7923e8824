import { randomUUID } from "node:crypto";
import { renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../../core/error.ts";
import type { Counts } from "../../core/ledger.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { SinkBatch, Target, Unit, WriteResult } from "../../ports/sink.ts";
import { type Catalog, syncFolder } from "./catalog.ts";
import { forgetLanes, forgetMessages, ownsLane } from "./catalog-lane.ts";
import { countBatch, fenced, keepBatch, refuseRepeated, refuseReplayed } from "./sink-batch.ts";
import type { Manifests } from "./sink-manifest.ts";
import { laneHash, type PartFormat, partName, unfinishedName } from "./sink-part-name.ts";
import { type FileTable, listParts } from "./sink-table.ts";

/** What a unit needs of its sink. */
export interface UnitPlace {
  readonly catalog: Catalog;
  readonly root: string;
  readonly table: FileTable;
  readonly format: PartFormat;
  readonly manifests: Manifests;
  readonly context: AdapterContext;
  /** Told when the unit is over. */
  readonly done: (unit: Unit) => void;
}

interface WrittenBatch {
  readonly batch: SinkBatch;
  readonly counts: Counts;
  /** Path of its rows, durable under a name that nobody reads; undefined for a batch without rows. */
  readonly unfinished: string | undefined;
}

/**
 * Rows are written to unfinished parts; `commit` gives these their names and enters them into the catalog in one
 * transaction there. A part is committed when the catalog knows it, so a crash in between leaves orphans, not rows.
 */
export class FileUnit implements Unit {
  readonly #place: UnitPlace;
  readonly #target: Target;
  readonly #replace: boolean;
  readonly #written: WrittenBatch[] = [];
  #state: "open" | "failed" | "ended" = "open";

  constructor(place: UnitPlace, target: Target, replace: boolean) {
    this.#place = place;
    this.#target = target;
    this.#replace = replace;
  }

  async write(batch: SinkBatch): Promise<WriteResult> {
    this.#assertOpen("written to");
    try {
      const { catalog } = this.#place;
      if (!ownsLane(catalog, batch.claim)) throw fenced(batch);
      // What is replaced takes its messages with it: only those of the batch itself can repeat one another.
      refuseRepeated(this.#replace ? undefined : catalog, batch);
      refuseReplayed(catalog, batch);
      const counts = countBatch(batch);
      const unfinished = await this.#writeRows(batch);
      this.#written.push({ batch, counts, unfinished });
      return { loaded: counts.loaded, merged: 0, rejected: counts.rejected, refused: [] };
    } catch (error) {
      if (!this.#isEnded()) this.#state = "failed";
      throw error;
    }
  }

  async #writeRows(batch: SinkBatch): Promise<string | undefined> {
    if (batch.rows.count === 0 || this.#target.elsewhere === true) return undefined;
    const { root, table, format, catalog } = this.#place;
    const hash = laneHash(batch.claim.pipeline, batch.claim.lane);
    const path = join(root, table.folder, unfinishedName(hash, batch.claim.epoch, randomUUID()));
    try {
      await batch.rows.write(path, format);
      await syncFile(path);
      // Rolled back meanwhile, as by closing the sink: it was not there to be removed yet.
      this.#assertOpen("written to");
      return path;
    } catch (error) {
      this.#remove(path);
      if (this.#isEnded()) throw error;
      // A claimer removes the unfinished parts of those that it fences.
      if (!ownsLane(catalog, batch.claim)) throw fenced(batch);
      throw error;
    }
  }

  async commit(): Promise<void> {
    this.#assertOpen("committed");
    // Whatever happens now, rollback must not undo it: orphans are told from parts by the catalog alone.
    this.#state = "failed";
    const { catalog, table, manifests } = this.#place;
    const replaced = catalog.inTransaction(() => this.#commitInCatalog());
    this.#end();
    if (this.#replace) {
      manifests.write(table.name);
      for (const file of replaced) this.#remove(join(this.#place.root, table.folder, file));
    } else if (this.#written.some(({ unfinished }) => unfinished !== undefined)) {
      manifests.changed(table.name);
    }
  }

  /** Invariant 2: all fences are passed before the first name is given. Returns the files that are replaced. */
  #commitInCatalog(): string[] {
    const { catalog, context, table } = this.#place;
    const now = new Date(context.now()).toISOString();
    if (this.#replace) forgetMessages(catalog, this.#target.pipeline);
    for (const { batch, counts } of this.#written) keepBatch(catalog, table.name, batch, counts, now);
    // Names are chosen while the catalog still knows the old parts: theirs are not free until these are gone.
    const old = this.#replace ? listParts(catalog, table.name).map((part) => part.file) : [];
    const named = this.#nameParts();
    if (this.#replace) this.#forgetOld(old);
    for (const { file, batch } of named) {
      const columns = JSON.stringify(batch.rows.columns.map((column) => column.name));
      const values = [table.name, file, columns, batch.batch, batch.rows.count];
      catalog.run("insert into millrace_part values (?, ?, ?, ?, ?)", ...values);
    }
    return old;
  }

  #nameParts(): { readonly file: string; readonly batch: SinkBatch }[] {
    const { root, table } = this.#place;
    const folder = join(root, table.folder);
    const named: { file: string; batch: SinkBatch }[] = [];
    for (const { batch, unfinished } of this.#written) {
      if (unfinished === undefined) continue;
      const file = this.#freeName(batch, named);
      renameSync(unfinished, join(folder, file));
      named.push({ file, batch });
    }
    if (named.length > 0) syncFolder(folder);
    return named;
  }

  #freeName(batch: SinkBatch, named: readonly { readonly file: string }[]): string {
    const { catalog, table, format } = this.#place;
    const hash = laneHash(batch.claim.pipeline, batch.claim.lane);
    for (let again = 0; ; again += 1) {
      const file = partName(hash, batch.start.row, again, format);
      const sql = 'select 1 from millrace_part where "table" = ? and file = ?';
      if (catalog.get(sql, table.name, file) === undefined && !named.some((one) => one.file === file)) return file;
    }
  }

  #forgetOld(files: readonly string[]): void {
    const { catalog, table } = this.#place;
    catalog.each(
      'delete from millrace_part where "table" = ? and file = ?',
      files.map((file) => [table.name, file]),
    );
    forgetLanes(
      catalog,
      this.#target.pipeline,
      this.#written.map(({ batch }) => batch.claim.lane),
    );
  }

  async rollback(): Promise<void> {
    if (this.#isEnded()) return;
    this.#end();
    for (const { unfinished } of this.#written) {
      if (unfinished !== undefined) this.#remove(unfinished);
    }
  }

  #end(): void {
    this.#state = "ended";
    this.#place.done(this);
  }

  #isEnded(): boolean {
    return this.#state === "ended";
  }

  /** What cannot be removed is no row of the table, and the next claim of the lane tries again. */
  #remove(path: string): void {
    try {
      rmSync(path, { force: true });
    } catch (error) {
      this.#place.context.notice(
        `${path} could not be removed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  #assertOpen(verb: string): void {
    if (this.#state === "open") return;
    throw new MillraceError("INTERNAL", `A unit that has ${this.#state} was ${verb}`, {
      remedy: "Please report it: a failed unit can only be rolled back.",
    });
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
