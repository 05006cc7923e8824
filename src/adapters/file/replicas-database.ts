import type { DatabaseSync, StatementSync } from "node:sqlite";
import { createFile, prepareFile, requireFile } from "./store-file.ts";

/** How long a lock is waited for with this process standing still; beyond it the event loop goes on meanwhile. */
const standstillMs = 10;

/**
 * Beside the store's own table. A content's rows are written first and shown by the one row of its replica; content that no
 * replica has is kept for a while behind when it was touched last, for those who still read or write it.
 */
const schema = `
create table if not exists millrace_replica (
  place integer primary key autoincrement, name text not null unique, content integer, rows integer not null, meta text not null
) strict;
create table if not exists millrace_replica_content (
  content integer primary key autoincrement, id text not null, touched_ms integer not null
) strict;
create table if not exists millrace_replica_row (
  content integer not null, row integer not null, key text not null, value text not null, primary key (content, row)
) strict, without rowid;
`;

export const statements = {
  names: "select name from millrace_replica order by place desc",
  look: "select r.*, c.id from millrace_replica r left join millrace_replica_content c using (content) where name = ?",
  /** A new place: that of the latest. */
  register: `insert into millrace_replica (name, rows, meta) values (?1, 0, ?2)
on conflict (name) do update set meta = excluded.meta, place = (select max(place) + 1 from millrace_replica)`,
  fill: "update millrace_replica set content = ?, rows = ?, meta = ? where name = ?",
  clear: "update millrace_replica set content = null, rows = 0 where name = ?",
  remove: "delete from millrace_replica where name = ?",
  newContent: "insert into millrace_replica_content (id, touched_ms) values (?, ?)",
  touch: "update millrace_replica_content set touched_ms = ? where content = ?",
  retire: `update millrace_replica_content set touched_ms = ?
where content = (select content from millrace_replica where name = ?)`,
  /** Of this connection alone: what is to be cleared. A piece may be larger than memory should hold. */
  expectClear: "insert into temp.millrace_clear (key, value) values (?, ?)",
  forgetClear: "delete from temp.millrace_clear",
  clearBefore: "delete from millrace_replica_row where content = ? and row < ?",
  clearRows: `delete from millrace_replica_row where content = ?1 and row in (
select r.row from millrace_replica_row r join temp.millrace_clear c on c.key = r.key and c.value = r.value where r.content = ?1)`,
  countRows: "update millrace_replica set rows = rows - ? where name = ?",
  hasContent: "select 1 from millrace_replica_content where content = ?",
  addRow: "insert into millrace_replica_row (content, row, key, value) values (?, ?, ?, ?)",
  page: "select row, key, value from millrace_replica_row where content = ?1 and row >= ?2 order by row limit ?3",
  oldContent: `select content from millrace_replica_content c
where touched_ms < ? and not exists (select 1 from millrace_replica r where r.content = c.content) limit 1`,
  pruneRows: `delete from millrace_replica_row
where content = ?1 and row in (select row from millrace_replica_row where content = ?2 limit ?3)`,
  pruneContent: "delete from millrace_replica_content where content = ?",
} as const;

export interface OpenedReplicas {
  readonly database: DatabaseSync;
  readonly prepared: Readonly<Record<keyof typeof statements, StatementSync>>;
}

/** Opens the file, which is created when it is missing. */
export async function openDatabase(path: string, shown: string): Promise<OpenedReplicas> {
  // Loaded here, so that reading files does not load SQLite.
  const { DatabaseSync } = await import("node:sqlite");
  createFile(path);
  requireFile(path, shown);
  const database = new DatabaseSync(path, { timeout: standstillMs });
  try {
    prepareFile(database, shown);
    database.exec(schema);
    database.exec(
      "create temp table millrace_clear (key text not null, value text not null, primary key (key)) strict",
    );
    const prepared = Object.fromEntries(
      Object.entries(statements).map(([name, sql]) => [name, database.prepare(sql)]),
    ) as OpenedReplicas["prepared"];
    return { database, prepared };
  } catch (error) {
    database.close();
    throw error;
  }
}
