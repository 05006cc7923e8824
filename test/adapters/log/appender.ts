/**
 * Appends to a log from several callers at once until it is killed, and prints a line of JSON for each append that has
 * resolved. Argument: an AppenderPlan as JSON.
 */
import type { LogRecord } from "../../../src/ports/log.ts";
import { Scene } from "./scene.ts";

export interface AppenderPlan {
  readonly folder: string;
  /** Tells its records from those of other lives. */
  readonly life: string;
  readonly callers: number;
  /** Records of one append, each with this many bytes more than its name. */
  readonly records: number;
  readonly fillingBytes: number;
  /** After so many appends of each caller it ends by itself. */
  readonly appends?: number;
}

/** Its records are named `life/caller/number`, in order of their number within the key `life/caller`. */
export interface Acknowledged {
  readonly event: "acked";
  readonly caller: number;
  /** Records of the caller with a number below this are in the log. */
  readonly count: number;
}

const plan = JSON.parse(process.argv[2] ?? "") as AppenderPlan;
const filling = "x".repeat(plan.fillingBytes);

function recordOf(caller: number, number: number): LogRecord {
  const id = `${plan.life}/${caller}/${number}`;
  return { key: Buffer.from(`${plan.life}/${caller}`), value: Buffer.from(`${id} ${filling}`), id, timeMs: number };
}

const log = await new Scene().open("", plan.folder);
await Promise.all(
  Array.from({ length: plan.callers }, async (_, caller) => {
    for (let count = 0; count < (plan.appends ?? Number.POSITIVE_INFINITY) * plan.records; count += plan.records) {
      await log.append(Array.from({ length: plan.records }, (__, index) => recordOf(caller, count + index)));
      const said: Acknowledged = { event: "acked", caller, count: count + plan.records };
      // To a pipe, that is done on return.
      process.stdout.write(`${JSON.stringify(said)}\n`);
    }
  }),
);
await log.close();
