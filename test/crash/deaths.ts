/** Moments of a load at which a process may be made to die. */
export const moments = [
  "duringOpen",
  "afterOpen",
  "duringPrepare",
  "afterPrepare",
  "beforeClaim",
  "duringClaim",
  "afterClaim",
  "beforeRead",
  "afterRead",
  "beforeBegin",
  "afterBegin",
  "duringWrite",
  "firstCopyBytes",
  "afterWrite",
  "duringCommit",
  "afterCommit",
  "beforeSettle",
  "afterSettle",
] as const;

export type Moment = (typeof moments)[number];

/** When and how a process is to die, or to be stopped as if it hung. */
export interface Death {
  readonly moment: Moment;
  /** At the n-th time, from 1. */
  readonly nth: number;
  /** For `during…`: turns of the event loop after the call was made. */
  readonly turns: number;
  readonly signal: "SIGKILL" | "SIGSTOP";
}

/** How often moments come in the life of a loader. */
export interface Life {
  /** Batches within which it is to die. */
  readonly batches: number;
  /** All of them are one transaction. */
  readonly whole: boolean;
  readonly lanes: number;
}

const onceInLife: ReadonlySet<Moment> = new Set([
  "duringOpen",
  "afterOpen",
  "duringPrepare",
  "afterPrepare",
  "beforeSettle",
  "afterSettle",
]);
const onceInUnit: ReadonlySet<Moment> = new Set(["beforeBegin", "afterBegin", "duringCommit", "afterCommit"]);
const onceInLane: ReadonlySet<Moment> = new Set(["beforeClaim", "duringClaim", "afterClaim"]);

/** A death at `moment`, at a time that comes for sure unless the file ends before. */
export function deathAt(moment: Moment, life: Life, random: (below: number) => number): Death {
  // Turns of the event loop pass in microseconds while a thread works: most deaths early, some late.
  const turns = Math.floor(2 ** random(11)) - 1;
  return { moment, nth: 1 + random(timesOf(moment, life)), turns, signal: "SIGKILL" };
}

function timesOf(moment: Moment, { batches, whole, lanes }: Life): number {
  if (onceInLife.has(moment) || (whole && onceInUnit.has(moment))) return 1;
  return onceInLane.has(moment) ? lanes : batches;
}
