import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startKafka } from "../../test/servers/kafka.ts";
import { obtainWrk, runWrk } from "../http/wrk.ts";
import { type BenchServer, startServer } from "../postgres.ts";
import type { Verdict } from "../verdict.ts";
import type { PostsOptions } from "./posts.ts";
import { postPaced, startFleet } from "./service.ts";

const goalMs = 1_000;
const connections = 64;
const endMs = 120_000;
const script = fileURLToPath(new URL("./posts.lua", import.meta.url));

/**
 * From when an event was due to be posted to when its row was committed, by the server's own commit times: through Kafka,
 * by one process that takes events and stores them, at half of what it brings into the table when it is sent all it takes.
 */
export async function measureArrival({ seconds, say }: Omit<PostsOptions, "rounds">): Promise<Verdict[]> {
  const wrk = await obtainWrk();
  if (wrk === undefined) {
    say("arrival was NOT RUN: wrk is not here and cannot be installed");
    return [];
  }
  const server = await startServer({ track_commit_timestamp: "on" });
  try {
    const kafka = await startKafka();
    try {
      const settings = { "fleet.stream": `${kafka.url}/arrival?partitions=4`, "fleet.to": server.url };
      const service = await startFleet("all", settings);
      try {
        const most = await mostPerSecond(server, () => runWrk(wrk, service.url, connections, seconds, script, ["1"]));
        const since = `from diag where timestamp >= ${Date.now() / 1_000}`;
        const { sent } = await postPaced(service.url, most / 2, seconds);
        await settled(server, sent, since);
        const [p50, p99] = [await delayMs(server, 0.5, since), await delayMs(server, 0.99, since)];
        say(`half of ${Math.round(most)} events/s: p50 ${Math.round(p50)} ms, p99 ${Math.round(p99)} ms to the table`);
        const what = `posted to visible in PostgreSQL through Kafka, at ${Math.round(most / 2)} events/s, p99`;
        return [{ name: "arrival-p99", what, value: p99, unit: "ms", goal: goalMs, rounds: 1 }];
      } finally {
        await service.stop();
      }
    } finally {
      await kafka.stop();
    }
  } finally {
    await server.stop();
  }
}

/** From the first post until all of them are in the table. */
async function mostPerSecond(server: BenchServer, post: () => Promise<{ readonly requests: number }>): Promise<number> {
  const startMs = performance.now();
  const { requests } = await post();
  const stored = "select coalesce(sum(read), 0) from millrace_ledger";
  // Of those under way when the time was over some were stored, and their answers not counted.
  while ((await server.count(stored)) < requests) await pause(20);
  return (requests * 1_000) / (performance.now() - startMs);
}

async function settled(server: BenchServer, rows: number, since: string): Promise<void> {
  const deadline = performance.now() + endMs;
  while ((await server.count(`select count(*) ${since}`)) < rows) {
    if (performance.now() > deadline) throw new Error(`not all of ${rows} events are in the table`);
    await pause(50);
  }
}

function delayMs(server: BenchServer, share: number, since: string): Promise<number> {
  const delay = "extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 - timestamp * 1000";
  return server.count(`select percentile_cont(${share}) within group (order by ${delay}) ${since}`);
}
