import { join } from "node:path";
import type { Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import type { Engine } from "../engine/engine.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Archive } from "../ports/archive.ts";
import type { Sink } from "../ports/sink.ts";
import { fingerprint } from "./backup-file.ts";
import { type BackupListing, type KeptVersion, requireFile, unknownBackup } from "./backup-listing.ts";
import { type BackupFile, type BackupManifest, differenceOf, invalid } from "./backup-manifest.ts";
import { type BackupFormat, isVersion } from "./backup-name.ts";
import { interrupted } from "./interruption.ts";
import type { Patience } from "./patience.ts";

export interface Restoring {
  readonly sink: Sink;
  /** Today's. */
  readonly contract: Contract;
  readonly archive: Archive;
  readonly listing: BackupListing;
  readonly engine: Engine;
  readonly context: AdapterContext;
  /** An empty local folder. */
  readonly folder: string;
  readonly version: string | undefined;
  readonly format: BackupFormat;
  readonly patience: Patience;
}

/** A backup's file on this machine, the very bytes that its manifest is about. */
export interface Fetched {
  readonly manifest: BackupManifest;
  readonly path: string;
  /** In the archive. */
  readonly name: string;
}

/** Fetches the file to restore from. Throws BACKUP_UNKNOWN, BACKUP_INVALID, DISK, INTERRUPTED, the archive's errors. */
export async function fetchBackup(restoring: Restoring): Promise<Fetched> {
  const { archive, listing, contract, folder, format, version } = restoring;
  const { table } = contract;
  if (version !== undefined && !isVersion(version)) throw unknownBackup(archive, table, version);
  const kept = await listing.find(table, version);
  if (kept === undefined) throw unknownBackup(archive, table, version);
  const manifest = await listing.manifest(kept, folder);
  const difference = differenceOf(manifest, contract);
  if (difference !== undefined) throw invalid(named(kept), difference);
  const file = manifest.files.find((one) => one.format === format);
  if (file === undefined) throw invalid(named(kept), `it has no file of the format ${format}`);
  const { name } = requireFile(kept, file);
  const path = join(folder, `fetched-${file.name}`);
  await fetchFile(archive, name, path, named(kept));
  await requireContent(path, file, named(kept));
  stopIfAborted(restoring.patience);
  return { manifest, path, name };
}

async function fetchFile(archive: Archive, name: string, path: string, source: string): Promise<void> {
  try {
    await archive.get(name, path);
  } catch (error) {
    const isGone = error instanceof MillraceError && error.code === "FILE_MISSING";
    throw isGone ? invalid(source, `${name} is missing`, error) : error;
  }
}

async function requireContent(path: string, file: BackupFile, source: string): Promise<void> {
  const { bytes, sha256 } = await fingerprint(path);
  if (bytes !== file.bytes)
    throw invalid(source, `${file.name} has ${bytes} bytes, and its manifest says ${file.bytes}`);
  if (sha256 !== file.sha256) throw invalid(source, `${file.name} is damaged: its SHA-256 is not that of its manifest`);
}

export function named({ table, version }: Pick<KeptVersion, "table" | "version">): string {
  return `${table} ${version}`;
}

export function stopIfAborted({ signal }: Patience): void {
  if (signal.aborted) throw interrupted();
}
