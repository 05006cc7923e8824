import type { Archive } from "../ports/archive.ts";
import { type ArchiveBehaviour, type ArchiveScene, openScene } from "./archive-scene.ts";
import { fileBehaviours } from "./archive-file.ts";
import { listBehaviours } from "./archive-list.ts";
import type { TestApi } from "./harness.ts";

/** A fresh place that is not there yet or empty, for one behaviour. The suite closes the archives; `dispose` removes the place. */
export interface ArchivePlace {
  readonly archive: Archive;
  /** A further, independent archive on the same place, as another process would have it. */
  other(): Promise<Archive>;
  dispose(): Promise<void>;
}

export interface ArchiveHarness {
  /** What the suite is run against, for people: `file`, `s3`. */
  readonly name: string;
  readonly api: TestApi;
  create(): Promise<ArchivePlace>;
  /** Behaviours, by name, that the place cannot have, each with the reason. An unknown name or an empty reason fails. */
  readonly skips: Readonly<Record<string, string>>;
  /** For one behaviour; 60 000 when absent. */
  readonly timeoutMs?: number;
}

const groups: readonly (readonly [string, readonly ArchiveBehaviour[]])[] = [
  ["files", fileBehaviours],
  ["names", listBehaviours],
];

/** Names of all behaviours, as `skips` may list them. */
export const archiveBehaviourNames: readonly string[] = groups.flatMap(([, some]) => some.map(({ name }) => name));

/**
 * Registers the tests that every archive must pass, each on a fresh place. Skipped ones are registered as skipped, with
 * the reason in their names; one more test fails when a skip has no reason or names no behaviour.
 */
export function archiveConformance(harness: ArchiveHarness): void {
  const { api, skips } = harness;
  api.describe(`archive conformance: ${harness.name}`, () => {
    api.it("skips only behaviours of the suite, each with a reason", async () => {
      const wrong = Object.entries(skips).filter(([name, reason]) => {
        return !archiveBehaviourNames.includes(name) || reason.trim() === "";
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

function register(harness: ArchiveHarness, behaviour: ArchiveBehaviour): void {
  const { api, skips } = harness;
  const run = (): Promise<void> => play(harness, behaviour);
  const reason = skips[behaviour.name];
  if (reason === undefined) api.it(behaviour.name, run, harness.timeoutMs ?? 60_000);
  else api.it.skip(`${behaviour.name} (skipped: ${reason})`, run);
}

async function play(harness: ArchiveHarness, behaviour: ArchiveBehaviour): Promise<void> {
  const place = await harness.create();
  const opened: Archive[] = [place.archive];
  const scene: ArchiveScene = await openScene(place.archive, harness.api, async () => {
    const archive = await place.other();
    opened.push(archive);
    return archive;
  });
  try {
    await behaviour.run(scene);
  } finally {
    for (const archive of opened) await archive.close();
    await scene.dispose();
    await place.dispose();
  }
}
