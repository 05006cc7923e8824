import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Comparison, comparisonsOf, verdictOf } from "./comparison.ts";
import type { Contestant } from "./contestant.ts";
import { dataFolder } from "./data.ts";
import { Field } from "./field.ts";
import { peakMemory, withHugeFile } from "./memory.ts";
import { build } from "./millrace.ts";
import { startServer } from "./postgres.ts";
import { runRounds } from "./rounds.ts";
import { contract } from "./table.ts";
import { isMet, machineOf, printVerdicts, type Verdict } from "./verdict.ts";
import { versionTime } from "./version.ts";

interface Options {
  readonly rows: number;
  readonly rounds: number;
  /** Beginning of the names of what is to be measured; empty for all. */
  readonly only: readonly string[];
  readonly json: boolean;
  readonly long: boolean;
  readonly huge: boolean;
}

const say = (text: string): void => console.error(text);

/** `npm run bench -- load`. True when every goal that was measured is met. */
export async function run(args: readonly string[]): Promise<boolean> {
  const options = optionsOf(args);
  build();
  await mkdir(dataFolder, { recursive: true });
  const folder = await mkdtemp(join(dataFolder, "run-"));
  const server = await startServer();
  try {
    const contractPath = join(folder, "hired.json");
    await writeFile(contractPath, JSON.stringify(contract));
    const field = new Field({ server, folder, contractPath, rows: options.rows });
    const verdicts = await measure(field, options);
    printVerdicts(
      "load",
      verdicts,
      machineOf({ postgresql: server.version, rows: String(options.rows) }),
      options.json,
    );
    return verdicts.every(isMet);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: "string", default: "2000000" },
      rounds: { type: "string", default: "3" },
      only: { type: "string", multiple: true, default: [] },
      json: { type: "boolean", default: false },
      long: { type: "boolean", default: false },
      huge: { type: "boolean", default: false },
    },
  });
  const { only, json, long, huge } = values;
  return { rows: Number(values.rows), rounds: Number(values.rounds), only, json, long, huge };
}

async function measure(field: Field, options: Options): Promise<readonly Verdict[]> {
  const wanted = (name: string): boolean => options.only.length === 0 || options.only.some((it) => name.startsWith(it));
  const all = await comparisonsOf(field, wanted, options.long);
  const verdicts = await compare(all, options.rounds);
  if (wanted("version")) verdicts.push(await versionTime());
  if (wanted("memory")) verdicts.push(await peakMemory("memory", await field.tight(), await field.data("dirty")));
  if (options.huge) {
    verdicts.push(await withHugeFile(async (data) => peakMemory("memory-huge", await field.tight(data), data)));
  }
  return verdicts;
}

async function compare(all: readonly Comparison[], rounds: number): Promise<Verdict[]> {
  const contestants = new Set<Contestant>(all.flatMap(({ contestant, against }) => [against, contestant]));
  const runs = await runRounds([...contestants], rounds, say);
  return all.map((comparison) => verdictOf(comparison, runs));
}
