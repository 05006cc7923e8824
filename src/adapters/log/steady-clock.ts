import { readFileSync } from "node:fs";
import { hrtime } from "node:process";

/** A moment of a clock that nobody can set: it means something beside other moments of the same boot alone. */
export interface Moment {
  /** Tells one boot of one machine from all others. */
  readonly boot: string;
  /** Milliseconds since some moment of that boot. Stands still while the machine sleeps. */
  readonly ms: number;
}

export type SteadyClock = () => Moment;

const bootIdFile = "/proc/sys/kernel/random/boot_id";

/** The same for all processes of a machine: CLOCK_MONOTONIC, and the equal of it elsewhere. */
export function steadyClock(now: () => number): SteadyClock {
  const known = bootId();
  return () => {
    const ms = Number(hrtime.bigint() / 1_000n) / 1_000;
    return { boot: known ?? bootTime(now() - ms), ms };
  };
}

function bootId(): string | undefined {
  try {
    return readFileSync(bootIdFile, "utf8").trim();
  } catch {
    return undefined; // No Linux.
  }
}

/**
 * Where the system does not name its boot, the minute at which it began. Setting the wall clock makes it another one,
 * which is safe: time stands still for as long as it takes to note the new one.
 */
function bootTime(ms: number): string {
  return `since ${Math.round(ms / 60_000)}`;
}

/** An age in ms that grows with time and never jumps, and the moment at which it was noted. */
export interface Age extends Moment {
  readonly ageMs: number;
}

/** The age by now. What passed between the last note of a boot and the first of another one is not counted. */
export function ageAt(noted: Age, now: Moment): number {
  return noted.boot === now.boot && now.ms > noted.ms ? noted.ageMs + (now.ms - noted.ms) : noted.ageMs;
}
