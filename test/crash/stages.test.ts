import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startKafka } from "../servers/kafka.ts";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { duckdbPlace, postgresPlace, temporaryFolder } from "./crash-place.ts";
import { type Subject, summaryOf } from "./processes.ts";
import { expectExact, killedBefore, scene, start, toItsEnd } from "./stage-scene.ts";
import type { StagePlan } from "./stage-worker.ts";
import { synthesize } from "./synthetic.ts";

describe("stages over the embedded log, killed between append and commit, lose and double nothing", () => {
  test("one after another, into a DuckDB file", { timeout: 180_000 }, async () => {
    const folder = temporaryFolder();
    try {
      const file = synthesize({ seed: 11, records: 3_000 });
      const place = duckdbPlace(folder.path);
      const plan = {
        ...scene(folder.path, file, false),
        via: `log:${join(folder.path, "sent")}?lanes=3`,
        to: place.url,
      };
      await killedBefore({ ...plan, stage: "1" }, [1, 3]);
      await toItsEnd({ ...plan, stage: "1" });
      await killedBefore({ ...plan, stage: "2" }, [2]);
      await toItsEnd({ ...plan, stage: "2" });
      await expectExact(place, file, 500);
    } finally {
      folder.remove();
    }
  });
});

describeWith("kafka", "stages over Kafka", () => {
  describeWith("postgres", "into PostgreSQL", () => {
    let kafka: Server;
    let postgres: Server;
    beforeAll(async () => {
      [kafka, postgres] = await Promise.all([startKafka(), startPostgres()]);
    }, 120_000);
    afterAll(() => Promise.all([kafka.stop(), postgres.stop()]));

    test("two processes share the second, one of them killed, and nothing is lost or doubled", async () => {
      const folder = temporaryFolder();
      const workers: Subject[] = [];
      try {
        const file = synthesize({ seed: 12, records: 4_000 });
        const place = postgresPlace(postgres.url, "stages");
        const via = `${kafka.url}/sent?partitions=4&session_ms=6000`;
        const plan = { ...scene(folder.path, file, true), via, to: place.url };
        const second: StagePlan = { ...plan, stage: "2", follow: true };
        await killedBefore({ ...plan, stage: "1" }, [2]);
        workers.push(start(second), start(second));
        await Promise.all(workers.map((worker) => worker.event(({ event }) => event === "lane")));
        workers[0]?.kill("SIGKILL");
        await killedBefore({ ...plan, stage: "1" }, [2]);
        await toItsEnd({ ...plan, stage: "1" });
        await vi.waitFor(async () => expect(await place.readRows()).toHaveLength(file.good.length), {
          timeout: 60_000,
          interval: 500,
        });
        // What came twice stands behind: it is read to its end too.
        await toItsEnd({ ...second, follow: false });
        workers[1]?.kill("SIGTERM");
        summaryOf((await workers[1]?.ended) ?? expect.fail("it was not started"));
        await expectExact(place, file, 200);
      } finally {
        for (const worker of workers) worker.kill("SIGKILL");
        folder.remove();
      }
    }, 240_000);
  });
});
