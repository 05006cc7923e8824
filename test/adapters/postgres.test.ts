import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quoteIdentifier } from "../../src/core/identifier.ts";
import { sinkConformance } from "../../src/conformance/index.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { RestartableServer } from "../servers/server.ts";
import { makeRows, makeSink, run, urlWith } from "./postgres/scene.ts";

let server: RestartableServer;
let databases = 0;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

sinkConformance({
  name: "postgres",
  api: { describe, it, expect },
  skips: {},
  makeRows: async (columns, objects) => makeRows(columns, objects),
  create: async () => {
    databases += 1;
    const database = `place_${databases}`;
    await run(server.url, `create database ${database}`);
    const url = urlWith(server.url, { database });
    return {
      sink: makeSink(url),
      other: async () => makeSink(url),
      readTable: async (table) => {
        const [found] = await run(
          url,
          `select to_regclass('${quoteIdentifier(table).replaceAll("'", "''")}') is not null as there`,
        );
        return found?.["there"] === true ? run(url, `select * from ${quoteIdentifier(table)}`) : [];
      },
      dropTable: async (table) => {
        await run(url, `drop table ${quoteIdentifier(table)}`);
      },
      dispose: async () => {
        await run(server.url, `drop database ${database} with (force)`);
      },
    };
  },
});
