// Processes that append are killed at any moment, several at once: what was promised is there.
import { describe, expect, it } from "vitest";
import { Subject } from "../../crash/processes.ts";
import type { AppenderPlan } from "./appender.ts";
import { expectKept, note, type Promised } from "./kept.ts";
import { Scene } from "./scene.ts";

/** Kills of one `npm test`; more for a soak run. */
const killsInAll = Number(process.env["MILLRACE_LOG_KILLS"] ?? 18);
const processes = 3;

const manners: readonly (Pick<AppenderPlan, "callers" | "records" | "fillingBytes"> & { readonly what: string })[] = [
  { what: "single records", callers: 20, records: 1, fillingBytes: 100 },
  { what: "records in dozens", callers: 4, records: 24, fillingBytes: 500 },
  // The write-ahead log is folded into the file every few appends.
  { what: "large records", callers: 3, records: 10, fillingBytes: 300_000 },
];

function start(plan: AppenderPlan): Subject {
  return new Subject("test/adapters/log/appender.ts", [JSON.stringify(plan)]);
}

/** Kills a life after some of its appends, at whatever it is doing then. */
async function killed(plan: AppenderPlan, promised: Promised): Promise<void> {
  const subject = start(plan);
  await subject.event(
    ({ event }) => event === "acked",
    1 + Math.floor(Math.random() * (plan.callers === 3 ? 12 : 150)),
  );
  subject.kill("SIGKILL");
  const { signal, events, stderr } = await subject.ended;
  expect([signal, stderr]).toEqual(["SIGKILL", ""]);
  note(promised, plan.life, events);
}

describe("a log whose processes are killed", () => {
  it.each(manners)("keeps what was appended: $what", { timeout: 60_000 + killsInAll * 20_000 }, async (manner) => {
    await using scene = new Scene();
    const { what: _, ...how } = manner;
    const promised: Promised = new Map();
    const rounds = Math.ceil(killsInAll / manners.length / processes);
    for (let round = 0; round < rounds; round += 1) {
      const lives = Array.from({ length: processes }, (__, index) => `life-${round}.${index}`);
      await Promise.all(lives.map((life) => killed({ folder: scene.folder, life, ...how }, promised)));
      const log = await scene.open();
      await expectKept(log, promised, how.records);
      await scene.close();
    }
    // And it goes on: one more life, beside this process.
    const life = "the-last";
    const last = start({ folder: scene.folder, life, ...how, appends: 3 });
    const log = await scene.open();
    const { code, events, stderr } = await last.ended;
    expect([code, stderr]).toEqual([0, ""]);
    note(promised, life, events);
    await expectKept(log, promised, how.records);
  });

  it("is read by another process meanwhile, each record once and in order", { timeout: 120_000 }, async () => {
    await using scene = new Scene();
    const log = await scene.open("lanes=1");
    const [lane] = await log.lanes();
    if (lane === undefined) throw new Error("the log has no lane");
    const stop = new AbortController();
    const ids: string[] = [];
    const offsets: bigint[] = [];
    const read = async (): Promise<void> => {
      for await (const piece of log.read(lane, lane.start, stop.signal)) {
        ids.push(...piece.map(({ id = "" }) => id));
        offsets.push(...piece.map(({ offset }) => offset));
      }
    };
    const reading = read();
    const promised: Promised = new Map();
    for (let life = 0; life < 3; life += 1) {
      await killed({ folder: scene.folder, life: `${life}`, callers: 20, records: 1, fillingBytes: 10 }, promised);
    }
    const [{ end } = lane] = await log.lanes();
    while (offsets.length < Number(end)) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort();
    await reading;
    expect(offsets).toEqual(Array.from({ length: Number(end) }, (_, index) => BigInt(index)));
    expect(new Set(ids).size).toBe(ids.length);
    await expectKept(log, promised);
  });
});
