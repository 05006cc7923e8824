import { join } from "node:path";
import { MillraceError } from "../core/error.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Archive, ArchiveEntry } from "../ports/archive.ts";
import { textOf } from "./backup-file.ts";
import { inTemporaryFolder } from "./backup-folder.ts";
import { type BackupManifest, invalid, parseManifest } from "./backup-manifest.ts";
import { backupPrefix, fileNames, parseBackupName, versionTime } from "./backup-name.ts";

/** A backup as a listing shows it. */
export interface BackupEntry {
  readonly table: string;
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** Of all its files in the archive. */
  readonly sizeBytes: number;
  /** Undefined when it is damaged. */
  readonly rows: number | undefined;
  /** Why it cannot be restored, as far as its manifest and the files' sizes tell. */
  readonly damage?: string;
}

/** What is in the archive of one version of a table's backups. */
export interface KeptVersion {
  readonly table: string;
  readonly version: string;
  readonly files: ReadonlyMap<string, ArchiveEntry>;
}

/** Unfinished backups as old as this belong to nobody any more. */
const leftBehindMs = 24 * 3600 * 1000;
/** Far more than the columns of a contract take. */
const manifestBytesMax = 16 * 1024 * 1024;
const manifestsAtOnce = 4;

export interface ListingOptions {
  readonly archive: Archive;
  readonly context: AdapterContext;
  /** A local folder for temporary files. */
  readonly folder: string;
}

/** Knows what backups an archive has. */
export class BackupListing {
  readonly #options: ListingOptions;
  #reads = 0;

  constructor(options: ListingOptions) {
    this.#options = options;
  }

