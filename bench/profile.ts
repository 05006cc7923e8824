import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import { type Contestant, expectCounts } from "./contestant.ts";
import { dataFolder } from "./data.ts";
import { build, program } from "./millrace.ts";
import { runNode } from "./program.ts";
import { median, ratioOf, runRounds } from "./rounds.ts";
import { isMet, machineOf, printVerdicts, type Verdict } from "./verdict.ts";

const goal = 3;
const budgetMB = 512;
const columns = 10;

/** `npm run bench -- profile`: the profile of a CSV file against DuckDB's own SUMMARIZE of it. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: "string", default: "1000000" },
      rounds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
    },
  });
  build();
  await mkdir(dataFolder, { recursive: true });
  const folder = await mkdtemp(join(dataFolder, "run-"));
  try {
    const csv = join(folder, "profiled.csv");
    const rows = Number(values.rows);
    await writeCsv(csv, rows);
    const verdicts = await measure(csv, rows, Number(values.rounds));
    printVerdicts("profile", verdicts, machineOf({ rows: values.rows }), values.json);
    return verdicts.every(isMet);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Numbers, dates, times, texts, truth values; one column lacks a tenth of its values, one is the same in every row. */
async function writeCsv(path: string, rows: number): Promise<void> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const fields = [
    "i as id",
    "'name ' || (hash(i) % 100000) as name",
    "date '2020-01-01' + (hash(i, 1) % 1500)::integer as day",
    "timestamp '2020-01-01' + interval (hash(i, 2) % 90000000) second as seen",
    "(hash(i, 3) % 100000) / 100.0 as price",
    "hash(i, 4) % 50 as dept",
    "case when hash(i, 5) % 10 = 0 then null else hash(i, 5) % 1000 end as score",
    "['red', 'green', 'blue', 'yellow'][1 + (hash(i, 6) % 4)::integer] as colour",
    "hash(i, 7) % 2 = 0 as active",
    "'the same' as fixed",
  ];
  await connection.run(`copy (select ${fields.join(", ")} from range(${rows}) as t(i)) to '${path}' (header)`);
  connection.closeSync();
  instance.closeSync();
}

async function measure(csv: string, rows: number, rounds: number): Promise<Verdict[]> {
  const [millrace, duckdb] = [profiled(csv, rows), summarized(csv, rows)];
  const runs = await runRounds([duckdb, millrace], rounds, (text) => console.error(text));
  const [ours, theirs] = [runs.get(millrace) ?? [], runs.get(duckdb) ?? []];
  const cpu = (all: typeof ours): number => median(all.map(({ cpuMs }) => cpuMs ?? Number.NaN));
  return [
    {
      name: "profile",
      what: "the profile of a CSV file against DuckDB's SUMMARIZE of it",
      value: ratioOf(ours, theirs),
      goal,
      ms: median(ours.map(({ ms }) => ms)),
      againstMs: median(theirs.map(({ ms }) => ms)),
      rounds,
    },
    {
      name: "profile-cpu",
      what: "the same by processor time, which other programs disturb less",
      value: cpu(ours) / cpu(theirs),
      goal,
      ms: cpu(ours),
      againstMs: cpu(theirs),
      rounds,
    },
    {
      name: "profile-memory",
      what: `peak memory of the profile on a budget of ${budgetMB} MB`,
      value: Math.max(...ours.map(({ peakBytes }) => peakBytes ?? Number.NaN)) / 2 ** 20,
      unit: "MB",
      goal: budgetMB,
      rounds,
    },
  ];
}

function profiled(csv: string, rows: number): Contestant {
  return {
    name: "millrace profile",
    reset: async () => undefined,
    run: () => runNode([program, "profile", csv, "--json"]),
    verify: async ({ stdout }) => {
      const done = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, number>;
      expectCounts("millrace profile", done, { rows, columns, malformed: 0 });
    },
  };
}

function summarized(csv: string, rows: number): Contestant {
  const script = fileURLToPath(new URL("./duckdb-summarize.ts", import.meta.url));
  return {
    name: "DuckDB's SUMMARIZE",
    reset: async () => undefined,
    run: () => runNode([script, csv]),
    verify: async ({ stdout }) => {
      const found = JSON.parse(stdout) as readonly Record<string, unknown>[];
      expectCounts("SUMMARIZE", { rows: Number(found[0]?.["count"]), columns: found.length }, { rows, columns });
    },
  };
}
