import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { fileURLToPath } from "node:url";
import { freePort, inFolder } from "../../test/servers/place.ts";
import type { Contestant } from "../contestant.ts";
import { runRounds } from "../rounds.ts";
import type { Verdict } from "../verdict.ts";
import { cpuMsOf } from "./cpu.ts";
import { expectedInsight, insightFiles, insightPath } from "./insight-answer.ts";
import { startMillrace } from "./millrace-service.ts";
import { rateVerdict } from "./rate.ts";
import { type Service, startService } from "./service.ts";
import { uploader } from "./upload-form.ts";
import { runWrk, type WrkReport } from "./wrk.ts";

export interface InsightsOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly wrk: string;
  readonly say: (text: string) => void;
}

const goal = 1.25;
const warmUpSeconds = 5;
/** So many that it never refuses one, and counts all of them. */
const highLimit = 1_000_000;
/** One answer takes too little time to be told in milliseconds. */
const requestsPerRun = 1000;
const bare = fileURLToPath(new URL("../rivals/bare-fastify.ts", import.meta.url));

/** Databases of the same server: one without and one with a rate limit. */
export interface InsightPlaces {
  readonly unlimited: string;
  readonly limited: string;
}

/** Answers from the cache beside a bare route with the same bytes, and what the rate limit costs. */
export async function compareInsights(
  places: InsightPlaces,
  wanted: (name: string) => boolean,
  options: InsightsOptions,
): Promise<Verdict[]> {
  await using unlimited = await millrace("Millrace", places.unlimited, 0);
  await using limited = await millrace("Millrace, rate limit on", places.limited, highLimit);
  await using plain = await bareFastify(unlimited.answer);
  const all = [plain, unlimited, limited];
  const contestants = all.map((asked) => reading(asked, options));
  for (const asked of all) await runWrk(options.wrk, asked.url, options.connections, warmUpSeconds);
  const runs = await runRounds(contestants, options.rounds, () => {});
  const [others = [], ours = [], oursLimited = []] = contestants.map((contestant) => runs.get(contestant));
  const what = `an insight from the cache, ${options.connections} connections: Millrace : bare Fastify`;
  return [
    rateVerdict({ name: "insights-cached", what, goal }, ours, others, requestsPerRun),
    rateVerdict({ name: "insights-limited", what: `${what}, rate limit on` }, oursLimited, others, requestsPerRun),
  ].filter(({ name }) => wanted(name));
}

interface Answer {
  readonly type: string | null;
  readonly body: Buffer;
}

/** Whom requests are sent to, and what each must be answered with. */
interface Asked extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Of the answer. */
  readonly url: string;
  readonly answer: Answer;
}

/** Millrace with the sample loaded. Its answer is compared with what the files hold. */
async function millrace(name: string, database: string, rateLimit: number): Promise<Asked> {
  const service = await startMillrace(database, rateLimit);
  return asking(name, service, async (url) => {
    for (const [file, csv] of insightFiles) await upload(service.url, file, csv);
    const answer = await ask(url);
    if (isDeepStrictEqual(JSON.parse(answer.body.toString()), expectedInsight())) return answer;
    throw new Error(`${name} answers the insight with ${answer.body.toString().slice(0, 500)}`);
  });
}

/** Only a route, and the bytes it is given. */
async function bareFastify(answer: Answer): Promise<Asked> {
  const service = await inFolder("bench", undefined, async (folder) => {
    const file = join(folder, "answer.json");
    await writeFile(file, answer.body);
    const port = await freePort();
    const args = [bare, String(port), file];
    return startService({ name: "fastify", folder, port, command: process.execPath, args, readyPath: insightPath });
  });
  return asking("bare Fastify", service, async (url) => {
    const own = await ask(url);
    if (isDeepStrictEqual(own, answer)) return own;
    throw new Error("the bare route answers with other bytes, or another content type");
  });
}

async function asking(name: string, service: Service, prepare: (url: string) => Promise<Answer>): Promise<Asked> {
  const url = `${service.url}${insightPath}`;
  try {
    return { name, url, pid: service.pid, answer: await prepare(url), [Symbol.asyncDispose]: () => service.stop() };
  } catch (error) {
    await service.stop();
    throw error;
  }
}

async function ask(url: string): Promise<Answer> {
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`${url} answers with ${response.status}: ${await response.text()}`);
  return { type: response.headers.get("content-type"), body: Buffer.from(await response.arrayBuffer()) };
}

async function upload(url: string, file: string, csv: string): Promise<void> {
  const form = new FormData();
  form.set("username", uploader.name);
  form.set("password", uploader.password);
  form.set("file", new Blob([csv], { type: "text/csv" }), file);
  const response = await fetch(`${url}/upload`, { method: "POST", body: form });
  if (response.status !== 200) throw new Error(`${file} is answered with ${response.status}: ${await response.text()}`);
}

/** A run counts as long as a thousand requests took. All answers must be whole and good, and the same as before. */
function reading({ name, url, pid, answer }: Asked, { wrk, connections, seconds, say }: InsightsOptions): Contestant {
  return {
    name,
    reset: async () => {},
    run: async () => {
      const before = cpuMsOf([pid]);
      const report = await runWrk(wrk, url, connections, seconds);
      const after = cpuMsOf([pid]);
      const runs = report.requests / requestsPerRun;
      const cpu = before === undefined || after === undefined ? {} : { cpuMs: (after - before) / runs };
      const ms = report.microseconds / 1000 / runs;
      const each = cpu.cpuMs === undefined ? "" : `, ${cpu.cpuMs.toFixed(1)} µs CPU each`;
      say(`${name}: ${Math.round((requestsPerRun * 1000) / ms)} requests/s${each}`);
      return { ms, ...cpu, stdout: JSON.stringify(report) };
    },
    verify: async ({ stdout }) => {
      const { requests, bytes, errors } = JSON.parse(stdout) as WrkReport;
      if (errors > 0) throw new Error(`${name}: ${errors} of ${requests} requests failed`);
      if (bytes < requests * answer.body.length) throw new Error(`${name}: ${requests} answers were ${bytes} bytes`);
      if (!isDeepStrictEqual(await ask(url), answer)) throw new Error(`${name}: the answer has become another one`);
    },
  };
}
