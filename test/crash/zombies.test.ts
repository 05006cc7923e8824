import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { expectExactlyOnce } from "./balance.ts";
import { postgresPlace, table, temporaryFolder } from "./crash-place.ts";
import type { Moment } from "./deaths.ts";
import { expectNothingLeft } from "./kill-series.ts";
import { startLoader, summaryOf } from "./processes.ts";
import { synthesize, syntheticContract } from "./synthetic.ts";

const timeout = 120_000;

/** A hung session is ended by the server after this; the product's own time would make the tests wait a minute. */
const postgresWaits = { lockMs: 1_000, idleInTransactionMs: 2_000 };

/**
 * Where the first process is when it is stopped, as a long pause of its machine would. Amid its COMMIT the server may
 * have done it or not.
 */
const stopped: readonly { readonly moment: Moment; readonly turns: number }[] = [
  { moment: "afterClaim", turns: 0 },
  { moment: "beforeBegin", turns: 0 },
  { moment: "afterBegin", turns: 0 },
  { moment: "afterWrite", turns: 0 },
  { moment: "duringCommit", turns: 0 },
  { moment: "afterCommit", turns: 0 },
];

describeWith("postgres", "a loader that hung is fenced when it wakes up after another has taken its lane", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test.each(stopped)("stopped $moment", { timeout }, async ({ moment, turns }) => {
    const folder = temporaryFolder();
    const file = synthesize({ seed: 5, records: 20_000 });
    const from = join(folder.path, "hired.csv");
    writeFileSync(from, file.text);
    const place = postgresPlace(server.url, `zombie_${moment.toLowerCase()}`);
    const contract = syntheticContract(table, false);
    const common = { from, to: place.url, contract, mode: "append", parallel: 1, atomic: false } as const;
    const plan = { ...common, batchBytes: 64 * 1024, postgresWaits };
    const nth = moment === "afterClaim" ? 1 : 4;
    const zombie = startLoader({ ...plan, death: { moment, nth, turns, signal: "SIGSTOP" } });
    try {
      // It reports a batch when the one after it is under way; the claim is reported when it is made.
      await zombie.event(({ event }) => event === (nth === 1 ? "prepared" : "batch"), Math.max(1, nth - 1));
      const successor = startLoader(plan);
      summaryOf(await successor.ended);
      zombie.kill("SIGCONT");
      const woken = await zombie.ended;
      expect(woken.events.filter(({ text }) => String(text).includes("taken over")).length).toBe(1);
      const { read, alreadyLoaded } = summaryOf(woken);
      expect(Number(read) + Number(alreadyLoaded)).toBe(file.records);
      await expectExactlyOnce(place, file);
      await expectNothingLeft(plan, file);
    } finally {
      zombie.kill("SIGKILL");
      await zombie.ended;
      folder.remove();
    }
  });
});
