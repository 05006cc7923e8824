import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";

/** What one of the two files of a log holds, and how it is written. */
export interface FileKind {
  readonly name: string;
  /** Tells it from the SQLite files of other programs. */
  readonly applicationId: number;
  /** Raised when the tables change shape; a later one is refused rather than misread. */
  readonly version: number;
  readonly schema: string;
  /** `extra`: a commit is on the disk when it returns. `normal`: it may be lost with the power, and is never half there. */
  readonly synchronous: "extra" | "normal";
}

/** Records, and where lanes begin and end. */
export const recordsFile: FileKind = {
  name: "log.db",
  applicationId: 0x4d696c4c,
  version: 1,
  schema: `
create table log (incarnation text not null, boot text not null, steady_ms real not null, age_ms real not null) strict;
create table lane (lane integer primary key, first integer not null, next integer not null) strict;
create table piece (id integer primary key, records integer not null, age_ms integer not null, bytes blob not null) strict;
`,
  synchronous: "extra",
};

/** Who reads, and how far: what can be told again. */
export const readersFile: FileKind = {
  name: "readers.db",
  applicationId: 0x4d696c52,
  version: 1,
  schema: `
create table log (incarnation text not null) strict;
create table reader_group (name text primary key, shares text not null) strict;
create table member (id text primary key, name text not null, boot text not null, until_ms real not null) strict;
create table settled (name text not null, lane integer not null, next integer not null, primary key (name, lane)) strict;
`,
  synchronous: "normal",
};

/** Ids of pieces: the lane in the upper 10 bits of 63, the offset of the first record in the others. */
const offsetBits = 53n;

export function pieceId(lane: bigint, offset: bigint): bigint {
  return (lane << offsetBits) + offset;
}

export function offsetOfPiece(id: bigint): bigint {
  return BigInt.asUintN(Number(offsetBits), id);
}

/** Of a database page. Records are many pages long, and a commit writes few of them. */
const pageBytes = 8_192;
/** How long a lock is waited for with this thread standing still. */
const standstillMs = 10;

type Opener = new (path: string, options: { timeout: number; readBigInts: boolean }) => DatabaseSync;

/** Loads SQLite, which comes with Node: not before a log is used. */
export async function loadSqlite(): Promise<Opener> {
  return (await import("node:sqlite")).DatabaseSync;
}

/** Opens a file of the log, and creates it with the folders above it. Integers are bigints. Throws what SQLite throws. */
function openFile(sqlite: Opener, folder: string, kind: FileKind, shown: string): DatabaseSync {
  const path = join(folder, kind.name);
  createFile(path);
  requireFile(path, kind, shown);
  const database = new sqlite(path, { timeout: standstillMs, readBigInts: true });
  try {
    // Before the first page is written.
    database.exec(`pragma page_size = ${pageBytes}`);
    prepare(database, kind, shown);
    setUp(database, kind);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite takes a file that is shorter than its smallest page for a new one, and would write over it. */
const pageBytesMin = 512;

function requireFile(path: string, { name }: FileKind, shown: string): void {
  const found = statSync(path);
  if (found.isFile() && (found.size === 0 || found.size >= pageBytesMin)) return;
  throw new MillraceError("FILE_FORMAT", `${shown}: what is called ${name} is no file of a log`, {
    remedy: "Name another folder: it is created when it is missing.",
  });
}

/** Opens files for `work`, and closes those that are open when it throws. */
export function withFiles<Result>(
  sqlite: Opener,
  { folder, shown }: { readonly folder: string; readonly shown: string },
  work: (open: (kind: FileKind) => DatabaseSync) => Result,
): Result {
  const opened: DatabaseSync[] = [];
  try {
    return work((kind) => {
      const database = openFile(sqlite, folder, kind, shown);
      opened.push(database);
      return database;
    });
  } catch (error) {
    for (const database of opened) database.close();
    throw error;
  }
}

function setUp(database: DatabaseSync, { synchronous }: FileKind): void {
  // With a write-ahead log readers wait for nobody, and see a commit when it is synced and not before. Where a file
  // system has not what it takes, SQLite stays with its journal, which `extra` makes durable too.
  database.exec(`
pragma journal_mode = wal; pragma synchronous = ${synchronous};
pragma fullfsync = on; pragma checkpoint_fullfsync = on;
pragma wal_autocheckpoint = ${limit.embeddedAheadBytes / pageBytes};
pragma journal_size_limit = ${2 * limit.embeddedAheadBytes};
`);
}

/** Makes the tables in a new file. Throws FILE_FORMAT for a database of another program, which is left as it is. */
function prepare(database: DatabaseSync, kind: FileKind, shown: string): void {
  if (!isNew(database, kind, shown)) return;
  inTransaction(database, () => {
    if (!isNew(database, kind, shown)) return;
    database.exec(`${kind.schema}
pragma application_id = ${kind.applicationId}; pragma user_version = ${kind.version};`);
  });
}

function isNew(database: DatabaseSync, kind: FileKind, shown: string): boolean {
  const found = database
    .prepare(
      `select application_id as id, user_version as version, (select count(*) from sqlite_schema) as things
from pragma_application_id, pragma_user_version`,
    )
    .get();
  if (found?.["id"] === BigInt(kind.applicationId)) return requireReadable(Number(found["version"]), kind, shown);
  if (found?.["id"] === 0n && found["things"] === 0n) return true;
  throw new MillraceError("FILE_FORMAT", `${shown}: ${kind.name} is the database of another program`, {
    remedy: "Name another folder: it is created when it is missing.",
  });
}

function requireReadable(found: number, kind: FileKind, shown: string): false {
  if (found <= kind.version) return false;
  throw new MillraceError("FILE_FORMAT", `${shown} was written by a later version of Millrace`, {
    remedy: "Use that version, or another folder.",
  });
}

/** Creates the file for its owner alone, and the folders above it likewise. */
function createFile(path: string): void {
  const folder = dirname(path);
  const topmost = mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    // Never opened where it is there already: to close it would drop the locks that this process has on it (POSIX).
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return;
  }
  syncNames(folder, topmost === undefined ? folder : dirname(topmost));
}

/** Makes the names in a folder durable, and in those above it up to the one that was there before. */
function syncNames(folder: string, upTo: string): void {
  // Windows has no such thing, and keeps names by itself.
  if (process.platform === "win32") return;
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  if (resolve(folder) !== resolve(upTo)) syncNames(dirname(folder), upTo);
}

/** Runs `work` with the write lock; undone when `work` throws. */
export function inTransaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec("begin immediate");
  try {
    const result = work();
    database.exec("commit");
    return result;
  } catch (error) {
    // SQLite itself rolls back on errors such as a full disk.
    if (database.isTransaction) database.exec("rollback");
    throw error;
  }
}

/** Which file stands under a path: another one has another number. Undefined when there is none. */
export function fileNumber(folder: string): string | undefined {
  const found = statSync(join(folder, recordsFile.name), { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}

export type Row = Readonly<Record<string, SQLOutputValue>>;

export function bigintOf(row: Row | undefined, name: string): bigint {
  const value = row?.[name];
  if (typeof value === "bigint") return value;
  throw new TypeError(`${name} is no whole number`);
}
