import { fileURLToPath } from "node:url";
import { type Contestant, expectCounts } from "../contestant.ts";
import { type Measured, runProgram } from "../program.ts";
import { runRounds } from "../rounds.ts";
import { tableSql } from "../table.ts";
import type { Verdict } from "../verdict.ts";
import { cpuMsOf } from "./cpu.ts";
import { startFastapi } from "./fastapi-service.ts";
import { startMillrace } from "./millrace-service.ts";
import { rateVerdict } from "./rate.ts";
import type { Service } from "./service.ts";
import { TableCheck, uploadTable } from "./table-check.ts";
import { uploadBad, uploadRows } from "./upload-form.ts";
import type { UploadLoad, UploadsDone } from "./upload-load.ts";

export interface UploadsOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** Connections that upload at the same time. */
  readonly clients: number;
  /** Processes of the rival. */
  readonly workers: number;
  /** Of one run; ends it sooner. */
  readonly uploadsMax?: number;
  readonly say: (text: string) => void;
}

/** `fresh`: each upload has ids of its own. `merge`: the same file again and again. */
export const uploadKinds = ["fresh", "merge"] as const;
type Kind = (typeof uploadKinds)[number];

/** Millrace may take a fifth of the rival's time for an upload; the goal is one of new rows. */
const goals: Readonly<Partial<Record<Kind, number>>> = { fresh: 0.2 };
/** A program's code is compiled while it runs; it takes some hundred uploads until that has come to rest. */
const warmUp = { uploadsMax: 500, seconds: 30 };
const generator = fileURLToPath(new URL("./upload-load.ts", import.meta.url));

/** Databases of the same server, one for each. */
export interface UploadPlaces {
  readonly millrace: string;
  readonly fastapi: string;
}

/** The times of one upload, of each kind asked for. */
export async function compareUploads(
  places: UploadPlaces,
  kinds: readonly Kind[],
  options: UploadsOptions,
): Promise<Verdict[]> {
  await using rival = await uploadee("FastAPI", places.fastapi, async (table) => {
    await table.run(tableSql(uploadTable));
    return startFastapi(places.fastapi, options.workers);
  });
  await using millrace = await uploadee("Millrace", places.millrace, () => startMillrace(places.millrace, 0));
  const pairs = kinds.map((kind) => {
    const contestants = [rival, millrace].map((to) => uploads(to, kind, options)) as [Contestant, Contestant];
    return { kind, contestants };
  });
  const all = pairs.flatMap(({ contestants }) => contestants);
  const warming = { ...options, ...warmUp, say: (text: string) => options.say(`warm-up  ${text}`) };
  for (const to of [rival, millrace]) await once(uploads(to, "fresh", warming));
  const runs = await runRounds(all, options.rounds, () => {});
  return pairs.map(({ kind, contestants: [other, mine] }) => {
    const what = `an upload of ${uploadRows} lines, ${kind}, ${options.clients} clients: Millrace : FastAPI`;
    const goal = goals[kind];
    const asked = { name: `uploads-${kind}`, what, ...(goal === undefined ? {} : { goal }) };
    return rateVerdict(asked, runs.get(mine) ?? [], runs.get(other) ?? []);
  });
}

/** Whom uploads are sent to, with a look at its table. */
interface Uploadee extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  /** The program's, and the database server's that works for it. */
  readonly pids: readonly number[];
  readonly table: TableCheck;
}

async function uploadee(
  name: string,
  database: string,
  start: (table: TableCheck) => Promise<Service>,
): Promise<Uploadee> {
  const table = new TableCheck(database);
  await table.open();
  try {
    const serverPid = await table.serverPid();
    const service = await start(table);
    const pids = [service.pid, ...(serverPid === undefined ? [] : [serverPid])];
    const dispose = async (): Promise<void> => {
      await service.stop();
      await table.close();
    };
    return { name, url: service.url, pids, table, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await table.close();
    throw error;
  }
}

function uploads(to: Uploadee, kind: Kind, { clients, seconds, uploadsMax, say }: UploadsOptions): Contestant {
  const { name, url, table, pids } = to;
  const most = uploadsMax === undefined ? {} : { uploadsMax };
  const load: UploadLoad = { url, clients, seconds, ...most, fresh: kind === "fresh" };
  const isMillrace = name === "Millrace";
  let kept = { rejects: 0, read: 0 };
  return {
    name: `${name}, ${kind}`,
    reset: async () => {
      await table.empty();
      if (isMillrace) kept = await keptIn(table);
    },
    run: async () => {
      const before = cpuMsOf(pids);
      const measured = await runProgram(process.execPath, [generator, JSON.stringify(load)]);
      const done = doneOf(measured);
      const after = cpuMsOf(pids);
      const cpu = before === undefined || after === undefined ? {} : { cpuMs: (after - before) / done.uploads };
      say(`${name}, ${kind}: ${shown(done, cpu.cpuMs)}`);
      return { ...measured, ...cpu, ms: done.ms / done.uploads };
    },
    verify: async (measured) => {
      // With the first one, which is not counted.
      const count = doneOf(measured).uploads + 1;
      await table.verify(name, kind === "fresh" ? count : 1);
      if (!isMillrace) return;
      const { rejects, read } = await keptIn(table);
      const found = { rejects: rejects - kept.rejects, read: read - kept.read };
      expectCounts(name, found, { rejects: count * uploadBad, read: count * uploadRows });
    },
  };
}

function shown({ uploads: count, ms, p50Ms, p99Ms }: UploadsDone, cpuMs: number | undefined): string {
  const times = `${((count / ms) * 1000).toFixed(1)} uploads/s, p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms`;
  return cpuMs === undefined ? times : `${times}, ${cpuMs.toFixed(1)} ms CPU each`;
}

/** What Millrace commits together with the rows. */
async function keptIn(table: TableCheck): Promise<{ rejects: number; read: number }> {
  const rejects = await table.count("select count(*) from millrace_reject");
  const read = await table.count("select coalesce(sum(read), 0) from millrace_ledger");
  return { rejects, read };
}

const doneOf = ({ stdout }: Measured): UploadsDone => JSON.parse(stdout) as UploadsDone;

async function once(contestant: Contestant): Promise<void> {
  await contestant.reset();
  await contestant.verify(await contestant.run());
}
