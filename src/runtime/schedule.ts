import { Cron } from "croner";
import { MillraceError } from "../core/error.ts";
import type { Store } from "../ports/store.ts";

/** Times that were missed, of which no more are counted. */
const missedMax = 100;

export interface ScheduleParts {
  /** What it is of, for people: also the key under which it is kept when it was done last. */
  readonly what: string;
  /** A cron pattern, in UTC, or in the zone that `CRON_TZ=Zone` before it names. */
  readonly pattern: string;
  readonly work: () => Promise<void>;
  /** Where it is kept when it was done last; without it what is missed while no process runs is not noticed. */
  readonly store?: () => Promise<Store>;
  readonly notice: (text: string) => void;
  readonly now: () => number;
}

/** Work at set times, never twice at once. What was missed, or left out for that, is said. */
export class Schedule {
  readonly #parts: ScheduleParts;
  readonly #job: Cron;
  #isBusy = false;

  /** Throws CONFIG_INVALID for a pattern that is none. `begin` takes care of what it is given: nothing here rejects. */
  constructor(parts: ScheduleParts, begin: (work: () => Promise<void>) => void) {
    this.#parts = parts;
    this.#job = cronOf(parts, () => begin(() => this.#run()));
    if (parts.store !== undefined) begin(() => this.#sayMissed());
  }

  stop(): void {
    this.#job.stop();
  }

  async #run(): Promise<void> {
    const { what, work, notice } = this.#parts;
    if (this.#isBusy) {
      notice(`${what}: it is time again, and the work before is not done; this time is left out`);
      return;
    }
    this.#isBusy = true;
    try {
      await this.#sayMissed(1);
      await work();
    } finally {
      this.#isBusy = false;
    }
  }

  /** Of the times since it was done last the newest `own` is no missed one: its work begins now. */
  async #sayMissed(own = 0): Promise<void> {
    const { what, store, notice, now } = this.#parts;
    if (store === undefined) return;
    const kept = await store();
    const last = Number((await kept.get(key(what)))?.value ?? now());
    const times = this.#job.previousRuns(missedMax + own, new Date(now() + 1)).map((time) => time.getTime());
    const missed = times.filter((time) => time > last).slice(own);
    const [latest] = missed;
    if (latest !== undefined) {
      const count = missed.length >= missedMax ? `${missedMax} times or more` : `${missed.length} times`;
      notice(`${what}: missed ${count}, the latest ${new Date(latest).toISOString()}; it is not done again for them`);
    }
    await kept.put(key(what), now());
  }
}

function key(what: string): string {
  return `schedule/${what}`.slice(0, 200);
}

/** When the pattern says so, the newest first: `count` times before `beforeMs`. Throws CONFIG_INVALID. */
export function timesBefore(what: string, pattern: string, count: number, beforeMs: number): number[] {
  const job = cronOf({ what, pattern }, undefined);
  return job.previousRuns(count, new Date(beforeMs)).map((time) => time.getTime());
}

function cronOf({ what, pattern }: Pick<ScheduleParts, "what" | "pattern">, run: (() => void) | undefined): Cron {
  const [, zone = "UTC", times = ""] = /^(?:(?:CRON_)?TZ=(\S+)\s+)?(.*)$/s.exec(pattern.trim()) ?? [];
  try {
    const options = { timezone: zone, unref: true, paused: run === undefined };
    const job = run === undefined ? new Cron(times, options) : new Cron(times, options, run);
    // A zone that is none is noticed by the first question alone.
    job.nextRun();
    return job;
  } catch (cause) {
    throw new MillraceError("CONFIG_INVALID", `${what}: ${JSON.stringify(pattern)} is no cron pattern`, {
      remedy:
        'Write minute, hour, day, month and weekday, in UTC: "0 3 * * *" is three in the morning; "CRON_TZ=Europe/Madrid 0 3 * * *" is that in Madrid.',
      cause,
    });
  }
}
