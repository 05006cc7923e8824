import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { Engine } from "../engine/engine.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Archive } from "../ports/archive.ts";
import type { Sink } from "../ports/sink.ts";
import { fingerprint } from "./backup-file.ts";
import { inTemporaryFolder } from "./backup-folder.ts";
import { type BackupEntry, BackupListing } from "./backup-listing.ts";
import {
  backupColumns,
  type BackupFile,
  type BackupManifest,
  manifestFormat,
  manifestText,
} from "./backup-manifest.ts";
import { backupFileName, type BackupFormat, backupFormats, fileNames, versionAt } from "./backup-name.ts";
import { findLineage, readTable } from "./backup-rows.ts";
import { type Patience, patiently } from "./patience.ts";
import { type Restored, restoreTable } from "./restore.ts";

export interface BackupsOptions {
  /** Where backups are kept. The caller's to close. */
  readonly archive: Archive;
  readonly engine: Engine;
  readonly context: AdapterContext;
  /** A local folder for temporary files, created when it is missing: a backup takes about thrice its size there. */
  readonly folder: string;
}

export interface BackupOptions {
  /** Called once the rows are fixed: what is written to the table from then on is not in the backup. */
  readonly onSnapshot?: () => void;
  /** Aborting it ends the backup, of which nothing stays. */
  readonly signal?: AbortSignal;
}

export interface RestoreOptions {
  /** The newest when absent. */
  readonly version?: string;
  /** The file to read; Parquet when absent. Both hold the same rows. */
  readonly format?: BackupFormat;
  /** Aborting it ends the restore, which then has changed nothing. */
  readonly signal?: AbortSignal;
}

/**
 * Backups of tables, each of one table at one moment, in Parquet and in Avro, kept in an archive as docs/backups.md
 * describes it. Sinks are the caller's: `open`ed for restores, at least connectable for backups.
 */
export class Backups {
  readonly #options: BackupsOptions;
  readonly #listing: BackupListing;

  constructor(options: BackupsOptions) {
    this.#options = options;
    this.#listing = new BackupListing(options);
  }

  /**
   * Keeps the table's rows as they are at one moment. Complete and durable on return; until then, and when it rejects,
   * no such backup exists. Rejects with TABLE_MISMATCH, the sink's errors, the archive's, DISK, MEMORY, INTERRUPTED.
   */
  async backup(sink: Sink, contract: Contract, options: BackupOptions = {}): Promise<BackupManifest> {
    const { archive, context, folder: parent } = this.#options;
    const beganMs = context.now();
    const version = versionAt(beganMs, Math.random());
    return inTemporaryFolder(parent, beganMs, async (folder) => {
      const { columns, rows, digest, folder: local } = await this.#read(sink, contract, folder, options);
      const manifest: BackupManifest = {
        ...{ format: manifestFormat, table: contract.table, version, createdAt: new Date(beganMs).toISOString() },
        ...{ place: sink.shown, rows, digest, contract, columns },
        files: await Promise.all(backupFormats.map((format) => fileOf(local, format))),
      };
      await writeFile(join(local, fileNames.manifest), manifestText(manifest));
      await keepFiles(archive, manifest, local);
      return manifest;
    });
  }

  /** Complete backups, newest first; of all tables unless one is named. Those that are damaged say so. */
  list(table?: string): Promise<BackupEntry[]> {
    return this.#listing.list(table);
  }

  /**
   * Replaces the table's rows by those of a backup, in one transaction: readers see the old rows until all of the new
   * ones are there. The backup is verified, down to its last row, before the sink is written to. Durable on return.
   *
   * Rejects with BACKUP_UNKNOWN, BACKUP_INVALID, TABLE_MISMATCH, FENCED when another process restores the same version,
   * the sink's errors, the archive's, DISK, MEMORY, INTERRUPTED; the rows then are as they were.
   */
  restore(sink: Sink, contract: Contract, options: RestoreOptions = {}): Promise<Restored> {
    const { engine, context, folder: parent, archive } = this.#options;
    return inTemporaryFolder(parent, context.now(), (folder) =>
      restoreTable({
        ...{ sink, contract, archive, engine, context, folder, listing: this.#listing },
        version: options.version,
        format: options.format ?? "parquet",
        patience: this.#patience(sink, options.signal),
      }),
    );
  }

  /**
   * Removes all backups of the table that are older than its newest `keep` sound ones, and what unfinished ones older
   * than a day have left. Durable on return. Resolves with the versions removed, newest first.
   */
  prune(table: string, keep: number): Promise<string[]> {
    return this.#listing.prune(table, keep);
  }

  /** A sink that goes away while it is read is read once more, from the start. */
  async #read(sink: Sink, contract: Contract, folder: string, options: BackupOptions) {
    const { engine } = this.#options;
    const patience = this.#patience(sink, options.signal);
    const lineage = await patiently(patience, () => findLineage(sink, contract));
    const columns = backupColumns(contract, lineage);
    const reading = {
      engine,
      sink,
      columns,
      table: contract.table,
      signal: patience.signal,
    };
    const onSnapshot = options.onSnapshot ?? (() => undefined);
    const spooled = await patiently(patience, async (attempt) => {
      const local = join(folder, `attempt-${attempt}`);
      await mkdir(local);
      try {
        return { ...(await readTable({ ...reading, folder: local, onSnapshot })), folder: local };
      } catch (error) {
        await rm(local, { recursive: true, force: true });
        throw error;
      }
    });
    return { ...spooled, columns };
  }

  #patience(sink: Sink, signal = new AbortController().signal): Patience {
    const { context } = this.#options;
    const onEvent: Patience["onEvent"] = (event) => {
      if (event.event === "waiting") context.notice(`${event.text}; waiting for it`);
    };
    const classify: Sink["classify"] = (error) => (isOwn(error) ? "stop" : sink.classify(error));
    const explain: Sink["explain"] = (error) => sink.explain(error);
    return { sink: { classify, explain }, context, onEvent, totalMs: limit.retryTotalMs, signal };
  }
}

/** Failures of this machine's files and engine look like some sinks' own, and do not pass by waiting for the sink. */
const ownCodes: ReadonlySet<string> = new Set(["DISK", "MEMORY", "INTERRUPTED", "INTERNAL"]);

function isOwn(error: unknown): boolean {
  return error instanceof MillraceError && ownCodes.has(error.code);
}

async function fileOf(folder: string, format: BackupFormat): Promise<BackupFile> {
  const name = fileNames[format];
  return { name, format, ...(await fingerprint(join(folder, name))) };
}

/** The manifest comes last. Of a backup that cannot be kept whole nothing stays, as far as the archive can be had. */
async function keepFiles(archive: Archive, manifest: BackupManifest, folder: string): Promise<void> {
  const { table, version, files } = manifest;
  const names = [...files.map(({ name }) => name), fileNames.manifest];
  const nameOf = (file: string): string => backupFileName({ table, version, file });
  try {
    for (const file of names) await archive.put(nameOf(file), join(folder, file));
  } catch (error) {
    // The first failure is the one to tell; what stays is no backup, and `prune` removes it a day later.
    for (const file of names.toReversed()) await archive.remove(nameOf(file)).catch(() => undefined);
    throw error;
  }
}
