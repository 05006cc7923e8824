import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { Client } from "pg";
import { quoteIdentifier, quoteLiteral } from "../../src/core/identifier.ts";
import type { SyntheticRow } from "./synthetic.ts";

/** A place to load into, and a way to read its table that shares nothing with the sink. */
export interface CrashPlace {
  readonly url: string;
  readRows(): Promise<SyntheticRow[]>;
}

export const table = "hired";

/** A folder for one test; `remove` deletes it. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "millrace-crash-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

const columns = (timestamp: string): string =>
  `cast(id as varchar), name, ${timestamp}, cast(department_id as varchar), cast(job_id as varchar)`;

const duckdbColumns = columns("strftime(\"datetime\", '%Y-%m-%dT%H:%M:%S')");

export function duckdbPlace(folder: string): CrashPlace {
  const path = join(folder, "crash.duckdb");
  return { url: `duckdb:${path}`, readRows: () => readDuckdb(path, `select ${duckdbColumns} from ${table}`) };
}

async function readDuckdb(path: string, sql: string): Promise<SyntheticRow[]> {
  const instance = await DuckDBInstance.create(path, path === ":memory:" ? {} : { access_mode: "READ_ONLY" });
  try {
    const connection = await instance.connect();
    const reader = await connection.runAndReadAll(sql);
    return reader.getRows() as unknown as SyntheticRow[];
  } finally {
    instance.closeSync();
  }
}

export function filePlace(folder: string): CrashPlace {
  const root = join(folder, "out");
  return { url: `file:${root}`, readRows: () => readParts(join(root, table)) };
}

interface Manifest {
  readonly parts: readonly { readonly file: string }[];
}

/** As a reader without SQLite would: the parts that the manifest names. */
async function readParts(folder: string): Promise<SyntheticRow[]> {
  const { parts } = JSON.parse(readFileSync(join(folder, "_manifest.json"), "utf8")) as Manifest;
  const files = parts.map(({ file }) => quoteLiteral(join(folder, file))).join(", ");
  return readDuckdb(":memory:", `select ${duckdbColumns} from read_parquet([${files}])`);
}

/** A schema of its own in a server that several tests share. */
export function postgresPlace(serverUrl: string, schema: string): CrashPlace {
  const sql = `select ${columns("to_char(datetime, 'YYYY-MM-DD\"T\"HH24:MI:SS')")} from ${quoteIdentifier(schema)}.${table}`;
  return {
    url: `${serverUrl}?schema=${schema}`,
    readRows: () =>
      withClient(serverUrl, async (client) => {
        const { rows } = await client.query<string[]>({ text: sql, rowMode: "array" });
        return rows as unknown as SyntheticRow[];
      }),
  };
}

export async function withClient<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {}); // The server may be killed meanwhile; the statement under way tells.
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
