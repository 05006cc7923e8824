import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { dataFolder } from "./data.ts";
import { build } from "./millrace.ts";
import { compareIntoPostgres } from "./stream/into-postgres.ts";
import { measureArrival } from "./stream/arrival.ts";
import { measureGrowth } from "./stream/growth.ts";
import { comparePosts } from "./stream/posts.ts";
import { isMet, machineOf, printVerdicts, type Verdict } from "./verdict.ts";

interface Options {
  readonly rows: number;
  readonly rounds: number;
  readonly only: readonly string[];
  readonly json: boolean;
  readonly seconds: number;
  /** Events of `growth`. */
  readonly millions: number;
}

const say = (text: string): void => console.error(text);

/** `npm run bench -- stream`. True when every goal that was measured is met. */
export async function run(args: readonly string[]): Promise<boolean> {
  const options = optionsOf(args);
  build();
  await mkdir(dataFolder, { recursive: true });
  const folder = await mkdtemp(join(dataFolder, "stream-"));
  try {
    const verdicts = await measure(folder, options);
    printVerdicts("stream", verdicts, machineOf({ rows: String(options.rows) }), options.json);
    return verdicts.every(isMet);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: "string", default: "500000" },
      rounds: { type: "string", default: "3" },
      only: { type: "string", multiple: true, default: [] },
      seconds: { type: "string", default: "5" },
      millions: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
    },
  });
  const { rows, rounds, seconds, millions, only, json } = values;
  return {
    rows: Number(rows),
    rounds: Number(rounds),
    seconds: Number(seconds),
    millions: Number(millions),
    only,
    json,
  };
}

async function measure(folder: string, { rows, rounds, seconds, millions, only }: Options): Promise<Verdict[]> {
  const wanted = (name: string): boolean => only.length === 0 || only.some((it) => name.startsWith(it));
  const verdicts: Verdict[] = [];
  if (wanted("kafka")) verdicts.push(...(await compareIntoPostgres({ rows, rounds, folder, say })));
  if (wanted("posts")) verdicts.push(...(await comparePosts({ rounds, seconds, say })));
  if (wanted("arrival")) verdicts.push(...(await measureArrival({ seconds, say })));
  if (wanted("growth")) verdicts.push(...(await measureGrowth({ millions, folder, say })));
  return verdicts;
}
