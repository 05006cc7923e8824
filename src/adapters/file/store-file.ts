import { closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { MillraceError } from "../../core/error.ts";
import { syncFolder } from "./catalog.ts";

/** "Mill": tells a store from the SQLite files of other programs. */
const applicationId = 0x4d696c6c;
/** Raised when the table changes shape; a store of a later version is refused rather than misread. */
const version = 1;

/** An id of AUTOINCREMENT is never given twice, not even after its row was removed: so it is the version. */
const schema = `
create table millrace_store (
  version integer primary key autoincrement, key text not null unique, value text not null
) strict;
pragma application_id = ${applicationId};
pragma user_version = ${version};
`;

/** Creates the file for its owner alone, as it may hold hashes of passwords, and the folders above it likewise. */
export function createFile(path: string): void {
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
  syncFolder(folder);
  if (resolve(folder) !== resolve(upTo)) syncNames(dirname(folder), upTo);
}

/** SQLite takes a file that is shorter than its smallest page for a new one, and would write over it. */
const pageBytesMin = 512;

/** Throws FILE_NOT_A_FILE, as for a folder, and FILE_FORMAT for a few bytes of something else. */
export function requireFile(path: string, shown: string): void {
  const found = statSync(path);
  if (!found.isFile()) {
    throw new MillraceError("FILE_NOT_A_FILE", `${shown} is not a file`, {
      remedy: "Name a file in it, such as users.db: it is created when it is missing.",
    });
  }
  if (found.size === 0 || found.size >= pageBytesMin) return;
  throw new MillraceError("FILE_FORMAT", `${shown} is no store, but ${found.size} bytes of something else`, {
    remedy: "Name another file: it is created when it is missing.",
  });
}

/** Whether every user of this machine may read or write the file: then somebody else made it, or opened it up. */
export function isOpenToAll(path: string): boolean {
  return process.platform !== "win32" && (statSync(path).mode & 0o007) !== 0;
}

/**
 * Makes the table in a new file, and sets the connection up. Throws FILE_FORMAT for a database of another program, which
 * is left as it is, and SQLite's own error when the file is busy: then all of it can be done again.
 */
export function prepareFile(database: DatabaseSync, shown: string): void {
  if (isNew(database, shown)) {
    database.exec("begin immediate");
    try {
      if (isNew(database, shown)) database.exec(schema);
      database.exec("commit");
    } catch (error) {
      if (database.isTransaction) database.exec("rollback");
      throw error;
    }
  }
  // With a write-ahead log nobody who reads waits for a writer. Where a file system has not what it takes, SQLite stays
  // with its journal, which EXTRA makes durable too: FULL would not sync the folder that it is unlinked from.
  database.exec("pragma journal_mode = wal; pragma synchronous = extra;");
}

/** Whether there is nothing in the file yet. Throws when what is there is no store that this version can read. */
function isNew(database: DatabaseSync, shown: string): boolean {
  const found = database
    .prepare(
      `select application_id as id, user_version as version, (select count(*) from sqlite_schema) as things
from pragma_application_id, pragma_user_version`,
    )
    .get();
  if (found?.["id"] === applicationId) return requireReadable(Number(found["version"]), shown);
  if (found?.["id"] === 0 && found["things"] === 0) return true;
  throw new MillraceError("FILE_FORMAT", `${shown} is the database of another program`, {
    remedy: "Name another file: it is created when it is missing.",
  });
}

function requireReadable(found: number, shown: string): false {
  if (found <= version) return false;
  throw new MillraceError("FILE_FORMAT", `${shown} was written by a later version of Millrace`, {
    remedy: "Use that version, or another file.",
  });
}
