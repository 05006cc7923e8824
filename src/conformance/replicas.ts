import type { Replicas } from "../ports/replicas.ts";
import type { TestApi } from "./harness.ts";
import { contentBehaviours } from "./replicas-content.ts";
import { readBehaviours } from "./replicas-read.ts";
import type { ReplicasBehaviour, ReplicasScene } from "./replicas-scene.ts";

/** A fresh, empty place for one behaviour. The suite opens and closes the replicas; `dispose` removes the place. */
export interface ReplicasPlace {
  /** Not yet opened. */
  readonly replicas: Replicas;
  /** Further, independent ones on the same place, as another process would have them. */
  other(): Promise<Replicas>;
  dispose(): Promise<void>;
}

export interface ReplicasHarness {
  /** What the suite is run against, for people: `file`, `redis 7`. */
  readonly name: string;
  readonly api: TestApi;
  create(): Promise<ReplicasPlace>;
  /** Behaviours, by name, that the place cannot have, each with the reason. An unknown name or an empty reason fails. */
  readonly skips: Readonly<Record<string, string>>;
  /** For one behaviour; 60 000 when absent. */
  readonly timeoutMs?: number;
}

const groups: readonly (readonly [string, readonly ReplicasBehaviour[]])[] = [
  ["what is kept", contentBehaviours],
  ["reading and replacing at once", readBehaviours],
];

/** Names of all behaviours, as `skips` may list them. */
export const replicasBehaviourNames: readonly string[] = groups.flatMap(([, some]) => some.map(({ name }) => name));

/**
 * Registers the tests that every place of replicas must pass, each on a fresh place. Skipped ones are registered as
 * skipped, with the reason in their names; one more test fails when a skip has no reason or names no behaviour.
 */
export function replicasConformance(harness: ReplicasHarness): void {
  const { api, skips } = harness;
  api.describe(`replicas conformance: ${harness.name}`, () => {
    api.it("skips only behaviours of the suite, each with a reason", async () => {
      const wrong = Object.entries(skips).filter(([name, reason]) => {
        return !replicasBehaviourNames.includes(name) || reason.trim() === "";
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

function register(harness: ReplicasHarness, behaviour: ReplicasBehaviour): void {
  const { api, skips } = harness;
  const run = (): Promise<void> => play(harness, behaviour);
  const reason = skips[behaviour.name];
  if (reason === undefined) api.it(behaviour.name, run, harness.timeoutMs ?? 60_000);
  else api.it.skip(`${behaviour.name} (skipped: ${reason})`, run);
}

async function play(harness: ReplicasHarness, behaviour: ReplicasBehaviour): Promise<void> {
  const place = await harness.create();
  const opened: Replicas[] = [];
  const scene: ReplicasScene = {
    replicas: place.replicas,
    expect: (actual) => harness.api.expect(actual),
    other: async () => {
      const replicas = await place.other();
      opened.push(replicas);
      await replicas.open();
      return replicas;
    },
  };
  try {
    await place.replicas.open();
    await behaviour.run(scene);
  } finally {
    for (const replicas of [...opened, place.replicas]) await replicas.close();
    await place.dispose();
  }
}
