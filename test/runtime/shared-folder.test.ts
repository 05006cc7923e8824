import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { records, Scene, watched } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(() => scene[Symbol.asyncDispose]());

/** What another process does that has loaded the file: it is gone before this one comes to it. */
const settledElsewhere = async (name: string): Promise<void> => {
  if (existsSync(scene.path(name))) await rename(scene.path(name), scene.path(`${name}.gone`));
};

test("a file that another process has settled since it was listed is passed over with a notice", async () => {
  await scene.write("a.csv", records(10));
  await scene.write("b.csv", records(10, 10));
  await scene.write("c.csv", records(10, 20));
  const { summary } = await scene.run({
    source: { settle: "delete" },
    watchSource: (source) =>
      watched(source, {
        async settle(lane) {
          await source.settle(lane);
          await settledElsewhere("b.csv");
        },
      }),
  });
  expect(summary).toMatchObject({ read: 20, loaded: 20, lanes: 2 });
  expect(scene.notices).toEqual([expect.stringMatching(/b\.csv was moved or removed before it was read/)]);
});

test("without settling nobody takes files away: one that is missing then is an error", async () => {
  await scene.write("a.csv", records(10));
  await scene.write("b.csv", records(10, 10));
  const run = scene.run({ watchSource: (source) => watched(source, { settle: () => settledElsewhere("b.csv") }) });
  await expect(run).rejects.toMatchObject({ code: "FILE_MISSING" });
});

test("a lane that another process ends and settles while this one waits to claim it is not opened", async () => {
  await scene.write("a.csv", records(10));
  const { summary, events } = await scene.run({
    watchSink: (sink) =>
      watched(sink, {
        async claim(pipeline, lane, source, initial) {
          const claim = await sink.claim(pipeline, lane, source, initial);
          await settledElsewhere("a.csv");
          return { ...claim, position: { ...claim.position, row: 10, done: true } };
        },
      }),
  });
  expect(summary).toMatchObject({ read: 0, alreadyLoaded: 10, lanes: 1 });
  expect(events.map(({ event }) => event)).toContain("laneDone");
});
