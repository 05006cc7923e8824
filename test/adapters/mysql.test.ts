import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quoteName } from "../../src/adapters/mysql/names.ts";
import { sinkConformance } from "../../src/conformance/index.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { describeWith } from "../servers/not-run.ts";
import type { RestartableServer } from "../servers/server.ts";
import { makeRows, urlWith } from "./postgres/scene.ts";
import { makeSink, run } from "./mysql/scene.ts";

describeWith("mariadb", "MariaDB", () => {
  let server: RestartableServer;
  let databases = 0;

  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server.stop());

  sinkConformance({
    name: "mariadb",
    api: { describe, it, expect },
    skips: {
      "keeps columns of any name in a table of any name":
        "MySQL's names have no characters beyond U+FFFF; the others are tried in mysql/place.test.ts",
    },
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
          const there = await run(url, `show tables where tables_in_${database} = '${table.replaceAll("'", "''")}'`);
          return there.length === 1 ? run(url, `select * from ${quoteName(table)}`) : [];
        },
        dropTable: async (table) => {
          await run(url, `drop table ${quoteName(table)}`);
        },
        dispose: async () => {
          await run(server.url, `drop database ${database}`);
        },
      };
    },
  });
});
