import { afterEach, beforeEach, expect, test } from "vitest";
import { limit } from "../../src/core/limit.ts";
import type { SinkOptions } from "../../src/core/pipeline.ts";
import type { StoredReject } from "../../src/core/reject.ts";
import type { Sink } from "../../src/ports/sink.ts";
import type { RunEvent } from "../../src/runtime/events.ts";
import { replayRejects } from "../../src/runtime/replay.ts";
import { openSink } from "../../src/runtime/schemes.ts";
import { Scene, watched } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function withSink<Result>(work: (sink: Sink) => Promise<Result>): Promise<Result> {
  const sink = await openSink(scene.pipeline().to, {}, scene.context);
  try {
    await sink.open();
    return await work(sink);
  } finally {
    await sink.close();
  }
}

const openRejects = (): Promise<StoredReject[]> =>
  withSink((sink) => sink.records.rejects({ state: "open", limit: 100 }));

interface Replay {
  readonly sink?: SinkOptions;
  /** Instead of the record that begins with these bytes. */
  readonly corrected: Readonly<Record<string, string>>;
  readonly watch?: (sink: Sink) => Sink;
}

async function replay({ sink: options = {}, corrected, watch = (sink) => sink }: Replay) {
  const bytes = new Map<bigint, Uint8Array>();
  for (const reject of await openRejects()) {
    const text = corrected[Buffer.from(reject.bytes).toString().slice(0, 3)];
    if (text !== undefined) bytes.set(reject.id, Buffer.from(text));
  }
  const events: RunEvent[] = [];
  const counts = await withSink((sink) => {
    const { engine, context } = scene;
    const open = { pipeline: scene.pipeline({}, options), sink: watch(sink), engine, context };
    const avro = async (): Promise<never> => Promise.reject(new Error("there is no Avro here"));
    return replayRejects(open, { filter: {}, corrected: bytes, avro, onEvent: (event) => void events.push(event) });
  });
  return { counts, events };
}

const rows = () => scene.query("select id, name from people order by id");

test("a replay adds its rows by key where the pipeline replaces its table", async () => {
  await scene.write("a.csv", "1,a\n2,b\nx,c\n");
  await scene.run({ sink: { mode: "replace" } });
  const { counts } = await replay({ sink: { mode: "replace" }, corrected: { "x,c": "2,c" } });
  expect(counts).toEqual({ read: 1, loaded: 0, merged: 1, filtered: 0, rejected: 0 });
  expect(await rows()).toEqual([
    { id: 1, name: "a" },
    { id: 2, name: "c" },
  ]);
});

test("records that were cut when they were kept stay open and keep no other from being replayed", async () => {
  await scene.write("a.csv", `x,${"y".repeat(limit.rejectBytes)}\nz,c\n`);
  await scene.run();
  const { counts, events } = await replay({ corrected: { "z,c": "3,c" } });
  expect(counts).toMatchObject({ read: 1, loaded: 1 });
  expect(await rows()).toEqual([{ id: 3, name: "c" }]);
  expect(await openRejects()).toHaveLength(1);
  expect(events).toContainEqual({ event: "notice", text: expect.stringMatching(/^1 reject stays open/) as unknown });
});

test("a replay whose commit arrived although the answer was lost is counted once, at the context's time", async () => {
  await scene.write("a.csv", "x,c\n");
  await scene.run();
  let commits = 0;
  const { counts } = await replay({
    corrected: { "x,c": "3,c" },
    watch: (sink) =>
      watched(sink, {
        classify: () => "wait",
        async begin(target, options) {
          const unit = await sink.begin(target, options);
          return watched(unit, {
            async commit() {
              commits += 1;
              await unit.commit();
              throw new Error("the connection is gone");
            },
          });
        },
      }),
  });
  expect({ counts, commits }).toEqual({
    counts: { read: 1, loaded: 1, merged: 0, filtered: 0, rejected: 0 },
    commits: 1,
  });
  expect(await rows()).toEqual([{ id: 3, name: "c" }]);
  const started = "select strftime(started_at, '%Y-%m-%d') as day from millrace_ledger where lane = 'replay'";
  expect(await scene.query(started)).toEqual([{ day: "2026-01-02" }]);
});
