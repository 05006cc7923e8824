import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { RestartableServer } from "../servers/server.ts";
import { AnswerThief } from "./answer-thief.ts";
import { expectExactlyOnce } from "./balance.ts";
import { postgresPlace, table, temporaryFolder, withClient } from "./crash-place.ts";
import { append, atomic, expectNothingLeft, type Manner, merge, parallel, replace } from "./kill-series.ts";
import type { LoaderPlan } from "./loader.ts";
import { startLoader, type Subject, summaryOf } from "./processes.ts";
import { type Synthetic, synthesize, syntheticContract } from "./synthetic.ts";

const timeout = 120_000;
const isBatch = ({ event }: { event: string }): boolean => event === "batch";
const isWaiting = ({ event }: { event: string }): boolean => event === "waiting";

let server: RestartableServer;
let schemas = 0;

interface Scene {
  readonly plan: LoaderPlan;
  readonly file: Synthetic;
}

/** A load of its own, checked to the last record when `work` has done its worst. */
async function scene(manner: Manner, work: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  try {
    const file = synthesize({ seed: 11, records: 40_000 });
    const from = join(folder.path, "hired.csv");
    writeFileSync(from, file.text);
    schemas += 1;
    const place = postgresPlace(server.url, `outage_${schemas}`);
    const { mode, parallel: lanes, atomic: whole } = manner;
    const contract = syntheticContract(table, mode === "merge");
    const plan = { from, to: place.url, contract, mode, parallel: lanes, atomic: whole, batchBytes: 64 * 1024 };
    await work({ plan, file });
    await expectExactlyOnce(place, file);
    await expectNothingLeft(plan, file);
  } finally {
    folder.remove();
  }
}

/** Ends every session but the caller's, as an administrator would. */
async function endSessions(): Promise<number> {
  const sql =
    "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
  return withClient(server.url, async (client) => (await client.query(sql)).rowCount ?? 0);
}

async function expectItWentOn(loader: Subject, file: Synthetic): Promise<void> {
  const { read, alreadyLoaded, balanced } = summaryOf(await loader.ended);
  expect({ total: Number(read) + Number(alreadyLoaded), balanced }).toEqual({ total: file.records, balanced: true });
}

describeWith("postgres", "a load outlives what happens to its PostgreSQL", () => {
  beforeAll(async () => {
    server = await startPostgres({ durable: true });
  });
  afterAll(() => server.stop());

  test.each([append, parallel])("killed and started again, $name", { timeout }, (manner) =>
    scene(manner, async ({ plan, file }) => {
      const loader = startLoader(plan);
      for (const nth of [3, 12]) {
        await loader.event(isBatch, nth);
        await server.kill9();
        await server.start();
      }
      await expectItWentOn(loader, file);
    }),
  );

  test("stopped until the loader waits, then started", { timeout }, () =>
    scene(merge, async ({ plan, file }) => {
      const loader = startLoader(plan);
      await loader.event(isBatch, 5);
      await server.halt();
      await loader.event(isWaiting);
      await server.start();
      await expectItWentOn(loader, file);
    }),
  );

  test.each([append, merge, parallel])("its sessions ended again and again, $name", { timeout }, (manner) =>
    scene(manner, async ({ plan, file }) => {
      const loader = startLoader(plan);
      let ended = 0;
      for (let nth = 2; nth <= 26; nth += 4) {
        await loader.event(isBatch, nth);
        ended += await endSessions();
      }
      expect(ended).toBeGreaterThan(0);
      await expectItWentOn(loader, file);
    }),
  );

  test("a whole file in one transaction, its session ended half-way, is read again from its start", { timeout }, () =>
    scene(atomic, async ({ plan, file }) => {
      // The first process is stopped in the middle of its unit, so that the moment is sure.
      const loader = startLoader({ ...plan, death: { moment: "afterWrite", nth: 9, turns: 0, signal: "SIGSTOP" } });
      await stoppedInUnit(loader);
      await endSessions();
      loader.kill("SIGCONT");
      await expectItWentOn(loader, file);
    }),
  );

  test.each([append, merge, parallel, atomic, replace])("the answer to COMMIT lost, $name", { timeout }, (manner) =>
    scene(manner, async ({ plan, file }) => {
      // Those of creating tables, of the first batch, and every third after it.
      const thief = await AnswerThief.start(plan.to, (answer) => answer <= 3 || answer % 3 === 0);
      try {
        const loader = startLoader({ ...plan, to: thief.url });
        await expectItWentOn(loader, file);
        expect(thief.stolen).toBeGreaterThan(manner === atomic || manner === replace ? 2 : 8);
      } finally {
        await thief.stop();
      }
    }),
  );
});

/** Until a session of the loader stands idle in a transaction. */
async function stoppedInUnit(loader: Subject): Promise<void> {
  const sql =
    "select 1 from pg_stat_activity where state = 'idle in transaction' and state_change < now() - interval '1 s'";
  await withClient(server.url, async (client) => {
    while ((await client.query(sql)).rowCount === 0) {
      // One look takes the server as long as it takes: no pause is needed.
      if (loader.pid < 0) throw new Error("the loader has no process");
    }
  });
}