  async list(table?: string): Promise<BackupEntry[]> {
    const versions = (await this.#versions(table === undefined ? "" : backupPrefix(table))).filter(isComplete);
    const { context, folder: parent } = this.#options;
    return inTemporaryFolder(parent, context.now(), (folder) => this.#entries(versions, folder));
  }

  /** The version asked for, or the newest; undefined when there is none that is complete. */
  async find(table: string, version?: string): Promise<KeptVersion | undefined> {
    const versions = await this.#versions(backupPrefix(table, version));
    return versions.find(isComplete);
  }

  /** Reads a version's manifest by way of the local folder. Throws BACKUP_INVALID, BACKUP_UNKNOWN, DISK, the archive's errors. */
  async manifest({ table, version, files }: KeptVersion, folder: string): Promise<BackupManifest> {
    const entry = files.get(fileNames.manifest);
    if (entry === undefined) throw unknownBackup(this.#options.archive, table, version);
    const source = `${table} ${version}`;
    if (entry.sizeBytes > manifestBytesMax) throw invalid(source, `its manifest has ${entry.sizeBytes} bytes`);
    this.#reads += 1;
    const path = join(folder, `manifest-${this.#reads}.json`);
    await this.#get(entry.name, path, table, version);
    const manifest = parseManifest(await textOf(path), source);
    if (manifest.table !== table) throw invalid(source, `it is a backup of the table "${manifest.table}"`);
    if (manifest.version !== version) throw invalid(source, `its manifest is of version ${manifest.version}`);
    return manifest;
  }

  async prune(table: string, keep: number): Promise<string[]> {
    if (!Number.isInteger(keep) || keep < 0) throw new RangeError(`${keep} backups cannot be kept`);
    const { context, folder: parent } = this.#options;
    const versions = await this.#versions(backupPrefix(table));
    const entries = await inTemporaryFolder(parent, context.now(), (folder) =>
      this.#entries(versions.filter(isComplete), folder),
    );
    const sound = entries.filter(({ damage }) => damage === undefined);
    // Damaged ones are not counted: of what can be restored, so many are to stay.
    const oldest = keep === 0 ? undefined : sound[Math.min(keep, sound.length) - 1]?.version;
    const removed: string[] = [];
    for (const version of versions) {
      const isOver = isComplete(version)
        ? keep === 0 || (oldest !== undefined && version.version < oldest)
        : context.now() - (versionTime(version.version) ?? 0) > leftBehindMs;
      if (!isOver) continue;
      await this.#remove(version);
      removed.push(version.version);
    }
    return removed;
  }

  /** All versions whose names start with a prefix, newest first. */
  async #versions(prefix: string): Promise<KeptVersion[]> {
    const found = new Map<string, { table: string; version: string; files: Map<string, ArchiveEntry> }>();
    for await (const entry of this.#options.archive.list(prefix)) {
      const name = parseBackupName(entry.name);
      if (name === undefined) continue;
      const { table, version, file } = name;
      const key = backupPrefix(table, version);
      const known = found.get(key) ?? { table, version, files: new Map<string, ArchiveEntry>() };
      known.files.set(file, entry);
      found.set(key, known);
    }
    return [...found.values()].toSorted(newestFirst);
  }

  async #entries(versions: readonly KeptVersion[], folder: string): Promise<BackupEntry[]> {
    const entries: BackupEntry[] = [];
    for (let at = 0; at < versions.length; at += manifestsAtOnce) {
      const some = versions.slice(at, at + manifestsAtOnce);
      const read = await Promise.all(some.map((version) => this.#entry(version, folder)));
      for (const entry of read) if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /** Undefined for one that was removed meanwhile. */
  async #entry(kept: KeptVersion, folder: string): Promise<BackupEntry | undefined> {
    const { table, version, files } = kept;
    const sizeBytes = [...files.values()].reduce((sum, file) => sum + file.sizeBytes, 0);
    const createdAt = new Date(versionTime(version) ?? 0).toISOString();
    try {
      const manifest = await this.manifest(kept, folder);
      for (const file of manifest.files) requireFile(kept, file);
      return { table, version, createdAt, sizeBytes, rows: manifest.rows };
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      if (error.code === "BACKUP_UNKNOWN") return undefined;
      if (error.code !== "BACKUP_INVALID") throw error;
      return { table, version, createdAt, sizeBytes, rows: undefined, damage: error.message };
    }
  }

  /** The manifest goes first: what is half removed is no backup. */
  async #remove({ files }: KeptVersion): Promise<void> {
    const { archive } = this.#options;
    const names = [...files.keys()].toSorted(
      (a, b) => Number(b === fileNames.manifest) - Number(a === fileNames.manifest),
    );
    for (const name of names) await archive.remove(files.get(name)?.name ?? "");
  }

  async #get(name: string, path: string, table: string, version: string): Promise<void> {
    const { archive } = this.#options;
    try {
      await archive.get(name, path);
    } catch (error) {
      const isGone = error instanceof MillraceError && error.code === "FILE_MISSING";
      throw isGone ? unknownBackup(archive, table, version) : error;
    }
  }
}

/** Where a data file of a manifest lies. Throws BACKUP_INVALID when it is missing or of another size. */
export function requireFile(
  { table, version, files }: KeptVersion,
  file: BackupManifest["files"][number],
): ArchiveEntry {
  const source = `${table} ${version}`;
  const entry = files.get(file.name);
  if (entry === undefined) throw invalid(source, `${file.name} is missing`);
  if (entry.sizeBytes === file.bytes) return entry;
  throw invalid(source, `${file.name} has ${entry.sizeBytes} bytes, and its manifest says ${file.bytes}`);
}

export function unknownBackup(archive: Archive, table: string, version: string | undefined): MillraceError {
  const which = version === undefined ? "no backup" : `no backup of version ${JSON.stringify(version)}`;
  return new MillraceError("BACKUP_UNKNOWN", `There is ${which} of the table "${table}" in ${archive.shown}`, {
    remedy: "List the backups: those that are not complete do not count.",
    at: { table },
  });
}

function isComplete({ files }: KeptVersion): boolean {
  return files.has(fileNames.manifest);
}

function newestFirst(a: KeptVersion, b: KeptVersion): number {
  if (a.version !== b.version) return a.version < b.version ? 1 : -1;
  return a.table < b.table ? -1 : 1;
}
