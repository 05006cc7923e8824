import { describe, expect, it } from "vitest";
import { startKafka } from "../servers/kafka.ts";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import { startNats } from "../servers/nats.ts";
import { startRedis } from "../servers/redis.ts";
import { Workplace } from "./cli.ts";
import { playFleet } from "./fleet-story.ts";

describe("a fleet on the embedded places", () => {
  it("has as many rows as events were answered, although the server is killed on the way", async () => {
    const table = (place: Workplace): string => `duckdb:${place.path("data/fleet.duckdb")}`;
    await playFleet({ settings: () => [], table, roles: ["all"], killed: [0, 0] });
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

describeWith("nats", "a fleet on NATS JetStream and DuckDB", () => {
  it("has as many rows as events were answered, although the one process is killed on the way", async () => {
    const nats = await startNats();
    try {
      const table = (place: Workplace): string => `duckdb:${place.path("fleet.duckdb")}`;
      const settings = (place: Workplace): string[] => [
        `fleet.stream=${nats.url}/fleet?lanes=3`,
        `fleet.to=${table(place)}`,
      ];
      await playFleet({ settings, table, roles: ["all"], killed: [0, 0] });
    } finally {
      await nats.stop();
    }
  }, 240_000);
});

describeWith(["redis", "postgres"], "a fleet on Redis and PostgreSQL", () => {
  it("has as many rows as events were answered, although producer and consumers are killed on the way", async () => {
    const redis = await startRedis({ durable: true });
    try {
      const postgres = await startPostgres();
      try {
        const settings = (): string[] => [`fleet.stream=${redis.url}?stream=fleet&lanes=4`, `fleet.to=${postgres.url}`];
        await playFleet({ settings, table: () => postgres.url, roles: ["serve", "work", "work"], killed: [1, 0, 2] });
      } finally {
        await postgres.stop();
      }
    } finally {
      await redis.stop();
    }
  }, 240_000);
});

describeWith(["kafka", "postgres"], "a fleet on Kafka and PostgreSQL", () => {
  it("has as many rows as events were answered, although producer and consumers are killed on the way", async () => {
    const kafka = await startKafka();
    try {
      const postgres = await startPostgres();
      try {
        const settings = (): string[] => [`fleet.stream=${kafka.url}/fleet?partitions=4`, `fleet.to=${postgres.url}`];
        await playFleet({ settings, table: () => postgres.url, roles: ["serve", "work", "work"], killed: [1, 0, 2] });
      } finally {
        await postgres.stop();
      }
    } finally {
      await kafka.stop();
    }
  }, 240_000);
});
