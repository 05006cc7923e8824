import { describe, expect, it } from "vitest";
import { classify, explain } from "../../../src/adapters/duckdb/errors.ts";

// Texts of DuckDB 1.5.5 as it gave them: its driver gives no code to go by.
const texts: readonly (readonly [string, ReturnType<typeof classify>, string])[] = [
  ['Constraint Error: Duplicate key "id: 1" violates primary key constraint.', "row", "SINK_REFUSED"],
  ["Conversion Error: Type INT64 with value 300 can't be cast to INT8\n\nLINE 1: insert", "row", "SINK_REFUSED"],
  ["TransactionContext Error: Conflict on update!", "wait", "SINK_BUSY"],
  [
    'TransactionContext Error: Failed to commit: PRIMARY KEY or UNIQUE constraint violation: duplicate key "9"',
    "wait",
    "SINK_BUSY",
  ],
  [
    'IO Error: Could not set lock on file "/x.db": Conflicting lock is held in /bin/node (PID 42).',
    "wait",
    "SINK_BUSY",
  ],
  [
    'TransactionContext Error: Failed to commit: Could not write file "/x.db.wal": No space left on device',
    "wait",
    "SINK_FULL",
  ],
  [
    'IO Error: Checkpoint failed for database "x". The database has been invalidated. Original error: Could not write',
    "wait",
    "SINK_BUSY",
  ],
  ["Out of Memory Error: could not allocate block of size 256.0 KiB (244.0 MiB/244.1 MiB used)", "stop", "MEMORY"],
  [
    'Invalid Input Error: Cannot execute statement of type "INSERT" on database "x" which is attached in read-only mode!',
    "stop",
    "SINK_READ_ONLY",
  ],
  ['IO Error: Cannot open file "/x.db": Permission denied', "stop", "SINK_DENIED"],
  [
    "IO Error: Trying to read a database file with version number 99, but we can only read versions between 64 and 67.",
    "stop",
    "FILE_FORMAT",
  ],
  ["Catalog Error: Table with name nowhere does not exist!\n\nLINE 1: select", "stop", "SINK_REFUSED"],
];

describe("an error of DuckDB", () => {
  it.each(texts)("%s", (text, kind, code) => {
    const error = new Error(text);
    const explained = explain(error, "duckdb:x.db");
    expect(classify(error)).toBe(kind);
    expect(explained).toMatchObject({ code, cause: error });
    expect(explained.message).not.toContain("LINE 1");
  });
});
