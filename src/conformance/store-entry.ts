import type { Json } from "../core/json.ts";
import { limit } from "../core/limit.ts";
import { keysOf, outcomeOf, sample, type StoreBehaviour, type StoreScene, textOf } from "./store-scene.ts";

/** What is written comes back, exactly, under the key that it was written under and no other. */
export const entryBehaviours: readonly StoreBehaviour[] = [
  { name: "opens from several stores at once, and again", unopened: true, run: opensAtOnce },
  { name: "gives nothing for a key that is not there", run: givesNothing },
  { name: "gives every value back as it was", run: givesBack },
  { name: "shows what was written to others at once", run: showsOthers },
  { name: "keeps what was written when the place is opened again", run: survivesReopening },
  { name: "writes over a value", run: writesOver },
  { name: "removes an entry, and says whether there was one", run: removes },
  { name: "takes keys that differ in anything for different ones", run: keepsKeysApart },
  { name: "lists entries by key in code point order", run: listsInOrder },
  { name: "lists the entries whose keys start with a prefix, taken literally", run: listsByPrefix },
  { name: "lists many entries, each once", run: listsMany },
  { name: "lists while entries are removed", run: listsWhileRemoving },
  { name: "takes keys and values of the greatest length, and refuses longer ones", run: keepsLimits },
];

async function opensAtOnce(scene: StoreScene): Promise<void> {
  const others = [await scene.unopened(), await scene.unopened(), await scene.unopened()];
  await Promise.all([scene.store, ...others].map((store) => store.open()));
  await scene.store.open();
  await scene.store.put("k", 1);
  const seen = await Promise.all(others.map((store) => textOf(store, "k")));
  scene.expect(seen).toEqual(["1", "1", "1"]);
}

async function givesNothing({ store, expect }: StoreScene): Promise<void> {
  await store.put("there", null);
  expect(await store.get("not there")).toEqual(undefined);
  expect((await store.get("there"))?.value).toEqual(null);
}

const values: readonly Json[] = [
  ...[null, true, false, 0, -1.5e300, 1e-7, 0.1, Number.MAX_SAFE_INTEGER, "", "text", [], {}],
  "quotes ' \" \\ and \n lines \r\n and \t tabs",
  "NUL \0, half a pair \ud83d, a whole one 😀, é and e\u0301, \u2028",
  { b: 1, a: 2, "10": 3, "9": 4, "": 5, "a.b": 6 },
  JSON.parse('{"__proto__": {"x": 1}, "constructor": null}') as Json,
  [[[[[[[[[[sample, [sample]]]]]]]]]]],
];

async function givesBack({ store, expect }: StoreScene): Promise<void> {
  for (const [index, value] of values.entries()) await store.put(`k${index}`, value);
  const texts = await Promise.all(values.map((_, index) => textOf(store, `k${index}`)));
  expect(texts).toEqual(values.map((value) => JSON.stringify(value)));
}

async function showsOthers(scene: StoreScene): Promise<void> {
  const other = await scene.other();
  const seen: unknown[] = [];
  for (const value of [1, 2, 3]) {
    await scene.store.put("k", value);
    seen.push((await other.get("k"))?.value);
  }
  await other.remove("k");
  seen.push(await scene.store.get("k"));
  scene.expect(seen).toEqual([1, 2, 3, undefined]);
}

async function survivesReopening(scene: StoreScene): Promise<void> {
  await scene.store.put("k", sample);
  const before = await scene.store.get("k");
  await scene.store.close();
  scene.expect(before === undefined).toEqual(false);
  scene.expect(await (await scene.other()).get("k")).toEqual(before);
  await scene.store.open();
  scene.expect(await scene.store.get("k")).toEqual(before);
}

async function writesOver({ store, expect }: StoreScene): Promise<void> {
  const answers = [await store.put("k", sample), await store.put("k", "another"), await store.put("k", "another")];
  expect(answers).toEqual([true, true, true]);
  expect(await textOf(store, "k")).toEqual('"another"');
  expect(await keysOf(store, "")).toEqual(["k"]);
}

