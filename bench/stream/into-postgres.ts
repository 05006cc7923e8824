import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startKafka } from "../../test/servers/kafka.ts";
import { versionFolders } from "../../test/servers/postgres.ts";
import { findProgram } from "../../test/servers/program.ts";
import { type Contestant, expectCounts } from "../contestant.ts";
import { program } from "../millrace.ts";
import { type BenchServer, resetServer, startServer } from "../postgres.ts";
import { runNode, runProgram } from "../program.ts";
import { median, ratioOf, runRounds } from "../rounds.ts";
import type { Verdict } from "../verdict.ts";
import { bento, obtainBento } from "./bento.ts";
import { diagTable, eventColumns, eventsCsv } from "./events.ts";
import { fillTopic } from "./topic.ts";

export interface IntoPostgresOptions {
  readonly rows: number;
  readonly rounds: number;
  readonly folder: string;
  readonly say: (text: string) => void;
}

const topic = "bench";
/** Of those tried on two cores the fastest: see README.md. */
const bentoBatch = 2_000;
const bentoInFlight = 4;

/** Kafka → PostgreSQL against Bento's `sql_insert`, and against `\copy` of the same rows. */
export async function compareIntoPostgres(options: IntoPostgresOptions): Promise<Verdict[]> {
  const { rows, rounds, folder, say } = options;
  const bentoProgram = await obtainBento(say);
  const csv = await eventsCsv(rows);
  const server = await startServer();
  try {
    const kafka = await startKafka();
    try {
      const stream = `${kafka.url}/${topic}?partitions=4`;
      say(`writing ${rows} events to a topic`);
      await fillTopic(stream, rows);
      const mine = await millrace(server, stream, rows, folder);
      const copy = psqlCopy(server, csv, rows);
      const brokers = new URL(kafka.url).host;
      const tuned = { server, brokers, topic, rows, batch: bentoBatch, inFlight: bentoInFlight };
      const rival = bentoProgram === undefined ? undefined : bento({ program: bentoProgram, ...tuned });
      if (rival === undefined) say("Bento was NOT RUN: it is not here and cannot be built");
      const runs = await runRounds([mine, copy, ...(rival === undefined ? [] : [rival])], rounds, say);
      const verdict = (name: string, what: string, goal: number, against: Contestant): Verdict => {
        const [ours = [], others = []] = [runs.get(mine), runs.get(against)];
        const [ms, againstMs] = [median(ours.map((run) => run.ms)), median(others.map((run) => run.ms))];
        const rates = { perSecond: (rows * 1_000) / ms, againstPerSecond: (rows * 1_000) / againstMs };
        return { name, what, goal, value: ratioOf(ours, others), ms, againstMs, ...rates, rounds };
      };
      return [
        ...(rival === undefined ? [] : [verdict("kafka-bento", "Kafka to PostgreSQL: Millrace : Bento", 0.5, rival)]),
        verdict("kafka-copy", "Kafka to PostgreSQL : \\copy of the rows", 4, copy),
      ];
    } finally {
      await kafka.stop();
    }
  } finally {
    await server.stop();
  }
}

/** The fleet's pipeline, but for lineage, on what the topic holds, from the start of the process to its end. */
async function millrace(server: BenchServer, stream: string, rows: number, folder: string): Promise<Contestant> {
  const module = join(folder, "events.ts");
  const [api, tables] = ["src/index.js", "apps/fleet/tables.js"].map((path) => {
    return pathToFileURL(join(program, "..", "..", "..", path)).href;
  });
  await writeFile(
    module,
    `import { pipeline } from "${api}";
import { diag } from "${tables}";
export default pipeline("fleet:events").from("${stream}", { parallel: 2 }).check(diag).to("${server.url}");
`,
  );
  return {
    name: "Millrace, 2 lanes at once",
    reset: () => resetServer(server),
    run: () => runNode([program, "run", module, "--once", "--json"]),
    verify: async () => {
      const stored = await server.count("select count(*) from diag");
      const ledger = await server.count("select sum(loaded) from millrace_ledger");
      expectCounts("Millrace", { rows: stored, ledger }, { rows, ledger: rows });
    },
  };
}

function psqlCopy(server: BenchServer, csv: string, rows: number): Contestant {
  const psql = findProgram("psql", versionFolders());
  if (psql === undefined) throw new Error("psql is not on this machine: npm run services installs it");
  const copy = `\\copy diag (${eventColumns.join(", ")}) from '${csv}' with (format csv)`;
  return {
    name: "psql \\copy",
    reset: async () => {
      await resetServer(server);
      await server.run(diagTable);
    },
    run: () => runProgram(psql, ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", copy, server.url]),
    verify: async () => {
      expectCounts("psql", { rows: await server.count("select count(*) from diag") }, { rows });
    },
  };
}
