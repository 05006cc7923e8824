import { addCounts, type Counts, isBalanced, type LedgerEntry, noCounts } from "../core/ledger.ts";

/** All batches of one process's run of a pipeline. */
export interface RunOfPipeline extends Counts {
  readonly run: string;
  readonly startedAt: string;
  readonly committedAt: string;
  readonly batches: number;
  readonly sources: number;
  readonly balanced: boolean;
}

/** What was committed in a span of time. */
export interface Span {
  readonly at: string;
  readonly seconds: number;
  readonly read: number;
  readonly rows: number;
  readonly rejected: number;
  /** Mean from the beginning of a batch's reading to its commit; null without a batch. */
  readonly batchMs: number | null;
}

/** The runs of ledger entries that come newest first, newest first too. */
export function runsOf(entries: readonly LedgerEntry[]): RunOfPipeline[] {
  const byRun = Map.groupBy(entries, ({ run }) => run);
  return [...byRun].map(([run, own]) => {
    const { read, loaded, merged, filtered, rejected } = own.reduce(addCounts, noCounts);
    const least = (texts: readonly string[]): string => texts.reduce((a, b) => (a < b ? a : b));
    const most = (texts: readonly string[]): string => texts.reduce((a, b) => (a > b ? a : b));
    return {
      run,
      startedAt: least(own.map(({ startedAt }) => startedAt)),
      committedAt: most(own.map(({ committedAt }) => committedAt)),
      batches: own.length,
      sources: new Set(own.map(({ source }) => source)).size,
      balanced: own.every(isBalanced),
      ...{ read, loaded, merged, filtered, rejected },
    };
  });
}

const spansMax = 60;

/** The same entries over time: equal spans from the first commit to the last, oldest first. */
export function spansOf(entries: readonly LedgerEntry[]): Span[] {
  const times = entries.map(({ committedAt }) => Date.parse(committedAt));
  if (times.length === 0) return [];
  const first = times.reduce((a, b) => Math.min(a, b));
  const last = times.reduce((a, b) => Math.max(a, b));
  const spanMs = Math.max(1_000, Math.ceil((last - first + 1) / spansMax / 1_000) * 1_000);
  const bySpan = Map.groupBy(entries, (_, index) => Math.floor(((times[index] ?? first) - first) / spanMs));
  return Array.from({ length: Math.floor((last - first) / spanMs) + 1 }, (_, index) => {
    const own = bySpan.get(index) ?? [];
    const { read, loaded, merged, rejected } = own.reduce<Counts>(addCounts, noCounts);
    const tookMs = own.reduce((sum, one) => sum + Date.parse(one.committedAt) - Date.parse(one.startedAt), 0);
    return {
      at: new Date(first + index * spanMs).toISOString(),
      seconds: spanMs / 1_000,
      ...{ read, rows: loaded + merged, rejected },
      batchMs: own.length === 0 ? null : Math.max(0, Math.round(tookMs / own.length)),
    };
  });
}
