import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Proxy } from "../adapters/mysql/proxy.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { describeWith } from "../servers/not-run.ts";
import type { RestartableServer } from "../servers/server.ts";
import { expectExactlyOnce } from "./balance.ts";
import { table, temporaryFolder } from "./crash-place.ts";
import { moments } from "./deaths.ts";
import { append, expectNothingLeft, killsInAll, type Manner, merge, patienceMs, survive } from "./kill-series.ts";
import type { LoaderPlan } from "./loader.ts";
import { mysqlPlace } from "./mysql-place.ts";
import { startLoader, summaryOf } from "./processes.ts";
import { synthesize, syntheticContract } from "./synthetic.ts";

const kills = Math.ceil(killsInAll / 26);
// The moment of the first bytes of a COPY is one of PostgreSQL's protocol.
const blows = [...moments.filter((moment) => moment !== "firstCopyBytes"), "byParent"] as const;
/** Those that are due in a series so short: what is done in a unit, above all. */
const first = blows.indexOf("afterRead");
const timeout = 180_000;

describeWith("mariadb", "loads into MariaDB lose and double nothing", () => {
  let server: RestartableServer;
  let databases = 0;
  beforeAll(async () => {
    server = await startMariadb({ durable: true });
  });
  afterAll(() => server.stop());

  test("killed again and again", { timeout: patienceMs(kills) }, async () => {
    const folder = temporaryFolder();
    try {
      const place = await mysqlPlace(server.url, "crash");
      const turned = [...blows.slice(first), ...blows.slice(0, first)];
      await survive({ place, folder: folder.path, manner: merge, blows: turned, kills });
    } finally {
      folder.remove();
    }
  });

  /** One load, checked to the last record when `work` has done its worst. */
  async function loadThrough(manner: Manner, work: (plan: LoaderPlan) => Promise<void>): Promise<void> {
    const folder = temporaryFolder();
    try {
      const file = synthesize({ seed: 11, records: 10_000 });
      const from = join(folder.path, "hired.csv");
      writeFileSync(from, file.text);
      databases += 1;
      const place = await mysqlPlace(server.url, `outage_${databases}`);
      const { mode, parallel, atomic } = manner;
      const contract = syntheticContract(table, mode === "merge");
      const plan = { from, to: place.url, contract, mode, parallel, atomic, batchBytes: 64 * 1024 };
      await work(plan);
      await expectExactlyOnce(place, file);
      await expectNothingLeft(plan, file);
    } finally {
      folder.remove();
    }
  }

  test("when the server is killed and started again", { timeout }, () =>
    loadThrough(append, async (plan) => {
      const loader = startLoader(plan);
      for (const nth of [2, 5]) {
        await loader.event(({ event }) => event === "batch", nth);
        await server.kill9();
        await server.start();
      }
      expect(summaryOf(await loader.ended)).toMatchObject({ balanced: true });
    }),
  );

  test("when the answers to commits are lost", { timeout }, () =>
    loadThrough(merge, async (plan) => {
      let commits = 0;
      let stolen = 0;
      let isNext = false;
      await using proxy = await Proxy.before(plan.to, {
        fromClient(bytes) {
          if (bytes.subarray(4).toString("latin1") === "\u0003commit") {
            commits += 1;
            isNext = commits % 3 === 0;
          }
          return bytes;
        },
        fromServer(bytes, link) {
          if (!isNext) return bytes;
          isNext = false;
          stolen += 1;
          link.cut();
          return undefined;
        },
      });
      expect(summaryOf(await startLoader({ ...plan, to: proxy.url }).ended)).toMatchObject({ balanced: true });
      expect(stolen).toBeGreaterThan(2);
    }),
  );
});
