import type { Contestant } from "./contestant.ts";
import type { Measured } from "./program.ts";

/** What the runs of one contestant took, in the order of the rounds. */
export type Runs = readonly Measured[];

/**
 * Runs all contestants once a round, so that what else happens on the machine meets all of them alike. Each run is
 * verified before it counts.
 */
export async function runRounds(
  contestants: readonly Contestant[],
  rounds: number,
  say: (text: string) => void,
): Promise<ReadonlyMap<Contestant, Runs>> {
  const runs = new Map<Contestant, Measured[]>(contestants.map((contestant) => [contestant, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const contestant of contestants) {
      await contestant.reset();
      const measured = await contestant.run();
      await contestant.verify(measured);
      runs.get(contestant)?.push(measured);
      say(`round ${round}  ${contestant.name}: ${Math.round(measured.ms)} ms${cpuOf(measured)}`);
    }
  }
  return runs;
}

function cpuOf({ cpuMs, peakBytes }: Measured): string {
  if (cpuMs === undefined || peakBytes === undefined) return "";
  return `, ${Math.round(cpuMs)} ms CPU, ${Math.round(peakBytes / 2 ** 20)} MB`;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Round by round against the other one of the same round; the median of these. */
export function ratioOf(runs: Runs, against: Runs): number {
  return median(runs.map(({ ms }, round) => ms / (against[round]?.ms ?? Number.NaN)));
}
