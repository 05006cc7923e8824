import { describe, expect, it } from "vitest";
import { startKafka } from "../servers/kafka.ts";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import { Workplace } from "./cli.ts";
import { playFleet } from "./fleet-story.ts";

describe("a fleet on the embedded places", () => {
  it("has as many rows as events were answered, although the server is killed on the way", async () => {
    const table = (place: Workplace): string => `duckdb:${place.path("data/fleet.duckdb")}`;
    await playFleet({ settings: [], table, roles: ["all"], killed: [0, 0] });
  }, 180_000);

  it("is not started with options that make no sense", async () => {
    await using place = await Workplace.open();
    for (const args of [
      ["--delay", "0"],
      ["--for", "soon"],
      ["--vehicles", "none"],
    ]) {
      expect((await place.millrace("fleet", ...args)).code).toBe(2);
    }
  });
});

describeWith(["kafka", "postgres"], "a fleet on Kafka and PostgreSQL", () => {
  it("has as many rows as events were answered, although producer and consumers are killed on the way", async () => {
    const kafka = await startKafka();
    try {
      const postgres = await startPostgres();
      try {
        const settings = [`fleet.stream=${kafka.url}/fleet?partitions=4`, `fleet.to=${postgres.url}`];
        await playFleet({ settings, table: () => postgres.url, roles: ["serve", "work", "work"], killed: [1, 0, 2] });
      } finally {
        await postgres.stop();
      }
    } finally {
      await kafka.stop();
    }
  }, 240_000);
});
