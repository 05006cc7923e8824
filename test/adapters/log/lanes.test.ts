import { describe, expect, it } from "vitest";
import { readAll, record, Scene } from "./scene.ts";

describe("the lanes of an embedded log", () => {
  it("are eight unless it is said otherwise, and stay as many", async () => {
    await using scene = new Scene();
    expect((await (await scene.open()).lanes()).length).toBe(8);
    expect((await (await scene.open()).lanes()).length).toBe(8);
    expect(scene.notices).toEqual([]);
  });

  it("become more when a URL asks for more, for all who have it open", async () => {
    await using scene = new Scene();
    const first = await scene.open("lanes=2");
    await first.append([record("before", "key")]);
    const incarnations = (await first.lanes()).map(({ incarnation }) => incarnation);
    await scene.open("lanes=5");
    const lanes = await first.lanes();
    expect(lanes.map(({ name }) => name)).toEqual(["0", "1", "2", "3", "4"]);
    expect(new Set(lanes.map(({ incarnation }) => incarnation))).toEqual(new Set(incarnations));
    // The keys of one that was opened with fewer go where those of the others go.
    const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`);
    await first.append(keys.map((key) => record("first", key)));
    await (await scene.open()).append(keys.map((key) => record("second", key)));
    const used = (await first.lanes()).filter(({ start, end }) => start < end).map(({ name }) => name);
    expect(used).toEqual(["0", "1", "2", "3", "4"]);
    for (const key of keys) {
      const records = (await readAll(first)).filter((one) => Buffer.from(one.key ?? []).toString() === key);
      expect(records.map(({ value }) => Buffer.from(value).toString())).toEqual(["first", "second"]);
    }
  });

  it("stay when a URL asks for fewer, and that is said", async () => {
    await using scene = new Scene();
    await scene.open("lanes=5");
    expect((await (await scene.open("lanes=3")).lanes()).length).toBe(5);
    expect(scene.notices).toEqual([`log:${scene.folder} has 5 lanes and keeps them; the URL asks for 3`]);
  });

  it("take part in the assignments of a group that is there already", async () => {
    await using scene = new Scene();
    const log = await scene.open("lanes=1");
    const stop = new AbortController();
    const seen: number[] = [];
    for await (const lanes of log.assignments("group", stop.signal)) {
      seen.push(lanes.length);
      if (lanes.length === 1) await scene.open("lanes=3");
      if (lanes.length === 3) stop.abort();
    }
    expect(seen.at(-1)).toBe(3);
  });
});
