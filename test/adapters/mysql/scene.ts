import { createConnection } from "mysql2/promise";
import type { SinkOptions } from "../../../src/core/pipeline.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { mysqlSink } from "../../../src/adapters/mysql/index.ts";
import { readValue } from "../../../src/adapters/mysql/values.ts";
import type { EngineRow } from "../../../src/ports/engine.ts";
import type { Sink } from "../../../src/ports/sink.ts";
import { context } from "../postgres/scene.ts";

export function makeSink(url: string, options: SinkOptions = {}): Sink {
  return mysqlSink(parsePlace(url), options, context);
}

/** Runs SQL by a connection of its own, as a session of the server's own settings, and gives the rows of the last statement. */
export async function run(url: string, sql: string): Promise<EngineRow[]> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const client = await createConnection({
    host: hostname,
    port: Number(port),
    user: username,
    password,
    database: pathname.slice(1),
    multipleStatements: true,
    typeCast: readValue,
  });
  client.on("error", () => {}); // A server that is going down fails the query as well.
  try {
    await client.query("set time_zone = '+00:00'");
    const [result] = await client.query(sql);
    const results = Array.isArray(result) ? result : [];
    const last: unknown = Array.isArray(results.at(-1)) ? results.at(-1) : results;
    return last as EngineRow[];
  } finally {
    await client.end();
  }
}

/** Empties the server's database. */
export async function freshDatabase(url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  await run(url.replace(/\/[^/]*$/, "/information_schema"), `drop database if exists ${name}; create database ${name}`);
}
