import { expect, test } from "vitest";
import { limit } from "../../src/core/limit.ts";
import { InsightCache } from "../../src/runtime/insight-cache.ts";
import { Gate, insightOf, PlainScene, recordsOf, settled } from "./insight-scene.ts";

const one = insightOf(
  "-- About.\n-- parameter p text = ''\n-- column a integer\n-- table t\nselect a from t where b = :p",
);
const sameTable = insightOf("-- About.\n-- column a integer\n-- table t\nselect a from t", "TWO");
const otherTable = insightOf("-- About.\n-- column a integer\n-- table u\nselect a from u", "THREE");
const noTable = insightOf("-- About.\n-- column a integer\nselect 1 as a", "FOUR");

function openScene(): PlainScene {
  const scene = new PlainScene(one, sameTable, otherTable, noTable);
  scene.plain.rows = [{ a: 1 }];
  return scene;
}

const ask = ({ insights }: PlainScene, name = "ONE", given = {}) => insights.answer(name, given, 100);
const kept = ({ insights }: PlainScene, name = "ONE", given = {}) => insights.cached(name, given, 100);

test("an answer is given again without asking the sink for anything", async () => {
  const scene = openScene();
  expect(kept(scene)).toBeUndefined();
  const first = await ask(scene);
  expect(kept(scene)).toBe(first);
  expect(await ask(scene)).toBe(first);
  expect(scene.plain).toMatchObject({ queries: 1, looks: 1 });
});

test("the ledger is looked at once in a while, for all insights of the same tables", async () => {
  const scene = openScene();
  await ask(scene);
  await ask(scene, "TWO");
  expect(scene.plain.looks).toBe(1);
  await ask(scene, "THREE");
  expect(scene.plain.looks).toBe(2);
  scene.nowMs += limit.insightVersionMs - 1;
  expect(kept(scene)).toBeDefined();
  expect(scene.plain.looks).toBe(2);
  scene.nowMs += 1;
  for (let n = 0; n < 10; n += 1) expect(kept(scene)).toBeDefined();
  expect(scene.plain.looks).toBe(3);
  await settled();
  expect(kept(scene)).toBeDefined();
  expect(scene.plain).toMatchObject({ looks: 3, queries: 3 });
});

test("nothing is given without waiting once the last look is too long ago", async () => {
  const scene = openScene();
  await ask(scene);
  scene.nowMs += 2 * limit.insightVersionMs;
  expect(kept(scene)).toBeUndefined();
  expect(scene.plain.looks).toBe(1);
  await ask(scene);
  expect(scene.plain).toMatchObject({ looks: 2, queries: 1 });
});

test.each([
  ["a newer batch", [7n], 8n],
  ["a batch with a lower number than another that was committed before", [7n, 9n], 8n],
  ["the first batch of a table", [], 1n],
])("%s of another process makes the answer an old one", async (_, before, batch) => {
  const scene = openScene();
  for (const number of before) scene.plain.commit("t", number);
  await ask(scene);
  scene.plain.rows = [{ a: 2 }];
  scene.plain.commit("t", batch);
  scene.nowMs += 2 * limit.insightVersionMs;
  expect(recordsOf(await ask(scene))).toEqual([{ a: 2 }]);
});

test("a commit of this process makes answers of its table old ones at once, and no others", async () => {
  const scene = openScene();
  await ask(scene);
  await ask(scene, "THREE");
  scene.plain.rows = [{ a: 2 }];
  scene.insights.changed("t");
  scene.insights.changed("a table of no insight");
  expect(kept(scene)).toBeUndefined();
  expect(recordsOf(kept(scene, "THREE") ?? { body: Buffer.from("[]") })).toEqual([{ a: 1 }]);
  expect(recordsOf(await ask(scene))).toEqual([{ a: 2 }]);
});

test("what is committed while a query runs is in the next answer, also for who asks meanwhile", async () => {
  const scene = openScene();
  const gate = new Gate();
  scene.plain.atQuery = gate;
  const early = ask(scene);
  await gate.reached();
  scene.plain.rows = [{ a: 2 }];
  scene.insights.changed("t");
  scene.plain.atQuery = undefined;
  const late = ask(scene);
  expect(recordsOf(await late)).toEqual([{ a: 2 }]);
  gate.open();
  expect(recordsOf(await early)).toEqual([{ a: 1 }]);
  expect(kept(scene)).toBe(await late);
});

test("what another process commits while a query runs does not leave the old answer behind", async () => {
  const scene = openScene();
  const gate = new Gate();
  scene.plain.atQuery = gate;
  const early = ask(scene);
  await gate.reached();
  scene.plain.rows = [{ a: 2 }];
  scene.plain.commit("t", 1n);
  // The look of another insight of the table sees the commit before the query comes back.
  scene.nowMs += 2 * limit.insightVersionMs;
  scene.plain.atQuery = undefined;
  await ask(scene, "TWO");
  gate.open();
  expect(recordsOf(await early)).toEqual([{ a: 1 }]);
  expect(kept(scene)).toBeUndefined();
  expect(recordsOf(await ask(scene))).toEqual([{ a: 2 }]);
});

test("who asks while a look takes long gets what was committed before he asked", async () => {
  const scene = openScene();
  await ask(scene);
  scene.nowMs += 2 * limit.insightVersionMs;
  const gate = new Gate();
  scene.plain.atLook = gate;
  const early = ask(scene);
  await gate.reached();
  scene.plain.commit("t", 1n);
  scene.plain.rows = [{ a: 2 }];
  scene.nowMs += 3 * limit.insightVersionMs;
  scene.plain.atLook = undefined;
  const late = ask(scene);
  gate.open();
  await early;
  expect(recordsOf(await late)).toEqual([{ a: 2 }]);
});

