import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Mode } from "../../src/core/pipeline.ts";
import { expectExactlyOnce } from "./balance.ts";
import { type CrashPlace, table } from "./crash-place.ts";
import { deathAt, type Moment } from "./deaths.ts";
import type { LoaderPlan } from "./loader.ts";
import { type Ending, type Subject, startLoader, summaryOf } from "./processes.ts";
import { chance, type Synthetic, synthesize, syntheticContract } from "./synthetic.ts";

/** Kills of one `npm test` over DuckDB and PostgreSQL together; more for a soak run. */
export const killsInAll = Number(process.env["MILLRACE_CRASH_KILLS"] ?? 208);
const seed = Number(process.env["MILLRACE_CRASH_SEED"] ?? 1);

/** A life takes half a second; on a machine that does much else, many times that. */
export const patienceMs = (kills: number): number => 60_000 + kills * 20_000;

/** How a table is loaded while its loaders are killed. */
export interface Manner {
  readonly name: string;
  readonly mode: Mode;
  readonly parallel: number;
  readonly atomic: boolean;
}

export const append: Manner = { name: "append, no key", mode: "append", parallel: 1, atomic: false };
export const merge: Manner = { name: "merge by key", mode: "merge", parallel: 1, atomic: false };
export const parallel: Manner = { name: "append, three lanes", mode: "append", parallel: 3, atomic: false };
export const atomic: Manner = { name: "append, atomic", mode: "append", parallel: 1, atomic: true };

export const replace: Manner = { name: "replace", mode: "replace", parallel: 1, atomic: false };

/** A killed process for each of these moments, in turn. `byParent`: whatever it is doing when the parent's signal comes. */
export type Blow = Moment | "byParent";

export interface Series {
  readonly place: CrashPlace;
  readonly folder: string;
  readonly manner: Manner;
  readonly blows: readonly Blow[];
  readonly kills: number;
}

const recordsPerFile = 40_000;
const batchBytes = 64 * 1024;

/** What has happened in a series so far. */
interface Toll {
  died: number;
  /** Lives begun with a death in mind; each has the next blow of the series. */
  tries: number;
}

/** Loads file after file, its loaders killed again and again, until `kills` have died; then every record is counted. */
export async function survive(series: Series): Promise<void> {
  const random = chance(seed + series.kills);
  const files: { readonly plan: LoaderPlan; readonly file: Synthetic }[] = [];
  const toll: Toll = { died: 0, tries: 0 };
  while (toll.died < series.kills) {
    // A moment that never comes, because the product has changed, would otherwise go unnoticed.
    expect(toll.tries).toBeLessThan(2 * series.kills + 20);
    const next = newFile(series, files.length);
    files.push(next);
    await killUntilLoaded(next.plan, series, toll, random);
    // The last file may have been given up half-way for want of kills: it is finished without.
    summaryOf(await startLoader(next.plan).ended);
  }
  await expectExactlyOnce(series.place, together(files.map(({ file }) => file)));
  for (const { plan, file } of files) await expectNothingLeft(plan, file);
}

function newFile({ place, folder, manner }: Series, index: number): { plan: LoaderPlan; file: Synthetic } {
  const file = synthesize({ seed: seed + index, records: recordsPerFile, firstId: 1 + index * recordsPerFile });
  const from = join(folder, `hired-${index}.csv`);
  writeFileSync(from, file.text);
  const { mode, parallel: lanes, atomic: whole } = manner;
  const contract = syntheticContract(table, mode === "merge");
  return { file, plan: { from, to: place.url, contract, mode, parallel: lanes, atomic: whole, batchBytes } };
}

/** Resolves when a process has come to its end in spite of all, or no more are to be killed. */
async function killUntilLoaded(
  plan: LoaderPlan,
  { blows, kills, manner }: Series,
  toll: Toll,
  random: (below: number) => number,
): Promise<void> {
  // An atomic load begins anew each time; any other is to get forward by about a batch a life.
  const life = { batches: manner.atomic ? 12 : 2, whole: manner.atomic, lanes: manner.parallel };
  while (toll.died < kills) {
    const blow = blows[toll.tries % blows.length] ?? "byParent";
    toll.tries += 1;
    // A whole file's batches are told when it is committed: before that there are only the first few events.
    const ending = await (blow === "byParent"
      ? killedFromOutside(plan, manner.atomic ? 3 : 2 + random(4))
      : startLoader({ ...plan, death: deathAt(blow, life, random) }).ended);
    if (ending.signal !== "SIGKILL") {
      summaryOf(ending);
      return;
    }
    toll.died += 1;
  }
}

async function killedFromOutside(plan: LoaderPlan, afterEvents: number): Promise<Ending> {
  const subject: Subject = startLoader(plan);
  // It may end before; then nobody is left to be killed.
  await Promise.race([subject.event(() => true, afterEvents), subject.ended]);
  subject.kill("SIGKILL");
  return subject.ended;
}

function together(files: readonly Synthetic[]): Synthetic {
  return {
    text: "",
    records: files.reduce((sum, { records }) => sum + records, 0),
    good: files.flatMap(({ good }) => good),
    bad: files.flatMap(({ bad }) => bad),
  };
}

/** A run over content that is loaded already reads none of it and says so. */
export async function expectNothingLeft(plan: LoaderPlan, file: Synthetic): Promise<void> {
  const { read, loaded, alreadyLoaded, balanced } = summaryOf(await startLoader(plan).ended);
  expect({ read, loaded, alreadyLoaded, balanced }).toEqual({
    read: 0,
    loaded: 0,
    alreadyLoaded: file.records,
    balanced: true,
  });
}
