import { existsSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { LaneReader, Source } from "../../src/ports/source.ts";
import type { RunEvent } from "../../src/runtime/events.ts";
import { records, Scene, watched } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(() => scene[Symbol.asyncDispose]());

const names = (events: readonly RunEvent[]): string[] => events.map(({ event }) => event);

/** Aborts once the first batch is committed. */
function stopAfterBatch(): { readonly stop: AbortSignal; readonly onEvent: (event: RunEvent) => void } {
  const controller = new AbortController();
  return { stop: controller.signal, onEvent: ({ event }) => (event === "batch" ? controller.abort() : undefined) };
}

test("a lane that was stopped half-way is not told as done, and its file is not settled", async () => {
  await scene.write("a.csv", records(20_000));
  const stopped = await scene.run({ source: { settle: "delete" }, options: stopAfterBatch() });
  expect(stopped.summary).toMatchObject({ interrupted: true, balanced: true });
  expect(stopped.summary.read).toBeLessThan(20_000);
  expect(names(stopped.events)).not.toContain("laneDone");
  expect(existsSync(scene.path("a.csv"))).toBe(true);
  const rest = await scene.run({ source: { settle: "delete" } });
  expect(rest.summary.read + stopped.summary.read).toBe(20_000);
  expect(rest.summary.alreadyLoaded).toBe(stopped.summary.read);
  expect(names(rest.events)).toContain("laneDone");
  expect(existsSync(scene.path("a.csv"))).toBe(false);
});

/** Counts how many lanes are open at the same time. */
function countingReaders(source: Source, most: { count: number }): Source {
  let count = 0;
  return watched(source, {
    async open(lane, position, signal) {
      const reader = await source.open(lane, position, signal);
      count += 1;
      most.count = Math.max(most.count, count);
      return watched<LaneReader>(reader, {
        async close() {
          count -= 1;
          await reader.close();
        },
      });
    },
  });
}

test.each([1, 2])(
  "however many parts a file was split into, %d of them are read at the same time",
  async (parallel) => {
    await scene.write("a.csv", records(20_000));
    const stopped = await scene.run({ source: { parallel: 6 }, options: stopAfterBatch() });
    const most = { count: 0 };
    const rest = await scene.run({ source: { parallel }, watchSource: (source) => countingReaders(source, most) });
    expect(most.count).toBe(parallel);
    expect(rest.summary.lanes).toBe(6);
    expect(rest.summary.read + stopped.summary.read).toBe(20_000);
    expect(await scene.query("select count(*)::int as count from people")).toEqual([{ count: 20_000 }]);
  },
);

test("a failing lane does not wait for what it was preparing", async () => {
  await scene.write("a.csv", records(20_000));
  let isAway = false;
  const failure = scene.run({
    options: { patienceMs: Number.POSITIVE_INFINITY },
    watchSink: (sink) =>
      watched(sink, {
        async reserveBatches(count) {
          if (isAway) throw new Error("away for ever");
          isAway = true;
          return sink.reserveBatches(count);
        },
        async begin() {
          throw new TypeError("no transaction");
        },
        classify: (error) => ((error as Error).message === "away for ever" ? "wait" : "stop"),
        explain: (error) => error as Error,
      }),
  });
  await expect(failure).rejects.toThrow("no transaction");
});

test("replacing settles the files also when the run before ended just behind its commit", async () => {
  await scene.write("a.csv", records(10));
  await scene.run({ sink: { mode: "replace" } });
  const again = await scene.run({ source: { settle: "delete" }, sink: { mode: "replace" } });
  expect(again.summary).toMatchObject({ read: 0, alreadyLoaded: 10 });
  expect(existsSync(scene.path("a.csv"))).toBe(false);
});

test("following and replacing at the same time is refused, not silently ended", async () => {
  await scene.write("a.csv", records(10));
  await expect(scene.run({ sink: { mode: "replace" }, options: { follow: true } })).rejects.toMatchObject({
    code: "PIPELINE_INVALID",
  });
});
