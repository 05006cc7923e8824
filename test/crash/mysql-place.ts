import { createConnection } from "mysql2/promise";
import { urlWith } from "../adapters/postgres/scene.ts";
import { run } from "../adapters/mysql/scene.ts";
import { type CrashPlace, table } from "./crash-place.ts";
import type { SyntheticRow } from "./synthetic.ts";

/** A database of its own in a server that several tests share. */
export async function mysqlPlace(serverUrl: string, database: string): Promise<CrashPlace> {
  await run(serverUrl, `create database if not exists ${database}`);
  const url = urlWith(serverUrl, { database });
  return { url, readRows: () => readRows(url) };
}

async function readRows(url: string): Promise<SyntheticRow[]> {
  const client = await createConnection({ uri: url, rowsAsArray: true });
  try {
    const columns = "cast(id as char), name, date_format(datetime, '%Y-%m-%dT%H:%i:%S'), cast(department_id as char)";
    const [rows] = await client.query(`select ${columns}, cast(job_id as char) from ${table}`);
    return rows as unknown as SyntheticRow[];
  } finally {
    await client.end();
  }
}
