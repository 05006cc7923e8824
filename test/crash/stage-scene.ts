import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { addCounts, type Counts, isBalanced, noCounts } from "../../src/core/ledger.ts";
import { readKept } from "./balance.ts";
import { type CrashPlace, table } from "./crash-place.ts";
import { Subject, summaryOf } from "./processes.ts";
import type { StagePlan } from "./stage-worker.ts";
import { type Synthetic, syntheticContract } from "./synthetic.ts";

export const start = (plan: StagePlan): Subject => new Subject("test/crash/stage-worker.ts", [JSON.stringify(plan)]);

/** Runs the stage again and again, each time killed before the next of these commits. */
export async function killedBefore(plan: StagePlan, commits: readonly number[]): Promise<void> {
  for (const diesBeforeCommit of commits) {
    const { signal, events, stderr } = await start({ ...plan, diesBeforeCommit }).ended;
    expect({ signal, last: signal === null ? events.at(-1) : undefined, stderr }).toMatchObject({ signal: "SIGKILL" });
  }
}

export async function toItsEnd(plan: StagePlan): Promise<void> {
  summaryOf(await start(plan).ended);
}

async function sumOf(place: CrashPlace, stage: string): Promise<Counts> {
  const { ledger } = await readKept(place.url, stage);
  expect(ledger.filter((entry) => !isBalanced(entry))).toEqual([]);
  return ledger.reduce(addCounts, noCounts);
}

/** Every good record is in the table once, every bad one a reject of the first stage, and the books of both say so. */
export async function expectExact(
  place: CrashPlace,
  { good, bad, records }: Synthetic,
  repeats: number,
): Promise<void> {
  const rows = (await place.readRows()).map((row) => JSON.stringify(row));
  expect(rows.toSorted()).toEqual(good.map((row) => JSON.stringify(row)).toSorted());
  const first = await sumOf(place, "crash:1");
  expect(first).toEqual({ read: records, loaded: good.length, merged: 0, filtered: 0, rejected: bad.length });
  const second = await sumOf(place, "crash:2");
  expect(second).toMatchObject({ loaded: good.length, merged: 0, rejected: 0 });
  expect(second.read).toBe(good.length + second.filtered);
  // Without any the deaths would have shown nothing.
  expect(second.filtered).toBeGreaterThan(repeats);
}

export function scene(folder: string, file: Synthetic, key: boolean): Omit<StagePlan, "via" | "to" | "stage"> {
  const from = join(folder, "hired.csv");
  writeFileSync(from, file.text);
  const contract = syntheticContract(table, key);
  return { from, contract, sink: { mode: "append" }, follow: false, batchBytes: 16_384, batchRows: 300 };
}
