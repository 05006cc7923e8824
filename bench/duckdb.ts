import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import { type Contestant, expectCounts } from "./contestant.ts";
import type { Data } from "./data.ts";
import { loadArgs, type MillraceLoad, verifyDone } from "./millrace.ts";
import { runNode } from "./program.ts";
import { tableName } from "./table.ts";

const insert = fileURLToPath(new URL("./duckdb-insert.ts", import.meta.url));

/** `INSERT … SELECT * FROM read_csv` of the cleaned file: no check, no reject, no position. */
export function duckdbInsert(path: string, clean: Data): Contestant {
  return {
    name: "DuckDB INSERT … SELECT, cleaned file",
    reset: async () => remove(path),
    run: () => runNode([insert, path, clean.path]),
    verify: async () => {
      const rows = await countIn(path, tableName);
      expectCounts("DuckDB", { rows }, { rows: clean.good });
    },
  };
}

/** Millrace into a DuckDB file. */
export function intoDuckdb(path: string, load: MillraceLoad): Contestant {
  return {
    name: load.name,
    reset: async () => remove(path),
    run: () => runNode(loadArgs(load, `duckdb:${path}`)),
    verify: async (measured) => {
      verifyDone(load, measured);
      const rows = await countIn(path, tableName);
      const rejects = await countIn(path, "millrace_reject");
      expectCounts(load.name, { rows, rejects }, { rows: load.data.good, rejects: load.data.records - load.data.good });
    },
  };
}

async function countIn(path: string, table: string): Promise<number> {
  const instance = await DuckDBInstance.create(path, { access_mode: "READ_ONLY" });
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(`select count(*) from ${table}`);
    return Number(reader.getRows()[0]?.[0]);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function remove(path: string): void {
  rmSync(path, { force: true });
  rmSync(`${path}.wal`, { force: true });
}
