import type { Refusals } from "./refusals.ts";

/** Trials that one batch may take. Each writes up to a batch, so that beyond it stopping serves people better. */
const trialsMax = 2_000;

/**
 * The last resort for rows that DuckDB refuses for a reason that cannot be asked for beforehand: halves the rows until
 * those at fault are alone. Adds them to `refusals`. `attempt` resolves with the refusal when the rows but for those
 * given do not go in. Throws the refusal when it takes too many trials, or when rows fail only together.
 */
export async function findByTrial(
  count: number,
  refusals: Refusals,
  attempt: (excluded: ReadonlySet<number>) => Promise<Error | undefined>,
): Promise<void> {
  const candidates = Array.from({ length: count }, (_, row) => row).filter((row) => !refusals.has(row));
  const known = new Set(refusals.keys());
  const ranges: (readonly number[])[] = [candidates];
  for (let trials = 0; ranges.length > 0; trials += 1) {
    const range = ranges.pop() ?? [];
    const failure = await attempt(allBut(range, candidates, known));
    if (failure === undefined) continue;
    if (trials >= trialsMax) throw failure;
    const [row] = range;
    if (row !== undefined && range.length === 1) {
      refusals.set(row, { code: "refused", message: messageOf(failure) });
      continue;
    }
    const middle = Math.ceil(range.length / 2);
    ranges.push(range.slice(middle), range.slice(0, middle));
  }
}

function allBut(
  range: readonly number[],
  candidates: readonly number[],
  known: ReadonlySet<number>,
): ReadonlySet<number> {
  const inRange = new Set(range);
  return new Set([...known, ...candidates.filter((row) => !inRange.has(row))]);
}

/** DuckDB's own words, without its class and the statement. */
function messageOf(error: Error): string {
  return error.message.replace(/^\w[\w ]* Error: /, "").split("\n")[0] ?? error.message;
}
