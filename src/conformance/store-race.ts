import type { Store } from "../ports/store.ts";
import { keysOf, type StoreBehaviour, type StoreScene } from "./store-scene.ts";

/** What several stores on one place, as in several processes, do to each other. */
export const raceBehaviours: readonly StoreBehaviour[] = [
  { name: "lets one of many write what all expect not to be there", run: letsOneWriteNew },
  { name: "loses no step of many that count on what they read", run: losesNoStep },
  { name: "keeps one of many values that are written at once, for all", run: keepsOneOfMany },
  { name: "lets one of many remove an entry", run: letsOneRemove },
];

async function several(scene: StoreScene): Promise<Store[]> {
  return [scene.store, await scene.other(), await scene.other(), await scene.other()];
}

async function letsOneWriteNew(scene: StoreScene): Promise<void> {
  const stores = await several(scene);
  for (let round = 0; round < 10; round += 1) {
    const key = `k${round}`;
    const writing = [...stores, ...stores].map((store, index) => store.put(key, index, { expected: 0 }));
    const answers = await Promise.all(writing);
    const winners = answers.flatMap((won, index) => (won ? [index] : []));
    const entry = await scene.store.get(key);
    scene.expect({ winners: winners.length, value: entry?.value }).toEqual({ winners: 1, value: winners[0] });
  }
}

async function losesNoStep(scene: StoreScene): Promise<void> {
  const stores = await several(scene);
  const stepsEach = 10;
  await Promise.all(
    stores.map(async (store) => {
      for (let done = 0; done < stepsEach; ) {
        const entry = await store.get("count");
        const next = Number(entry?.value ?? 0) + 1;
        if (await store.put("count", next, { expected: entry?.version ?? 0 })) done += 1;
      }
    }),
  );
  scene.expect((await scene.store.get("count"))?.value).toEqual(stores.length * stepsEach);
}

async function keepsOneOfMany(scene: StoreScene): Promise<void> {
  const stores = await several(scene);
  const values = Array.from({ length: 10 }, (_, index) => index);
  await Promise.all(stores.flatMap((store) => values.map((value) => store.put("k", value))));
  const seen = await Promise.all(stores.map((store) => store.get("k")));
  const [entry] = seen;
  scene.expect(seen).toEqual(stores.map(() => entry));
  scene
    .expect({ isOne: values.includes(Number(entry?.value)), keys: await keysOf(scene.store, "") })
    .toEqual({ isOne: true, keys: ["k"] });
  scene.expect(await scene.store.put("k", "next", { expected: entry?.version ?? 0 })).toEqual(true);
}

async function letsOneRemove(scene: StoreScene): Promise<void> {
  const stores = await several(scene);
  await scene.store.put("k", 1);
  const answers = await Promise.all([...stores, ...stores].map((store) => store.remove("k")));
  scene.expect(answers.filter((removed) => removed).length).toEqual(1);
}
