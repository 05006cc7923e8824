import { expect, test } from "vitest";
import { LaneCrew } from "../../src/runtime/lane-crew.ts";

const never = (): AbortSignal => new AbortController().signal;

test("a failure asks the other lanes to stop and is told when they have ended, not before", async () => {
  const crew = new LaneCrew(never());
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const told: string[] = [];
  crew.begin(async () => {
    throw new Error("the first");
  });
  crew.begin(async () => {
    await held;
    told.push("lane ended");
  });
  const ended = crew.end().catch((error: unknown) => told.push((error as Error).message));
  await crew.oneEnded();
  expect({ stopped: crew.signal.aborted, working: crew.size, told }).toEqual({ stopped: true, working: 1, told: [] });
  letGo();
  await ended;
  expect(told).toEqual(["lane ended", "the first"]);
});

test("of several failures the first is told, also when it came from a part of a lane", async () => {
  const crew = new LaneCrew(never());
  const fail = (text: string) => async () => {
    throw new Error(text);
  };
  crew.begin(() => crew.all([fail("part one"), fail("part two"), async () => {}]));
  await expect(crew.end()).rejects.toThrow("part one");
});

test("the wish to stop reaches all lanes and is no failure", async () => {
  const stop = new AbortController();
  const crew = new LaneCrew(stop.signal);
  crew.begin(async () => {});
  stop.abort();
  await crew.end();
  expect(crew.signal.aborted).toBe(true);
});