async function removes({ store, expect }: StoreScene): Promise<void> {
  await store.put("k", 1);
  await store.put("kk", 2);
  expect([await store.remove("k"), await store.remove("k"), await store.remove("never")]).toEqual([true, false, false]);
  expect(await keysOf(store, "")).toEqual(["kk"]);
}

const distinct = ["a", "A", "a ", " a", "á", "a\u0301", "ａ", "a/", "", "a\n", "a%", "a_", "a\\", "'", '"', "😀", "𝒶"];

async function keepsKeysApart({ store, expect }: StoreScene): Promise<void> {
  for (const [index, key] of distinct.entries()) await store.put(key, index);
  const found = await Promise.all(distinct.map(async (key) => (await store.get(key))?.value));
  expect(found).toEqual([...distinct.keys()]);
}

/** In code point order; by units of UTF-16, as JavaScript sorts, 😀 would stand before ￮. */
const ordered = ["", "10", "9", "A", "B", "Z", "_", "a", "a-b", "aa", "b", "é", "中", "￮", "😀", "𠀀"];

async function listsInOrder({ store, expect }: StoreScene): Promise<void> {
  for (const key of ordered.toReversed()) await store.put(key, key);
  expect(await keysOf(store, "")).toEqual(ordered);
}

async function listsByPrefix({ store, expect }: StoreScene): Promise<void> {
  const keys = ["user", "user/", "user/a", "user/b/c", "User/d", "user0", "use/r", "x%", "x%y", "xxy", "x_", "x__"];
  for (const key of keys) await store.put(key, key);
  const prefixes = ["user/", "user/b/c", "x%", "x_", "none/", "\u{10ffff}"];
  expect(await Promise.all(prefixes.map((prefix) => keysOf(store, prefix)))).toEqual([
    ["user/", "user/a", "user/b/c"],
    ["user/b/c"],
    ["x%", "x%y"],
    ["x_", "x__"],
    [],
    [],
  ]);
}

async function listsMany({ store, expect }: StoreScene): Promise<void> {
  const keys = Array.from({ length: 150 }, (_, index) => `n/${String(index).padStart(4, "0")}`);
  for (const key of [...keys, "m", "o"]) await store.put(key, { key });
  const entries = [];
  for await (const entry of store.entries("n/")) entries.push(entry);
  expect(entries.map(({ key }) => key)).toEqual(keys);
  expect(entries.map(({ value }) => value)).toEqual(keys.map((key) => ({ key })));
  expect(await store.get("n/0077")).toEqual(entries[77]);
}

async function listsWhileRemoving({ store, expect }: StoreScene): Promise<void> {
  const keys = Array.from({ length: 100 }, (_, index) => `n/${String(index).padStart(4, "0")}`);
  for (const key of keys) await store.put(key, key);
  const seen: string[] = [];
  for await (const { key } of store.entries("n/")) {
    await store.remove(key);
    seen.push(key);
    if (seen.length === 99) break;
  }
  expect(seen).toEqual(keys.slice(0, 99));
  expect(await keysOf(store, "n/")).toEqual(["n/0099"]);
}

async function keepsLimits({ store, expect }: StoreScene): Promise<void> {
  const key = "長".repeat(limit.storeKeyChars);
  const value = "x".repeat(limit.storeValueBytes - 2);
  expect([await store.put(key, value), (await store.get(key))?.value === value]).toEqual([true, true]);
  const wide = "é".repeat(limit.storeValueBytes / 2);
  const refused = [
    await outcomeOf(() => store.put(`${key}k`, 1)),
    await outcomeOf(() => store.put("k", `${value}x`)),
    await outcomeOf(() => store.put("k", wide)),
    await outcomeOf(() => store.put("k\0", 1)),
    await outcomeOf(() => store.put("\ud83d", 1)),
  ];
  expect(refused).toEqual(Array.from({ length: 5 }, () => "TypeError"));
  expect(await keysOf(store, "")).toEqual([key]);
}
