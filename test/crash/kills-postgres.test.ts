import { afterAll, beforeAll, test } from "vitest";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { postgresPlace, temporaryFolder } from "./crash-place.ts";
import { moments } from "./deaths.ts";
import { append, atomic, killsInAll, merge, parallel, patienceMs, survive } from "./kill-series.ts";

const manners = [append, merge, parallel, atomic];
const kills = Math.ceil(killsInAll / 2 / manners.length);
const blows = [...moments, "byParent"] as const;

describeWith("postgres", "loaders into PostgreSQL, killed again and again, lose and double nothing", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test.each(manners)("$name", { timeout: patienceMs(kills) }, async (manner) => {
    const folder = temporaryFolder();
    try {
      const place = postgresPlace(server.url, `crash_${manners.indexOf(manner)}`);
      await survive({ place, folder: folder.path, manner, blows, kills });
    } finally {
      folder.remove();
    }
  });
});
