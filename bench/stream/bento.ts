import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { cacheFolder, findStamped, run, stamp } from "../../scripts/services/service.ts";
import { freePort, inFolder } from "../../test/servers/place.ts";
import { findProgram } from "../../test/servers/program.ts";
import { serve } from "../../test/servers/server.ts";
import { type Contestant, expectCounts } from "../contestant.ts";
import { cpuMsOf } from "../http/cpu.ts";
import { type BenchServer, resetServer } from "../postgres.ts";
import type { Measured } from "../program.ts";
import { diagTable, eventColumns } from "./events.ts";

const version = "1.2.0";
const source = fileURLToPath(new URL("../rivals/bento/", import.meta.url));

/** Bento with its Kafka input and its SQL output, built once into the cache. Undefined where that is not possible. */
export async function obtainBento(say: (text: string) => void): Promise<string | undefined> {
  const folder = cacheFolder("bento");
  const path = join(folder, "bento");
  if (findStamped("bento", version) !== undefined) return path;
  if (findProgram("go") === undefined) return undefined;
  say("building Bento, which takes some minutes");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of ["main.go", "go.mod", "go.sum"]) copyFileSync(join(source, file), join(folder, file));
  try {
    await run("go", ["build", "-ldflags=-s -w", "-o", "bento", "."], { cwd: folder });
  } catch (error) {
    say(`Bento cannot be built: ${(error as Error).message}`);
    return undefined;
  }
  stamp("bento", version);
  return path;
}

export interface BentoOptions {
  readonly program: string;
  readonly server: BenchServer;
  readonly brokers: string;
  readonly topic: string;
  readonly rows: number;
  /** Rows of an INSERT, and how many of them at once. */
  readonly batch: number;
  readonly inFlight: number;
}

function configOf({ server, brokers, topic, batch, inFlight }: BentoOptions, port: number, group: string): string {
  const dsn = new URL(server.url);
  dsn.searchParams.set("sslmode", "disable");
  return JSON.stringify({
    http: { address: `127.0.0.1:${port}` },
    logger: { level: "WARN" },
    input: {
      kafka_franz: {
        seed_brokers: [brokers],
        topics: [topic],
        consumer_group: group,
        start_from_oldest: true,
        checkpoint_limit: batch * inFlight * 4,
        batching: { count: batch, period: "200ms" },
      },
    },
    output: {
      sql_insert: {
        driver: "postgres",
        dsn: dsn.href,
        table: "diag",
        columns: eventColumns,
        args_mapping: `root = [ ${eventColumns.map((column) => `this.${column}`).join(", ")} ]`,
        max_in_flight: inFlight,
      },
    },
  });
}

/** Bento until the last row is in the table: it follows a topic and does not end by itself. Nothing is checked. */
export function bento(options: BentoOptions): Contestant {
  const { program, server, rows } = options;
  let runs = 0;
  return {
    name: `Bento, sql_insert of ${options.batch}, ${options.inFlight} at once`,
    reset: async () => {
      await resetServer(server);
      await server.run(diagTable);
    },
    run: () =>
      inFolder("bento", undefined, async (folder) => {
        runs += 1;
        const port = await freePort();
        const config = join(folder, "bento.json");
        await writeFile(config, configOf(options, port, `bento-${process.pid}-${runs}`));
        const began = performance.now();
        const url = `http://127.0.0.1:${port}`;
        const ask = (): Promise<unknown> => fetch(`${url}/ping`);
        const process_ = await serve({ service: "bento", url, folder, command: program, args: ["-c", config], ask });
        try {
          await untilStored(server, rows);
          return measured(began, process_.pid);
        } finally {
          await process_.stop();
        }
      }),
    verify: async () => {
      expectCounts("Bento", { rows: await server.count("select count(*) from diag") }, { rows });
    },
  };
}

/** By the table's sequence, which costs nothing to ask, then by counting. */
async function untilStored(server: BenchServer, rows: number): Promise<void> {
  while ((await server.count("select last_value from diag_id_seq")) < rows) await pause(20);
  while ((await server.count("select count(*) from diag")) < rows) await pause(20);
}

function measured(began: number, pid: number | undefined): Measured {
  const ms = performance.now() - began;
  const cpuMs = pid === undefined ? undefined : cpuMsOf([pid]);
  return { ms, stdout: "", ...(cpuMs === undefined ? {} : { cpuMs, peakBytes: 0 }) };
}
