import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { embeddedLog } from "../../src/adapters/log/index.ts";
import { parsePlace } from "../../src/core/place.ts";
import { program } from "../millrace.ts";
import { runNode } from "../program.ts";
import type { Verdict } from "../verdict.ts";
import { recordOf } from "./topic.ts";

export interface GrowthOptions {
  readonly millions: number;
  readonly folder: string;
  readonly say: (text: string) => void;
}

const million = 1_000_000;
const piece = 2_000;
const goal = 1.15;

/**
 * A million events at a time: appended to the embedded log, then brought from there into a DuckDB table by a process of
 * its own. What counts is the processor time, as the machine may have other work.
 */
export async function measureGrowth({ millions, folder, say }: GrowthOptions): Promise<Verdict[]> {
  const stream = join(folder, "growth");
  const module = join(folder, "growth.ts");
  const place = `log:${stream}?max=200GB`;
  await writePipeline(module, place, join(folder, "growth.duckdb"));
  const context = { now: () => Date.now(), pause, notice: say };
  const log = embeddedLog(parsePlace(place), context);
  const costs: number[] = [];
  try {
    await log.open();
    for (let at = 0; at < millions; at += 1) {
      const before = process.cpuUsage();
      for (let from = at * million; from < (at + 1) * million; from += piece) {
        await log.append(Array.from({ length: piece }, (_, index) => recordOf(from + index)));
      }
      const { user, system } = process.cpuUsage(before);
      const stored = await runNode([program, "run", module, "--once", "--json"]);
      const { loaded } = JSON.parse(stored.stdout.trim().split("\n").at(-1) ?? "") as { readonly loaded: number };
      if (loaded !== million) throw new Error(`${loaded} rows of a million were loaded`);
      const appendMs = (user + system) / 1_000;
      costs.push(appendMs + (stored.cpuMs ?? 0));
      say(
        `million ${at + 1}: ${Math.round(appendMs)} ms CPU to make and append, ${Math.round(stored.cpuMs ?? 0)} to store`,
      );
    }
  } finally {
    await log.close();
  }
  const what = `processor time of the last of ${millions} million events : that of the second`;
  return [{ name: "growth", what, value: (costs.at(-1) ?? Number.NaN) / (costs[1] ?? Number.NaN), goal, rounds: 1 }];
}

async function writePipeline(module: string, from: string, table: string): Promise<void> {
  const [api, tables] = ["src/index.js", "apps/fleet/tables.js"].map((path) => {
    return pathToFileURL(join(program, "..", "..", "..", path)).href;
  });
  const text = `import { pipeline } from "${api}";
import { diag } from "${tables}";
export default pipeline("fleet:events").from("${from}").check(diag).to("duckdb:${table}", { lineage: true });
`;
  await writeFile(module, text);
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal });
}
