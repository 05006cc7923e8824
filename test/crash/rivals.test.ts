import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { expectExactlyOnce } from "./balance.ts";
import { type CrashPlace, duckdbPlace, filePlace, postgresPlace, table, temporaryFolder } from "./crash-place.ts";
import { expectNothingLeft } from "./kill-series.ts";
import type { LoaderPlan } from "./loader.ts";
import { startLoader, summaryOf } from "./processes.ts";
import { type Synthetic, synthesize, syntheticContract } from "./synthetic.ts";

const timeout = 120_000;

/** A file, and a plan to append it to a table without a key. */
function scene(place: CrashPlace, folder: string, parallel: number): { plan: LoaderPlan; file: Synthetic } {
  const file = synthesize({ seed: 7, records: 20_000 });
  const from = join(folder, "hired.csv");
  writeFileSync(from, file.text);
  const contract = syntheticContract(table, false);
  return {
    file,
    plan: { from, to: place.url, contract, mode: "append", parallel, atomic: false, batchBytes: 64 * 1024 },
  };
}

/** All start at once and all end well; together they have read the file once. */
async function loadTogether(processes: number, place: CrashPlace, folder: string, parallel = 1): Promise<void> {
  const { plan, file } = scene(place, folder, parallel);
  const endings = await Promise.all(Array.from({ length: processes }, () => startLoader(plan).ended));
  const read = endings.map((ending) => Number(summaryOf(ending)["read"]));
  expect(read.reduce((sum, one) => sum + one, 0)).toBe(file.records);
  await expectExactlyOnce(place, file);
  await expectNothingLeft(plan, file);
}

/** One is killed in the middle of a batch; the others need nobody's help to finish. */
async function loadWithOneKilled(place: CrashPlace, folder: string): Promise<void> {
  const { plan, file } = scene(place, folder, 1);
  const death = { moment: "afterWrite", nth: 3, turns: 0, signal: "SIGKILL" } as const;
  const [killed, ...others] = [startLoader({ ...plan, death }), startLoader(plan), startLoader(plan)];
  for (const other of others) summaryOf(await other.ended);
  // It may have found everything loaded by the others before its third batch.
  const { signal, code } = await killed.ended;
  expect(signal === "SIGKILL" || code === 0).toBe(true);
  await expectExactlyOnce(place, file);
  await expectNothingLeft(plan, file);
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  try {
    await work(folder.path);
  } finally {
    folder.remove();
  }
}

describe("processes started on the same file at once load it once, into a DuckDB file", () => {
  test.each([2, 4])("%i processes", { timeout }, (processes) =>
    inFolder((folder) => loadTogether(processes, duckdbPlace(folder), folder)),
  );
  test("three, of which one is killed", { timeout }, () =>
    inFolder((folder) => loadWithOneKilled(duckdbPlace(folder), folder)),
  );
});

describe("processes started on the same file at once load it once, into a folder of files", () => {
  test("four processes", { timeout }, () => inFolder((folder) => loadTogether(4, filePlace(folder), folder)));
});

describeWith("postgres", "processes started on the same file at once load it once, into PostgreSQL", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test.each([2, 4])("%i processes", { timeout }, (processes) =>
    inFolder((folder) => loadTogether(processes, postgresPlace(server.url, `rivals_${processes}`), folder)),
  );
  test("four processes of three lanes each", { timeout }, () =>
    inFolder((folder) => loadTogether(4, postgresPlace(server.url, "rivals_parallel"), folder, 3)),
  );
  test("three, of which one is killed", { timeout }, () =>
    inFolder((folder) => loadWithOneKilled(postgresPlace(server.url, "rivals_killed"), folder)),
  );
});
