import { closeSync, existsSync, fsyncSync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";

/** A row as SQLite gives it: whole numbers are bigints. */
export type CatalogRow = Readonly<Record<string, SQLOutputValue | undefined>>;

export const catalogFolder = "_millrace";

/** Raised when the tables below change shape; a catalog of a later version is refused rather than misread. */
const version = 1;

const schema = `
create table if not exists millrace_checkpoint (
  pipeline text not null, lane text not null, epoch integer not null, position text, source text not null,
  claimed_at text not null, moved_at text, primary key (pipeline, lane)
) strict;
create table if not exists millrace_lane (hash text primary key, pipeline text not null, lane text not null) strict;
create table if not exists millrace_ledger (
  batch integer primary key, pipeline text not null, lane text not null, epoch integer not null, run text not null,
  version text not null, source text not null, table_name text not null,
  start_position text not null, end_position text not null,
  read integer not null, loaded integer not null, merged integer not null, filtered integer not null,
  rejected integer not null, started_at text not null, committed_at text not null
) strict;
create index if not exists millrace_ledger_source on millrace_ledger (pipeline, source);
create table if not exists millrace_reject (
  id integer primary key autoincrement, pipeline text not null, lane text not null, batch integer not null,
  source text not null, record integer not null, line integer, record_offset integer not null, bytes blob not null,
  truncated integer not null, reasons text not null, format text not null, state text not null,
  attempts integer not null, rejected_at text not null
) strict;
create index if not exists millrace_reject_state on millrace_reject (pipeline, state, id);
create table if not exists millrace_seen (
  pipeline text not null, id text not null, batch integer not null, seen_at text not null, primary key (pipeline, id)
) strict, without rowid;
create table if not exists millrace_definition (
  pipeline text not null, version text not null, definition text not null, primary key (pipeline, version)
) strict, without rowid;
create table if not exists millrace_table (
  name text primary key, folder text not null unique collate nocase, columns text not null, lineage integer not null
) strict;
create table if not exists millrace_target (
  pipeline text not null, "table" text not null, primary key (pipeline, "table")
) strict, without rowid;
create table if not exists millrace_part (
  "table" text not null, file text not null, columns text not null, batch integer not null, rows integer not null,
  primary key ("table", file)
) strict, without rowid;
create table if not exists millrace_number (name text primary key, next integer not null) strict, without rowid;
insert into millrace_number values ('batch', 1) on conflict do nothing;
`;

/**
 * What the file sink keeps besides rows, in SQLite. Every transaction is synchronous from begin to end, so within a
 * process none waits for another; between processes SQLite's lock decides.
 */
export class Catalog {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Opens the catalog of a folder, creating both where they are missing. */
  static async open(folder: string): Promise<Catalog> {
    const path = catalogPath(folder);
    await mkdir(dirname(path), { recursive: true });
    const catalog = await Catalog.#connect(path);
    try {
      // A rollback journal needs no shared memory, so it works on network folders, and the catalog at rest is one file.
      // TRUNCATE, unlike DELETE, is durable with FULL: the emptied journal is synced, an unlinked one's folder is not.
      catalog.#database.exec("pragma journal_mode = truncate; pragma synchronous = full;");
      catalog.inTransaction(() => catalog.#prepareSchema(path));
      syncFolder(dirname(path));
      syncFolder(folder);
      return catalog;
    } catch (error) {
      catalog.close();
      throw error;
    }
  }

  /** Opens the catalog of a folder to read it. Nothing is created: where there is none, an empty one stands in. */
  static async openForReading(folder: string): Promise<Catalog> {
    const path = catalogPath(folder);
    if (!existsSync(path)) return Catalog.#empty();
    const catalog = await Catalog.#connect(path);
    try {
      // Not opened read-only: what a killed process began must be rolled back before it can be read.
      catalog.#database.exec("pragma query_only = on;");
      if (catalog.#readVersion(path) === version) return catalog;
      catalog.close();
      return await Catalog.#empty();
    } catch (error) {
      catalog.close();
      throw error;
    }
  }

  static async #empty(): Promise<Catalog> {
    const catalog = await Catalog.#connect(":memory:");
    catalog.#database.exec(`${schema} pragma query_only = on;`);
    return catalog;
  }

  static async #connect(path: string): Promise<Catalog> {
    // Loaded here, so that reading files does not load SQLite.
    const { DatabaseSync } = await import("node:sqlite");
    // Waiting for the lock of another process stops this one, so it is short: SINK_BUSY is tried again.
    return new Catalog(new DatabaseSync(path, { timeout: limit.retryMaxMs }));
  }

  #readVersion(path: string): number {
    const found = Number(this.get("pragma user_version")?.["user_version"] ?? 0);
    if (found <= version) return found;
    throw new MillraceError("SINK_REFUSED", `${path} was written by a later version of Millrace`, {
      remedy: "Use that version, or another folder.",
    });
  }

  #prepareSchema(path: string): void {
    this.#readVersion(path);
    this.#database.exec(schema);
    this.#database.exec(`pragma user_version = ${version}`);
  }

  /** Runs `work` with the write lock of the catalog held; durable on return, undone when `work` throws. */
  inTransaction<Result>(work: () => Result): Result {
    this.#database.exec("begin immediate");
    try {
      const result = work();
      this.#database.exec("commit");
      return result;
    } catch (error) {
      // SQLite itself rolls back on errors such as a full disk.
      if (this.#database.isTransaction) this.#database.exec("rollback");
      throw error;
    }
  }

  /** Resolves with the number of rows changed. */
  run(sql: string, ...parameters: readonly SQLInputValue[]): number {
    return Number(this.#database.prepare(sql).run(...parameters).changes);
  }

  get(sql: string, ...parameters: readonly SQLInputValue[]): CatalogRow | undefined {
    return this.all(sql, ...parameters)[0];
  }

  all(sql: string, ...parameters: readonly SQLInputValue[]): CatalogRow[] {
    const statement = this.#database.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all(...parameters);
  }

  /** One statement for many rows of parameters. */
  each(sql: string, rows: Iterable<readonly SQLInputValue[]>): void {
    const statement = this.#database.prepare(sql);
    for (const row of rows) statement.run(...row);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function catalogPath(folder: string): string {
  return join(folder, catalogFolder, "catalog.db");
}

/** Makes the names in a folder durable. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
