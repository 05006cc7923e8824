import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { addCounts, type Counts, isBalanced, noCounts } from "../../src/core/ledger.ts";
import { startKafka } from "../servers/kafka.ts";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { readKept } from "./balance.ts";
import { type CrashPlace, duckdbPlace, postgresPlace, table, temporaryFolder } from "./crash-place.ts";
import { Subject, summaryOf } from "./processes.ts";
import type { StagePlan } from "./stage-worker.ts";
import { type Synthetic, synthesize, syntheticContract } from "./synthetic.ts";

const start = (plan: StagePlan): Subject => new Subject("test/crash/stage-worker.ts", [JSON.stringify(plan)]);

/** Runs the stage again and again, each time killed before the next of these commits. */
async function killedBefore(plan: StagePlan, commits: readonly number[]): Promise<void> {
  for (const diesBeforeCommit of commits) {
    const { signal, events, stderr } = await start({ ...plan, diesBeforeCommit }).ended;
    expect({ signal, last: signal === null ? events.at(-1) : undefined, stderr }).toMatchObject({ signal: "SIGKILL" });
  }
}

async function toItsEnd(plan: StagePlan): Promise<void> {
  summaryOf(await start(plan).ended);
}

async function sumOf(place: CrashPlace, stage: string): Promise<Counts> {
  const { ledger } = await readKept(place.url, stage);
  expect(ledger.filter((entry) => !isBalanced(entry))).toEqual([]);
  return ledger.reduce(addCounts, noCounts);
}

/** Every good record is in the table once, every bad one a reject of the first stage, and the books of both say so. */
async function expectExact(place: CrashPlace, { good, bad, records }: Synthetic, repeats: number): Promise<void> {
  const rows = (await place.readRows()).map((row) => JSON.stringify(row));
  expect(rows.toSorted()).toEqual(good.map((row) => JSON.stringify(row)).toSorted());
  const first = await sumOf(place, "crash:1");
  expect(first).toEqual({ read: records, loaded: good.length, merged: 0, filtered: 0, rejected: bad.length });
  const second = await sumOf(place, "crash:2");
  expect(second).toMatchObject({ loaded: good.length, merged: 0, rejected: 0 });
  expect(second.read).toBe(good.length + second.filtered);
  // Without any the deaths would have shown nothing.
  expect(second.filtered).toBeGreaterThan(repeats);
}

function scene(folder: string, file: Synthetic, key: boolean): Omit<StagePlan, "via" | "to" | "stage"> {
  const from = join(folder, "hired.csv");
  writeFileSync(from, file.text);
  const contract = syntheticContract(table, key);
  return { from, contract, sink: { mode: "append" }, follow: false, batchBytes: 16_384, batchRows: 300 };
}

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
