import { afterEach, beforeEach, expect, test } from "vitest";
import { MillraceError } from "../../src/core/error.ts";
import type { LaneReader } from "../../src/ports/source.ts";
import { records, Scene, watched } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
  await scene.write("a.csv", records(5_000));
});
afterEach(() => scene[Symbol.asyncDispose]());

test("a source that fails is not waited for as if it were the sink", async () => {
  let opened = 0;
  const lost = new MillraceError("FILE_UNREADABLE", "a.csv is gone", { remedy: "Bring it back." });
  const run = scene.run({
    source: { atomic: true },
    watchSource: (source) =>
      watched(source, {
        async open(lane, position, signal) {
          opened += 1;
          const reader = await source.open(lane, position, signal);
          let batches = 0;
          return watched<LaneReader>(reader, {
            next: async () => {
              batches += 1;
              if (batches === 3) throw lost;
              return reader.next();
            },
          });
        },
      }),
    // As a sink does that takes any lost file or connection for its own.
    watchSink: (sink) => watched(sink, { classify: () => "wait" }),
  });
  await expect(run).rejects.toBe(lost);
  expect(opened).toBe(1);
  expect(await scene.query("select count(*)::int as count from people")).toEqual([{ count: 0 }]);
});

test("an atomic file that another process takes and leaves is taken back and loaded once", async () => {
  let begun = 0;
  const { summary, events } = await scene.run({
    source: { atomic: true },
    watchSink: (sink) =>
      watched(sink, {
        async begin(target, options) {
          begun += 1;
          if (begun === 1) {
            const [kept] = await sink.records.checkpoints("people");
            if (kept === undefined) throw new Error("nothing is claimed");
            await sink.claim("people", kept.lane, kept.source, kept.position);
          }
          return sink.begin(target, options);
        },
      }),
  });
  expect(begun).toBe(2);
  expect(events.filter(({ event }) => event === "notice")).toHaveLength(1);
  expect(summary).toMatchObject({ read: 5_000, loaded: 5_000, alreadyLoaded: 0, lanes: 1 });
  expect(await scene.query("select count(*)::int as count from people")).toEqual([{ count: 5_000 }]);
});