test("those who ask the same at the same time cost one look and one query", async () => {
  const scene = openScene();
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(scene)));
  expect(new Set(answers).size).toBe(1);
  expect(scene.plain).toMatchObject({ looks: 1, queries: 1 });
});

test("an error is told to all who wait for the query and to nobody after them", async () => {
  const scene = openScene();
  await ask(scene, "TWO");
  const gate = new Gate();
  scene.plain.atQuery = gate;
  scene.plain.failure = new Error("division by zero");
  const asked = [ask(scene), ask(scene)];
  await gate.reached();
  gate.open();
  for (const one of await Promise.allSettled(asked)) {
    expect(one).toMatchObject({ status: "rejected", reason: { message: "explained: division by zero" } });
  }
  expect(scene.plain.queries).toBe(2);
  scene.plain.failure = undefined;
  expect(recordsOf(await ask(scene))).toEqual([{ a: 1 }]);
});

test("a sink that is away gives its error and not the answer of before", async () => {
  const scene = openScene();
  await ask(scene);
  scene.plain.failure = new Error("away");
  scene.nowMs += limit.insightVersionMs;
  // The look ahead fails, which is nobody's yet.
  expect(kept(scene)).toBeDefined();
  await settled();
  scene.nowMs += limit.insightVersionMs;
  expect(kept(scene)).toBeUndefined();
  await expect(ask(scene)).rejects.toThrow("explained: away");
  scene.plain.failure = undefined;
  await ask(scene);
  expect(scene.plain.queries).toBe(1);
});

test("an answer is read anew after a while, as rows may change without a ledger entry", async () => {
  const scene = openScene();
  await ask(scene);
  scene.plain.rows = [{ a: 2 }];
  scene.nowMs += limit.insightAgeMs - 1;
  expect(recordsOf(await ask(scene))).toEqual([{ a: 1 }]);
  scene.nowMs += 1;
  expect(kept(scene)).toBeUndefined();
  expect(recordsOf(await ask(scene))).toEqual([{ a: 2 }]);
});

test("a clock that is set back makes nothing last longer", async () => {
  const scene = openScene();
  await ask(scene);
  scene.plain.rows = [{ a: 2 }];
  scene.nowMs -= 3_600_000;
  expect(kept(scene)).toBeUndefined();
  expect(recordsOf(await ask(scene))).toEqual([{ a: 2 }]);
  expect(kept(scene)).toBeDefined();
  scene.plain.rows = [{ a: 3 }];
  scene.plain.commit("t", 1n);
  scene.nowMs += 2 * limit.insightVersionMs;
  expect(recordsOf(await ask(scene))).toEqual([{ a: 3 }]);
});

test("an insight that declares no table is read each time", async () => {
  const scene = openScene();
  await ask(scene, "FOUR");
  expect(kept(scene, "FOUR")).toBeUndefined();
  await ask(scene, "FOUR");
  expect(scene.plain).toMatchObject({ looks: 0, queries: 2 });
});

test("the tag is that of the bytes", async () => {
  const scene = openScene();
  const first = await ask(scene);
  scene.insights.changed("t");
  const same = await ask(scene);
  scene.plain.rows = [{ a: 2 }];
  scene.insights.changed("t");
  const other = await ask(scene);
  expect(same).not.toBe(first);
  expect(same.etag).toBe(first.etag);
  expect(other.etag).not.toBe(first.etag);
  expect(first.etag).toMatch(/^"[\w-]{43}"$/);
});

test("queries that run and that wait are bounded", async () => {
  const scene = openScene();
  const gate = new Gate();
  scene.plain.atQuery = gate;
  const all = limit.insightQueries + limit.insightQueriesWaiting;
  const asked = Array.from({ length: all }, (_, n) => ask(scene, "ONE", { p: String(n) }));
  await gate.reached();
  await settled();
  expect(scene.plain.queries).toBe(limit.insightQueries);
  await expect(ask(scene, "ONE", { p: "one more" })).rejects.toMatchObject({ code: "SINK_BUSY" });
  gate.open();
  await Promise.all(asked);
  expect(scene.plain.queries).toBe(all);
  await ask(scene, "ONE", { p: "one more" });
});

test("kept answers are bounded in number, and the one used longest ago leaves", async () => {
  const scene = openScene();
  for (let n = 0; n < limit.insightCacheEntries; n += 1) await ask(scene, "ONE", { p: String(n) });
  expect(kept(scene, "ONE", { p: "0" })).toBeDefined();
  await ask(scene, "ONE", { p: "one more" });
  expect(kept(scene, "ONE", { p: "0" })).toBeDefined();
  expect(kept(scene, "ONE", { p: "1" })).toBeUndefined();
});

test("kept answers are bounded in bytes", () => {
  const cache = new InsightCache(100, 10_000);
  const entry = (bytes: number) => ({ answer: { body: Buffer.alloc(bytes), etag: "" }, version: 1, readAtMs: 0 });
  for (let n = 0; n < 50; n += 1) {
    cache.put(`key ${n}`, entry(2_000));
    expect(cache.bytes).toBeLessThanOrEqual(10_000);
  }
  expect(cache.entries).toBe(4);
  cache.put("key 49", entry(1_000));
  expect(cache.entries).toBe(4);
  cache.put("large", entry(10_001));
  expect(cache).toMatchObject({ entries: 0, bytes: 0 });
});
