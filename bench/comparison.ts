import type { Contestant } from "./contestant.ts";
import type { Field } from "./field.ts";
import { median, ratioOf, type Runs } from "./rounds.ts";
import type { Verdict } from "./verdict.ts";

/** One contestant beside another, and how much longer it may take. */
export interface Comparison {
  readonly name: string;
  readonly contestant: Contestant;
  readonly against: Contestant;
  /** The ratio of their times that is to be reached. */
  readonly goal: number;
  /** How many times the rows of the other one it loads. */
  readonly times?: number;
}

/** A comparison before its contestants are made; `against` is undefined where a rival cannot be had. */
interface Plan {
  readonly name: string;
  readonly goal: number;
  readonly times?: number;
  readonly contestant: () => Promise<Contestant>;
  readonly against: () => Promise<Contestant | undefined>;
}

function plansOf(field: Field): readonly Plan[] {
  const psql = (): Promise<Contestant> => field.psql();
  return [
    { name: "postgres-2-append", goal: 1.0, contestant: () => field.postgres(2, "append"), against: psql },
    { name: "postgres-2-merge", goal: 1.0, contestant: () => field.postgres(2), against: psql },
    { name: "postgres-1-append", goal: 1.3, contestant: () => field.postgres(1, "append"), against: psql },
    { name: "postgres-1-merge", goal: 1.3, contestant: () => field.postgres(1), against: psql },
    { name: "pgloader", goal: 0.2, contestant: () => field.postgres(2, "append"), against: () => field.pgloader() },
    { name: "duckdb-append", goal: 3, contestant: () => field.duckdb("append"), against: () => field.duckdbInsert() },
    { name: "duckdb-merge", goal: 3, contestant: () => field.duckdb(), against: () => field.duckdbInsert() },
    {
      name: "refused-duplicate",
      goal: 1.5,
      contestant: () => field.refused("duplicate"),
      against: () => field.postgres(2, "append"),
    },
    {
      name: "refused-check",
      goal: 1.5,
      contestant: () => field.refused("refused"),
      against: () => field.refused("dirty"),
    },
  ];
}

/** Cost per row of ten times as many rows. */
function longPlan(field: Field): Plan {
  return {
    name: "long",
    goal: 1.1,
    times: 10,
    contestant: () => field.postgres(2, "append", 10),
    against: () => field.postgres(2, "append"),
  };
}

export async function comparisonsOf(
  field: Field,
  wanted: (name: string) => boolean,
  long: boolean,
): Promise<readonly Comparison[]> {
  const plans = [...plansOf(field), ...(long ? [longPlan(field)] : [])].filter(({ name }) => wanted(name));
  const comparisons: Comparison[] = [];
  for (const { name, goal, times, contestant, against } of plans) {
    const other = await against();
    if (other === undefined) console.error(`${name} is left out: it is not on this machine and cannot be installed`);
    else comparisons.push({ name, goal, contestant: await contestant(), against: other, ...(times ? { times } : {}) });
  }
  return comparisons;
}

export function verdictOf(comparison: Comparison, runs: ReadonlyMap<Contestant, Runs>): Verdict {
  const { name, goal, contestant, against, times = 1 } = comparison;
  const mine = runs.get(contestant) ?? [];
  const others = runs.get(against) ?? [];
  return {
    name,
    what: `${contestant.name} : ${against.name}${times === 1 ? "" : ", per row"}`,
    value: ratioOf(mine, others) / times,
    goal,
    ms: median(mine.map(({ ms }) => ms)),
    againstMs: median(others.map(({ ms }) => ms)),
    rounds: mine.length,
  };
}
