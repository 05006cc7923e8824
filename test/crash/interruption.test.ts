import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { readKept } from "./balance.ts";
import { type CrashPlace, duckdbPlace, postgresPlace, table, temporaryFolder } from "./crash-place.ts";
import { Subject, summaryOf } from "./processes.ts";
import { synthesize, syntheticContract } from "./synthetic.ts";

const timeout = 120_000;
/** Enough for several batches of the size that the command line itself chooses. */
const records = 700_000;

async function interruptAndGoOn(place: CrashPlace, folder: string, signal: "SIGINT" | "SIGTERM"): Promise<void> {
  const file = synthesize({ seed: 3, records });
  const from = join(folder, "hired.csv");
  const contract = join(folder, "hired.json");
  writeFileSync(from, file.text);
  writeFileSync(contract, JSON.stringify(syntheticContract(table, false)));
  const args = ["load", from, "--no-header", "--contract", contract, "--to", place.url, "--json", "--memory", "256MB"];
  const load = (): Subject => new Subject("src/cli/main.ts", args);

  const first = load();
  await first.event(({ event }) => event === "batch");
  first.kill(signal);
  const stopped = await first.ended;
  const summary = stopped.events.at(-1);
  expect(stopped).toMatchObject({ code: 130, stderr: expect.stringContaining("finishing the batch") as string });
  expect(summary).toMatchObject({ event: "done", interrupted: true, balanced: true });
  expect(Number(summary?.["read"])).toBeLessThan(records);

  const { read, alreadyLoaded } = summaryOf(await load().ended);
  expect({ before: alreadyLoaded, total: Number(read) + Number(alreadyLoaded) }).toEqual({
    before: summary?.["read"],
    total: records,
  });
  expect((await place.readRows()).length).toBe(file.good.length);
  const { rejects } = await readKept(place.url, `load:${table}`);
  expect(rejects.length).toBe(file.bad.length);
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  try {
    await work(folder.path);
  } finally {
    folder.remove();
  }
}

describe("a load that is interrupted finishes its batch, says so with 130, and the same command goes on", () => {
  test.each(["SIGINT", "SIGTERM"] as const)("%s, into a DuckDB file", { timeout }, (signal) =>
    inFolder((folder) => interruptAndGoOn(duckdbPlace(folder), folder, signal)),
  );
});

describeWith("postgres", "the same, into PostgreSQL", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test("SIGINT", { timeout }, () =>
    inFolder((folder) => interruptAndGoOn(postgresPlace(server.url, "interrupted"), folder, "SIGINT")),
  );
});
