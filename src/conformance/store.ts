import type { Store } from "../ports/store.ts";
import type { TestApi } from "./harness.ts";
import { entryBehaviours } from "./store-entry.ts";
import { raceBehaviours } from "./store-race.ts";
import type { StoreBehaviour, StoreScene } from "./store-scene.ts";
import { versionBehaviours } from "./store-version.ts";

/** A fresh, empty place for one behaviour. The suite opens and closes the stores; `dispose` removes the place. */
export interface StorePlace {
  /** Not yet opened. */
  readonly store: Store;
  /** A further, independent store on the same place, as another process would have it. */
  other(): Promise<Store>;
  dispose(): Promise<void>;
}

export interface StoreHarness {
  /** What the suite is run against, for people: `file`, `postgres 15`. */
  readonly name: string;
  readonly api: TestApi;
  create(): Promise<StorePlace>;
  /** Behaviours, by name, that the place cannot have, each with the reason. An unknown name or an empty reason fails. */
  readonly skips: Readonly<Record<string, string>>;
  /** For one behaviour; 60 000 when absent. */
  readonly timeoutMs?: number;
}

const groups: readonly (readonly [string, readonly StoreBehaviour[]])[] = [
  ["entries", entryBehaviours],
  ["versions", versionBehaviours],
  ["several at once", raceBehaviours],
];

/** Names of all behaviours, as `skips` may list them. */
export const storeBehaviourNames: readonly string[] = groups.flatMap(([, some]) => some.map(({ name }) => name));

/**
 * Registers the tests that every store must pass, each on a fresh place. Skipped ones are registered as skipped, with
 * the reason in their names; one more test fails when a skip has no reason or names no behaviour.
 */
export function storeConformance(harness: StoreHarness): void {
  const { api, skips } = harness;
  api.describe(`store conformance: ${harness.name}`, () => {
    api.it("skips only behaviours of the suite, each with a reason", async () => {
      const wrong = Object.entries(skips).filter(([name, reason]) => {
        return !storeBehaviourNames.includes(name) || reason.trim() === "";
      });
      api.expect(wrong).toEqual([]);
    });
    for (const [title, behaviours] of groups) {
      api.describe(title, () => {
        for (const behaviour of behaviours) register(harness, behaviour);
      });
    }
  });
}

function register(harness: StoreHarness, behaviour: StoreBehaviour): void {
  const { api, skips } = harness;
  const run = (): Promise<void> => play(harness, behaviour);
  const reason = skips[behaviour.name];
  if (reason === undefined) api.it(behaviour.name, run, harness.timeoutMs ?? 60_000);
  else api.it.skip(`${behaviour.name} (skipped: ${reason})`, run);
}

async function play(harness: StoreHarness, behaviour: StoreBehaviour): Promise<void> {
  const place = await harness.create();
  const opened: Store[] = [];
  const scene: StoreScene = {
    store: place.store,
    expect: (actual) => harness.api.expect(actual),
    unopened: async () => {
      const store = await place.other();
      opened.push(store);
      return store;
    },
    other: async () => {
      const store = await scene.unopened();
      await store.open();
      return store;
    },
  };
  try {
    if (behaviour.unopened !== true) await place.store.open();
    await behaviour.run(scene);
  } finally {
    for (const store of [...opened, place.store]) await store.close();
    await place.dispose();
  }
}
