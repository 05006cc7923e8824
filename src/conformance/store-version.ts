import { keysOf, type StoreBehaviour, type StoreScene, textOf, versionOf } from "./store-scene.ts";

/** Versions, and writes that expect one. */
export const versionBehaviours: readonly StoreBehaviour[] = [
  { name: "gives another version to whatever is written again", run: givesVersions },
  { name: "never gives a version of an entry again that was removed", run: neverRepeats },
  { name: "shows one version to all, and leaves it where others write", run: showsOneVersion },
  { name: "writes an entry that is expected not to be there", run: writesNew },
  { name: "writes where the version is the one that is expected", run: writesExpected },
];

async function givesVersions({ store, expect }: StoreScene): Promise<void> {
  const versions: number[] = [];
  for (const value of ["a", "b", "b", "a", null]) {
    await store.put("k", value);
    versions.push(await versionOf(store, "k"));
  }
  expect({
    distinct: new Set(versions).size,
    above: versions.every((one) => Number.isSafeInteger(one) && one > 0),
  }).toEqual({ distinct: 5, above: true });
}

async function neverRepeats(scene: StoreScene): Promise<void> {
  const versions: number[] = [];
  for (let again = 0; again < 4; again += 1) {
    const store = again % 2 === 0 ? scene.store : await scene.other();
    await store.put("k", 1);
    versions.push(await versionOf(store, "k"));
    await store.remove("k");
  }
  // Opened anew, it still knows.
  await scene.store.close();
  await scene.store.open();
  await scene.store.put("k", 1);
  versions.push(await versionOf(scene.store, "k"));
  scene.expect(new Set(versions).size).toEqual(5);
}

async function showsOneVersion(scene: StoreScene): Promise<void> {
  const other = await scene.other();
  await scene.store.put("k", 1);
  const version = await versionOf(scene.store, "k");
  await other.put("l", 2);
  await other.remove("l");
  const listed: number[] = [];
  for await (const entry of other.entries("")) listed.push(entry.version);
  const seen = [await versionOf(other, "k"), await versionOf(scene.store, "k"), ...listed];
  scene.expect(seen).toEqual([version, version, version]);
}

async function writesNew(scene: StoreScene): Promise<void> {
  const { store, expect } = scene;
  const other = await scene.other();
  expect(await store.put("k", "first", { expected: 0 })).toEqual(true);
  const version = await versionOf(store, "k");
  expect([await store.put("k", 2, { expected: 0 }), await other.put("k", 3, { expected: 0 })]).toEqual([false, false]);
  expect([await textOf(store, "k"), await versionOf(store, "k")]).toEqual(['"first"', version]);
  await other.remove("k");
  expect(await store.put("k", "again", { expected: 0 })).toEqual(true);
  expect(await textOf(other, "k")).toEqual('"again"');
}

async function writesExpected(scene: StoreScene): Promise<void> {
  const { store, expect } = scene;
  const other = await scene.other();
  await store.put("k", 1);
  const first = await versionOf(other, "k");
  expect(await other.put("k", 2, { expected: first })).toEqual(true);
  const second = await versionOf(store, "k");
  expect([await store.put("k", 3, { expected: first }), await store.put("k", 3, { expected: second + 1000 })]).toEqual([
    false,
    false,
  ]);
  expect({ text: await textOf(store, "k"), isSame: first === second }).toEqual({ text: "2", isSame: false });
  expect(await versionOf(store, "k")).toEqual(second);
  await store.remove("k");
  expect(await store.put("k", 4, { expected: second })).toEqual(false);
  expect(await keysOf(store, "")).toEqual([]);
}
