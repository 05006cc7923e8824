import { statfs } from "node:fs/promises";
import type { Contestant } from "./contestant.ts";
import { type Data, dataFile, dataFolder, deleteData } from "./data.ts";
import type { Verdict } from "./verdict.ts";

export const budgetMB = 256;
export const memoryFlag = `${budgetMB}MB`;

const hugeBytes = 5 * 1024 ** 3;
const bytesPerRow = 47;

/** Peak memory of the process that loads `data` on a budget of 256 MB. */
export async function peakMemory(name: string, contestant: Contestant, data: Data): Promise<Verdict> {
  await contestant.reset();
  const measured = await contestant.run();
  await contestant.verify(measured);
  const size = `${(data.sizeBytes / 1024 ** 3).toFixed(1)} GB`;
  const value = (measured.peakBytes ?? Number.NaN) / 2 ** 20;
  const what = `peak memory of a load of ${size} with --memory ${memoryFlag}`;
  return { name, what, value, unit: "MB", goal: budgetMB, ms: measured.ms, rounds: 1 };
}

/** Makes a file of 5 GB for the time of `work`. Throws when the disk has no room for it and for its table. */
export async function withHugeFile<Result>(work: (data: Data) => Promise<Result>): Promise<Result> {
  const { bavail, bsize } = await statfs(dataFolder);
  const needed = 5 * hugeBytes;
  if (bavail * bsize < needed) throw new Error(`--huge needs ${needed / 1024 ** 3} GB of room in ${dataFolder}`);
  const data = await dataFile("dirty", Math.ceil(hugeBytes / bytesPerRow));
  try {
    return await work(data);
  } finally {
    deleteData(data);
  }
}
