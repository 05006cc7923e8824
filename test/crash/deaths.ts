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

/** Moments that come once in a life, or twice in one that goes on after them; the others come with every batch. */
const once: ReadonlySet<Moment> = new Set([
  "duringOpen",
  "afterOpen",
  "duringPrepare",
  "afterPrepare",
  "beforeSettle",
  "afterSettle",
]);

/** Moments that come once in a load that is one transaction as a whole. */
const onceInUnit: ReadonlySet<Moment> = new Set(["beforeBegin", "afterBegin", "duringCommit", "afterCommit"]);

/** A death at `moment`, within the first `batches` batches of the process's life. `whole`: they are one transaction. */
export function deathAt(moment: Moment, batches: number, whole: boolean, random: (below: number) => number): Death {
  const isOnce = once.has(moment) || (whole && onceInUnit.has(moment));
  // Turns of the event loop pass in microseconds while a thread works: most deaths early, some late.
  const turns = Math.floor(2 ** random(11)) - 1;
  return { moment, nth: isOnce ? 1 : 1 + random(batches), turns, signal: "SIGKILL" };
}
