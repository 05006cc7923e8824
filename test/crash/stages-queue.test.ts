import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import { startRabbitmq } from "../servers/rabbitmq.ts";
import type { RestartableServer, Server } from "../servers/server.ts";
import { postgresPlace, temporaryFolder } from "./crash-place.ts";
import { type Subject, summaryOf } from "./processes.ts";
import { expectExact, killedBefore, scene, start, toItsEnd } from "./stage-scene.ts";
import type { StagePlan } from "./stage-worker.ts";
import { synthesize } from "./synthetic.ts";

describeWith(["rabbitmq", "postgres"], "stages over a queue of RabbitMQ into PostgreSQL", () => {
  let rabbitmq: RestartableServer;
  let postgres: Server;
  beforeAll(async () => {
    [rabbitmq, postgres] = await Promise.all([startRabbitmq(), startPostgres()]);
  }, 120_000);
  afterAll(() => Promise.all([rabbitmq?.stop(), postgres?.stop()]));

  test("processes are killed, the broker as well, and nothing is lost or doubled", { timeout: 240_000 }, async () => {
    const folder = temporaryFolder();
    const workers: Subject[] = [];
    try {
      const file = synthesize({ seed: 13, records: 4_000 });
      const place = postgresPlace(postgres.url, "queue_stages");
      const via = `${rabbitmq.url}/sent?records=20`;
      const plan = { ...scene(folder.path, file, false), via, to: place.url };
      const second: StagePlan = { ...plan, stage: "2", follow: true };
      await killedBefore({ ...plan, stage: "1" }, [2]);
      await killedBefore({ ...second, follow: false }, [2]);
      workers.push(start(second), start(second));
      await Promise.all(workers.map((worker) => worker.event(({ event }) => event === "lane")));
      workers[0]?.kill("SIGKILL");
      await killedBefore({ ...plan, stage: "1" }, [2]);
      await rabbitmq.kill9();
      await rabbitmq.start();
      await toItsEnd({ ...plan, stage: "1" });
      await vi.waitFor(async () => expect(await place.readRows()).toHaveLength(file.good.length), {
        timeout: 60_000,
        interval: 500,
      });
      // What came twice stands behind: it is taken too.
      await toItsEnd({ ...second, follow: false });
      workers[1]?.kill("SIGTERM");
      summaryOf((await workers[1]?.ended) ?? expect.fail("it was not started"));
      await expectExact(place, file, 200);
    } finally {
      for (const worker of workers) worker.kill("SIGKILL");
      folder.remove();
    }
  });

  test("a message that ends its process again and again is set aside, and nothing with it", {
    timeout: 120_000,
  }, async () => {
    const folder = temporaryFolder();
    try {
      const file = synthesize({ seed: 14, records: 600 });
      const place = postgresPlace(postgres.url, "queue_poison");
      const via = `${rabbitmq.url}/poisoned?records=20&deliveries=4`;
      const plan = { ...scene(folder.path, file, false), via, to: place.url };
      const second: StagePlan = { ...plan, stage: "2", follow: false };
      await toItsEnd({ ...plan, stage: "1" });
      // Three times with others, then alone.
      await killedBefore(second, [1, 1, 1, 1]);
      await toItsEnd(second);
      expect(await place.readRows()).toHaveLength(file.good.length - 20);
      // As it was: it goes on from there once its cause is mended, and no record of it is taken for a repeat.
      await toItsEnd({ ...second, via: `${rabbitmq.url}/poisoned.dead?dead=poisoned` });
      expect(await place.readRows()).toHaveLength(file.good.length);
    } finally {
      folder.remove();
    }
  });
});
