import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { obtainFastapi } from "./http/fastapi-service.ts";
import { compareInsights } from "./http/insights.ts";
import { compareUploads, uploadKinds } from "./http/uploads.ts";
import { obtainWrk } from "./http/wrk.ts";
import { build } from "./millrace.ts";
import { type BenchServer, startServer } from "./postgres.ts";
import { isMet, machineOf, printVerdicts, type Verdict } from "./verdict.ts";

interface Options {
  readonly rounds: number;
  /** Of one run. */
  readonly seconds: number;
  /** Connections that upload at the same time. */
  readonly clients: number;
  /** Connections that ask for an insight at the same time. */
  readonly connections: number;
  /** Processes of the rival. */
  readonly workers: number;
  /** Beginning of the names of what is to be measured; empty for all. */
  readonly only: readonly string[];
  readonly json: boolean;
}

/** What came of one of the comparisons. */
interface Outcome {
  readonly verdicts: readonly Verdict[];
  /** Versions of what took part. */
  readonly versions: Readonly<Record<string, string>>;
  /** Why it was not run. */
  readonly notRun?: { readonly name: string; readonly reason: string };
}

const say = (text: string): void => console.error(text);

/** `npm run bench -- http`. True when every goal is met of what could be measured. */
export async function run(args: readonly string[]): Promise<boolean> {
  const options = optionsOf(args);
  build();
  const server = await startServer();
  try {
    const outcomes = [await uploads(server, options), await insights(server, options)];
    const verdicts = outcomes.flatMap((outcome) => outcome.verdicts);
    const versions = outcomes.flatMap((outcome) => Object.entries(outcome.versions));
    const machine = machineOf({ postgresql: server.version, ...Object.fromEntries(versions) });
    printVerdicts("http", verdicts, machine, options.json);
    for (const { notRun } of outcomes) if (notRun !== undefined) tellNotRun(notRun.name, notRun.reason, options.json);
    return verdicts.every(isMet);
  } finally {
    await server.stop();
  }
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "5" },
      clients: { type: "string", default: "4" },
      connections: { type: "string", default: "10" },
      workers: { type: "string", default: "2" },
      only: { type: "string", multiple: true, default: [] },
      json: { type: "boolean", default: false },
    },
  });
  const { rounds, seconds, clients, connections, workers, only, json } = values;
  return {
    rounds: Number(rounds),
    seconds: Number(seconds),
    clients: Number(clients),
    connections: Number(connections),
    workers: Number(workers),
    only,
    json,
  };
}

const wantedOf =
  ({ only }: Options) =>
  (name: string): boolean =>
    only.length === 0 || only.some((it) => name.startsWith(it));

const nothing: Outcome = { verdicts: [], versions: {} };

async function uploads(server: BenchServer, options: Options): Promise<Outcome> {
  const wanted = wantedOf(options);
  const kinds = uploadKinds.filter((kind) => wanted(`uploads-${kind}`));
  if (kinds.length === 0) return nothing;
  const versions = await obtainFastapi();
  if (versions === undefined) {
    return {
      ...nothing,
      notRun: { name: "uploads", reason: "FastAPI with pandas is not here and cannot be installed" },
    };
  }
  const [fastapi, millrace] = [await newDatabase(server, "fastapi"), await newDatabase(server, "millrace")];
  return { verdicts: await compareUploads({ fastapi, millrace }, kinds, { ...options, say }), versions };
}

async function insights(server: BenchServer, options: Options): Promise<Outcome> {
  const wanted = wantedOf(options);
  if (!["insights-cached", "insights-limited"].some(wanted)) return nothing;
  const wrk = await obtainWrk();
  if (wrk === undefined) {
    return { ...nothing, notRun: { name: "insights", reason: "wrk is not here and cannot be installed" } };
  }
  const places = { unlimited: await newDatabase(server, "unlimited"), limited: await newDatabase(server, "limited") };
  const verdicts = await compareInsights(places, wanted, { ...options, wrk, say });
  const { version } = createRequire(import.meta.url)("fastify/package.json") as { readonly version: string };
  return { verdicts, versions: { fastify: version } };
}

/** A database of its own in the server that all share. */
async function newDatabase(server: BenchServer, name: string): Promise<string> {
  await server.run(`create database ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return url.href;
}

function tellNotRun(name: string, reason: string, json: boolean): void {
  if (json) console.log(JSON.stringify({ bench: "http", name, notRun: reason }));
  else console.log(`\n${name} was NOT RUN: ${reason}`);
}
