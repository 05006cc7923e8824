import { closeSync, fdatasync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { embeddedLog } from "../src/adapters/log/index.ts";
import { parsePlace } from "../src/core/place.ts";
import type { Log, LogRecord } from "../src/ports/log.ts";
import { table } from "../scripts/services/table.ts";
import { median } from "./rounds.ts";
import { machineOf } from "./verdict.ts";

/** How many append at the same time, and how many records at once. */
interface Load {
  readonly name: string;
  readonly callers: number;
  readonly records: number;
  /** Records a second to be reached. */
  readonly goal: number;
}

const loads: readonly Load[] = [
  { name: "single records, 500 callers", callers: 500, records: 1, goal: 30_000 },
  { name: "100 records at once, 50 callers", callers: 50, records: 100, goal: 300_000 },
];

const value = Buffer.alloc(200, "a record of two hundred bytes, ");
const sync = promisify(fdatasync);

type Append = (records: readonly LogRecord[]) => Promise<void>;

/**
 * `npm run bench -- log [--rounds 3] [--seconds 4] [--millions 2]`: the embedded log against the least that durable means,
 * a file that is written to and synced with whatever has come meanwhile. In the system's temporary folder; both take turns.
 */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "4" },
      millions: { type: "string", default: "2" },
    },
  });
  const lines: (string | number)[][] = [["what", "records/s", "goal", "plain file", "times slower"]];
  let met = true;
  for (const load of loads) {
    const rates: { log: number; file: number }[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) {
      rates.push({ log: await inLog(load, Number(values.seconds)), file: await inFile(load, Number(values.seconds)) });
    }
    const [log, file] = [median(rates.map((rate) => rate.log)), median(rates.map((rate) => rate.file))];
    met &&= log >= load.goal;
    const ratio = median(rates.map((rate) => rate.file / rate.log)).toFixed(1);
    lines.push([load.name, Math.round(log), load.goal, Math.round(file), ratio]);
  }
  console.log(table(lines.map((line) => line.map(String))));
  await tellGrowth(Number(values.millions));
  console.log(Object.entries(machineOf({})).join("; ").replaceAll(",", " "));
  return met;
}

/** Records a second of callers that each append again as soon as they are answered. */
async function rateOf({ callers, records }: Load, seconds: number, append: Append): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let count = 0;
  const call = async (_: unknown, caller: number): Promise<void> => {
    const batch = Array.from({ length: records }, (__, index) => {
      return { key: Buffer.from(`vehicle ${caller} ${index}`), value, id: `${caller}/${index}`, timeMs: Date.now() };
    });
    while (performance.now() < end) {
      await append(batch);
      count += records;
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return count / seconds;
}

async function inLog(load: Load, seconds: number): Promise<number> {
  return withLog((log) => rateOf(load, seconds, (records) => log.append(records)));
}

async function withLog<Result>(work: (log: Log) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  const context = { now: () => Date.now(), pause, notice: (text: string) => console.error(text) };
  const log = embeddedLog(parsePlace(`log:${folder}/log?max=100GB`), context);
  try {
    await log.open();
    return await work(log);
  } finally {
    await log.close();
    rmSync(folder, { recursive: true });
  }
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal });
}

async function inFile(load: Load, seconds: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  const file = openSync(join(folder, "file"), "w");
  let waiting: { records: readonly LogRecord[]; done: () => void }[] = [];
  let running: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    await new Promise(setImmediate);
    while (waiting.length > 0) {
      const now = waiting;
      waiting = [];
      writeSync(file, Buffer.concat(now.flatMap(({ records }) => records.map((one) => one.value))));
      await sync(file);
      for (const { done } of now) done();
    }
    running = undefined;
  };
  try {
    return await rateOf(load, seconds, async (records) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ records, done: resolve });
      running ??= write();
      await promise;
    });
  } finally {
    await running;
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
}

/** What a million records cost as the log grows, and to read; and the memory that is the process's own. */
async function tellGrowth(millions: number): Promise<void> {
  await withLog(async (log) => {
    const lines = [["million", "append s", "CPU s", "own MB"]];
    for (let million = 1; million <= millions; million += 1) {
      const [start, cpu] = [performance.now(), process.cpuUsage()];
      await rateOfMillion(log);
      lines.push([String(million), seconds(performance.now() - start), cpuSeconds(cpu), ownMegabytes()]);
    }
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    const records = await readAll(log);
    lines.push([`read ${records}`, seconds(performance.now() - start), cpuSeconds(cpu), ownMegabytes()]);
    console.log(table(lines));
  });
}

async function rateOfMillion(log: Log): Promise<void> {
  const batch = Array.from({ length: 1_000 }, (_, index) => {
    return { key: Buffer.from(`vehicle ${index}`), value, id: `id ${index}`, timeMs: Date.now() };
  });
  for (let thousand = 0; thousand < 1_000; thousand += 10) {
    await Promise.all(Array.from({ length: 10 }, () => log.append(batch)));
  }
}

async function readAll(log: Log): Promise<number> {
  let count = 0;
  for (const lane of await log.lanes()) {
    if (lane.start === lane.end) continue;
    const stop = new AbortController();
    for await (const piece of log.read(lane, lane.start, stop.signal)) {
      count += piece.length;
      if ((piece.at(-1)?.offset ?? 0n) + 1n === lane.end) stop.abort();
    }
  }
  return count;
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(2);

function cpuSeconds(before: NodeJS.CpuUsage): string {
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1e6).toFixed(2);
}

/** Without what the system keeps of files for it. */
function ownMegabytes(): string {
  const [, kilobytes] = /^RssAnon:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return kilobytes === undefined ? "" : String(Math.round(Number(kilobytes) / 1_024));
}
