import { fileURLToPath } from "node:url";
import { freePort, inFolder } from "../../test/servers/place.ts";
import type { Contestant } from "../contestant.ts";
import { rateVerdict } from "../http/rate.ts";
import { type Service, startService } from "../http/service.ts";
import { obtainWrk, runWrk } from "../http/wrk.ts";
import { program } from "../millrace.ts";
import { runProgram } from "../program.ts";
import { startCache } from "./cache.ts";
import type { BenchServer } from "../postgres.ts";
import { runRounds } from "../rounds.ts";
import type { Verdict } from "../verdict.ts";

const rows = 20;
const connections = 10;
const requestsPerRun = 1_000;
/** Of the time; the rate is to be at least 0.8 of the bare route's. */
const goal = 1 / 0.8;
const bare = fileURLToPath(new URL("../rivals/bare-rows.ts", import.meta.url));

/** 20 rows over HTTP beside a bare route with the same statement. */
export async function compareGet(
  server: BenchServer,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<Verdict[]> {
  const wrk = await obtainWrk();
  if (wrk === undefined) return [];
  return inFolder("bench", undefined, async (folder) => {
    await server.run("drop database if exists served");
    await server.run("create database served");
    const place = new URL(server.url);
    place.pathname = "/served";
    await load(folder, place.href);
    const ours = await served(folder, place.href);
    const other = await bareRoute(place.href);
    try {
      const asked = [`${ours.url}/tables/sample_us_users/rows?take=${rows}`, `${other.url}/rows`];
      await sameRows(asked);
      for (const url of asked) await runWrk(wrk, url, connections, 3);
      const contestants = asked.map(
        (url, index): Contestant => ({
          name: index === 0 ? "Millrace" : "bare Fastify",
          reset: async () => undefined,
          run: async () => {
            const { requests, microseconds, errors } = await runWrk(wrk, url, connections, seconds);
            if (errors > 0) throw new Error(`${url}: ${errors} answers are errors`);
            return { ms: (microseconds / 1_000 / requests) * requestsPerRun, stdout: "" };
          },
          verify: async () => undefined,
        }),
      );
      const runs = await runRounds(contestants, rounds, () => {});
      const [first = [], second = []] = contestants.map((contestant) => runs.get(contestant));
      const what = `GET of ${rows} rows, ${connections} connections: Millrace : bare Fastify with the same statement`;
      return [rateVerdict({ name: "get-20", what, goal }, first, second, requestsPerRun)];
    } finally {
      await ours.stop();
      await other.stop();
    }
  });
}

/** The table as the application makes it, and its notes in `data`. */
function load(data: string, database: string): Promise<unknown> {
  return inFolder("bench", undefined, async (own) => {
    await using cache = await startCache(own);
    await cache.fill(5_000);
    const settings = [`rows.to=${database}`, `rows.from=file:${own}/replicas.db`].flatMap((one) => ["--set", one]);
    await runProgram(process.execPath, [program, "run", "rows", "--once", "--data", data, ...settings]);
  });
}

/** A program's folder is gone when it is stopped, so each has its own. */
function served(data: string, database: string): Promise<Service> {
  return inFolder("bench", undefined, async (folder) => {
    const port = await freePort();
    const flags = ["start", "--apps", "rows", "--port", String(port), "--data", data];
    const args = [program, ...flags, "--set", `rows.to=${database}`, "--set", "http.rateLimit=0"];
    return startService({ name: "millrace", folder, port, command: process.execPath, args, readyPath: "/readyz" });
  });
}

function bareRoute(database: string): Promise<Service> {
  return inFolder("bench", undefined, async (folder) => {
    const port = await freePort();
    const args = [bare, String(port), database];
    return startService({ name: "fastify", folder, port, command: process.execPath, args, readyPath: "/rows" });
  });
}

/** Both answer with the same keys, in the same order. */
async function sameRows(urls: readonly string[]): Promise<void> {
  const answers = await Promise.all(
    urls.map(async (url) =>
      ((await (await fetch(url)).json()) as { readonly id: string }[]).map(({ id }) => id).join(),
    ),
  );
  if (new Set(answers).size !== 1 || answers[0]?.split(",").length !== rows)
    throw new Error(`the answers differ: ${answers.join(" / ")}`);
}
