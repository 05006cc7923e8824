import { describe, expect, it } from "vitest";
import type { Log, LogLane } from "../../../src/ports/log.ts";
import { readAll, record, Scene, textOf, until } from "./scene.ts";

const dayMs = 86_400_000;

async function theLane(log: Log): Promise<LogLane> {
  const [lane] = await log.lanes();
  if (lane === undefined) throw new Error("the log has no lane");
  return lane;
}

async function valuesOf(log: Log): Promise<string[]> {
  return (await readAll(log)).map(textOf);
}

/** Does what the log does once a minute, until the lane starts at `start`. */
async function tendedUntil(scene: Scene, log: Log, start: bigint): Promise<void> {
  scene.tend();
  await until(`the lane to start at ${start}`, async () => (await theLane(log)).start === start);
}

/** Does it twice, so that the first time is over for sure, and nothing has gone. */
async function tendedInVain(scene: Scene, log: Log): Promise<void> {
  const { start } = await theLane(log);
  for (let times = 0; times < 2; times += 1) {
    const { tend } = scene;
    tend();
    await until("the log to be tended", () => scene.tend !== tend);
  }
  expect((await theLane(log)).start).toBe(start);
}

describe("what is old", () => {
  it("goes when it is settled", async () => {
    await using scene = new Scene();
    const clock = scene.stopClock();
    const log = await scene.open("lanes=1&retention=7d");
    await log.append([record("1"), record("2")]);
    clock.turn(4 * dayMs);
    await log.append([record("3")]);
    await log.settle("group", await theLane(log), 3n);
    await tendedInVain(scene, log);
    clock.turn(3 * dayMs + 1_000);
    await tendedUntil(scene, log, 2n);
    expect(await valuesOf(log)).toEqual(["3"]);
    clock.turn(4 * dayMs);
    await tendedUntil(scene, log, 3n);
    expect(await theLane(log)).toMatchObject({ start: 3n, end: 3n });
    await log.append([record("4")]);
    expect((await readAll(log)).map(({ offset }) => offset)).toEqual([3n]);
  });

  it("stays when a group has not settled it, however old it is", async () => {
    await using scene = new Scene();
    const clock = scene.stopClock();
    const log = await scene.open("lanes=1");
    for (const value of ["1", "2", "3"]) await log.append([record(value)]);
    const lane = await theLane(log);
    await log.settle("fast", lane, 3n);
    await log.settle("slow", lane, 1n);
    clock.turn(1_000 * dayMs);
    await tendedUntil(scene, log, 1n);
    expect(await valuesOf(log)).toEqual(["2", "3"]);
    await log.settle("slow", lane, 2n);
    await tendedUntil(scene, log, 2n);
    // Settling less again takes nothing back, and brings nothing back.
    await log.settle("slow", lane, 0n);
    await log.settle("slow", lane, 3n);
    await tendedUntil(scene, log, 3n);
  });

  it("stays for a group that takes part and has settled nothing yet", async () => {
    await using scene = new Scene();
    const clock = scene.stopClock();
    const log = await scene.open("lanes=1");
    await log.append([record("1")]);
    const stop = new AbortController();
    for await (const lanes of log.assignments("group", stop.signal)) if (lanes.length === 1) stop.abort();
    clock.turn(1_000 * dayMs);
    await tendedInVain(scene, log);
  });

  it("goes where there is no group at all", async () => {
    await using scene = new Scene();
    const clock = scene.stopClock();
    const log = await scene.open("lanes=1&retention=1h");
    await log.append([record("1")]);
    clock.turn(3_601_000);
    await tendedUntil(scene, log, 1n);
  });

  it("goes in many portions, and never a part of those that are stored together", async () => {
    await using scene = new Scene();
    const clock = scene.stopClock();
    const log = await scene.open("lanes=1&retention=1m");
    const numbers = Array.from({ length: 3_000 }, (_, index) => `${index}`);
    for (let from = 0; from < 3_000; from += 50) {
      await log.append(numbers.slice(from, from + 50).map((number) => record(`${number} ${"x".repeat(20_000)}`)));
    }
    await log.settle("group", await theLane(log), 2_975n);
    clock.turn(61_000);
    scene.tend();
    await until("almost all to be gone", async () => (await theLane(log)).start > 2_950n);
    const { start } = await theLane(log);
    expect(start <= 2_975n).toBe(true);
    const left = (await valuesOf(log)).map((text) => text.split(" ")[0]);
    expect(left).toEqual(numbers.slice(Number(start)));
  });

  it("is no matter of the clock on the wall", async () => {
    await using scene = new Scene();
    const clock = scene.stopClock();
    const log = await scene.open("lanes=1&retention=1h");
    await log.append([record("1")]);
    for (const wrongMs of [1_000 * dayMs, -1_000 * dayMs]) {
      scene.wrongMs = wrongMs;
      await tendedInVain(scene, log);
      await log.append([record(`at ${wrongMs}`)]);
    }
    clock.turn(3_601_000);
    await tendedUntil(scene, log, 3n);
  });

  it("is counted by the time that the machine runs, over boots", async () => {
    await using scene = new Scene();
    const clock = scene.stopClock();
    const log = await scene.open("lanes=1&retention=10h");
    const hourMs = 3_600_000;
    await log.append([record("1")]);
    clock.turn(6 * hourMs);
    await tendedInVain(scene, log);
    // The clock of another boot begins anew, be it far ahead where the folder was moved to another machine.
    for (const ms of [5, 1_000 * dayMs]) {
      clock.boot(`boot ${ms}`, ms);
      await tendedInVain(scene, log);
      await log.append([record("2")]);
      clock.turn(hourMs);
      await tendedInVain(scene, log);
    }
    clock.turn(2 * hourMs + 1_000);
    await tendedUntil(scene, log, 1n);
  });
});

