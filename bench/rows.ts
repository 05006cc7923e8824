import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Client } from "pg";
import { inFolder } from "../test/servers/place.ts";
import type { Contestant } from "./contestant.ts";
import { build } from "./millrace.ts";
import { type BenchServer, startServer } from "./postgres.ts";
import { runProgram } from "./program.ts";
import { median, ratioOf, runRounds, type Runs } from "./rounds.ts";
import { type Cache, startCache } from "./rows/cache.ts";
import { compareGet } from "./rows/get.ts";
import { Turning } from "./rows/turning.ts";
import { isMet, machineOf, printVerdicts, type Verdict } from "./verdict.ts";

/** The system's own, which has Debian's packages; another one may come first on the PATH. */
const python = "/usr/bin/python3";
const processes = 5;
const say = (text: string): void => console.error(text);

interface Options {
  readonly rows: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
  readonly only: readonly string[];
  readonly json: boolean;
}

/** `npm run bench -- rows`. True when every goal is met of what could be measured. */
export async function run(args: readonly string[]): Promise<boolean> {
  const options = optionsOf(args);
  build();
  const server = await startServer();
  try {
    const verdicts: Verdict[] = [];
    const wanted = (name: string): boolean =>
      options.only.length === 0 || options.only.some((one) => name.startsWith(one));
    const versions = await rivalVersions();
    if (versions === undefined) say("rows-*  NOT RUN: python3 with pandas and psycopg2 is not installed");
    for (const rows of versions === undefined ? [] : options.rows) {
      if (wanted(`rows-${rows}`)) verdicts.push(...(await compareLoads(server, rows, options)));
    }
    if (wanted("get")) verdicts.push(...(await compareGet(server, options)));
    printVerdicts("rows", verdicts, machineOf({ postgresql: server.version, ...versions }), options.json);
    return verdicts.every(isMet);
  } finally {
    await server.stop();
  }
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: "string", multiple: true, default: ["5000", "1000000"] },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "5" },
      only: { type: "string", multiple: true, default: [] },
      json: { type: "boolean", default: false },
    },
  });
  const { rows, rounds, seconds, only, json } = values;
  return { rows: rows.map(Number), rounds: Number(rounds), seconds: Number(seconds), only, json };
}

async function rivalVersions(): Promise<Readonly<Record<string, string>> | undefined> {
  if (!existsSync(python)) return undefined;
  const script =
    "import json, platform, pandas, psycopg2; print(json.dumps({'python': platform.python_version(), 'pandas': pandas.__version__, 'psycopg2': psycopg2.__version__.split()[0]}))";
  try {
    return JSON.parse((await runProgram(python, ["-c", script])).stdout) as Record<string, string>;
  } catch {
    return undefined; // Something is not there.
  }
}

/** What is wanted of so many rows: a turn against one of the scripts, row by row. */
const goals: Readonly<Record<number, number>> = { 5000: 1 / 20, 1_000_000: 1 / 5 };

function compareLoads(server: BenchServer, rows: number, options: Options): Promise<Verdict[]> {
  return inFolder("bench", undefined, async (folder) => {
    await using cache = await startCache(folder);
    const { url } = cache.service;
    const of = async (name: string): Promise<string> => {
      await server.run(`drop database if exists ${name}`);
      await server.run(`create database ${name}`);
      const place = new URL(server.url);
      place.pathname = `/${name}`;
      return place.href;
    };
    const script = fileURLToPath(new URL("./rivals/rows.py", import.meta.url));
    const own = fileURLToPath(new URL("./rows/millrace-turns.ts", import.meta.url));
    const places = { ours: await of("ours"), rows: await of("by_rows"), values: await of("by_values") };
    await using ours = await Turning.start(process.execPath, [
      own,
      `${folder}/rows`,
      url,
      places.ours,
      cache.fingerprint,
    ]);
    await using byRows = await Turning.start(python, [script, url, places.rows, "rows", String(processes)]);
    await using byValues = await Turning.start(python, [script, url, places.values, "values", String(processes)]);
    const contestants = [
      loading("Millrace", ours, places.ours, cache, rows),
      loading("Python, row by row", byRows, places.rows, cache, rows),
      loading("Python, execute_values", byValues, places.values, cache, rows),
    ];
    // The first turn makes the tables.
    for (const contestant of contestants) {
      await contestant.reset();
      await contestant.verify(await contestant.run());
    }
    const runs = await runRounds(contestants, options.rounds, say);
    const [first = [], second = [], third = []] = contestants.map((contestant) => runs.get(contestant));
    const what = `${rows} rows of the cache into PostgreSQL: Millrace : pandas and psycopg2`;
    const goal = goals[rows];
    return [
      verdict(`rows-${rows}`, `${what}, row by row`, first, second, goal),
      verdict(`rows-${rows}-values`, `${what}, execute_values`, first, third),
    ];
  });
}

function loading(name: string, turning: Turning, database: string, cache: Cache, rows: number): Contestant {
  return {
    name,
    reset: async () => {
      await ask(
        database,
        "do $$ begin if to_regclass('sample_us_users') is not null then truncate sample_us_users; end if; end $$",
      );
      await cache.fill(rows);
    },
    run: () => turning.turn(rows),
    verify: async () => {
      const found = Number((await ask(database, "select count(*) as n from sample_us_users"))[0]?.["n"]);
      if (found !== rows || (await cache.left()) !== 0)
        throw new Error(`${name}: ${found} rows are there, and the cache holds ${await cache.left()}`);
    },
  };
}

async function ask(database: string, sql: string): Promise<Readonly<Record<string, unknown>>[]> {
  const client = new Client({ connectionString: database });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

function verdict(name: string, what: string, ours: Runs, others: Runs, goal?: number): Verdict {
  const ms = median(ours.map((run) => run.ms));
  const againstMs = median(others.map((run) => run.ms));
  return {
    name,
    what,
    value: ratioOf(ours, others),
    ms,
    againstMs,
    rounds: ours.length,
    ...(goal === undefined ? {} : { goal }),
  };
}