describe("the room that a log may take", () => {
  const large = (name: string): ReturnType<typeof record> => record(`${name} ${"x".repeat(100_000)}`);
  const names = async (log: Log): Promise<(string | undefined)[]> =>
    (await valuesOf(log)).map((text) => text.split(" ")[0]);

  it("is made by removing what is settled, the oldest first, and nothing more than is needed", async () => {
    await using scene = new Scene();
    const log = await scene.open("lanes=1&max=2MB");
    for (let count = 0; count < 200; count += 1) {
      await log.append([large(`${count}`)]);
      await log.settle("group", await theLane(log), BigInt(count + 1));
    }
    const left = await names(log);
    expect(left.at(-1)).toBe("199");
    expect(left).toEqual(Array.from({ length: left.length }, (_, index) => `${200 - left.length + index}`));
    expect(left.length).toBeGreaterThan(10);
    expect(left.length).toBeLessThan(21);
  });

  it("ends where nothing is settled: appends are refused, and go on when there is room", async () => {
    await using scene = new Scene();
    const log = await scene.open("lanes=1&max=1MB");
    const lane = await theLane(log);
    await log.settle("the slow one", lane, 0n);
    await log.settle("a fast one", lane, 1_000n);
    let count = 0;
    const fill = async (): Promise<unknown> => {
      for (; ; count += 1) await log.append([large(`${count}`)]);
    };
    const error: unknown = await fill().catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "SINK_FULL", message: expect.stringContaining("the slow one") });
    expect(log.classify(error)).toBe("wait");
    const before = count;
    expect(await names(log)).toEqual(Array.from({ length: before }, (_, index) => `${index}`));
    await expect(log.append([large("once more")])).rejects.toMatchObject({ code: "SINK_FULL" });
    // A small one has no room either, if it is so full.
    await log.settle("the slow one", lane, 4n);
    await log.append([large(`${count}`)]);
    const left = await names(log);
    expect(left.at(-1)).toBe(`${before}`);
    expect(Number(left[0])).toBeGreaterThan(0);
    expect(Number(left[0])).toBeLessThanOrEqual(4);
  });

  it("ends where nobody has read", async () => {
    await using scene = new Scene();
    const log = await scene.open("lanes=2&max=1MB");
    const append = async (): Promise<void> => {
      for (let count = 0; count < 50; count += 1) await log.append([large(`${count}`)]);
    };
    await expect(append()).rejects.toMatchObject({ code: "SINK_FULL", message: expect.stringContaining("nobody") });
    expect((await names(log)).length).toBeGreaterThan(5);
  });
});
