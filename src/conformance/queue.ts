import type { Queue } from "../ports/queue.ts";
import type { TestApi } from "./harness.ts";
import { consumeBehaviours } from "./queue-consume.ts";
import { queueFailureBehaviours } from "./queue-failure.ts";
import { publishBehaviours } from "./queue-publish.ts";
import type { QueueBehaviour, QueuePlace, QueueScene } from "./queue-scene.ts";

export type { QueuePlace } from "./queue-scene.ts";

export interface QueueHarness {
  /** What the suite is run against, for people: `rabbitmq 3.10`. */
  readonly name: string;
  readonly api: TestApi;
  /** A place whose queue is not there yet. */
  create(): Promise<QueuePlace>;
  /** Behaviours, by name, that the place cannot have, each with the reason. An unknown name or an empty reason fails. */
  readonly skips: Readonly<Record<string, string>>;
  /** For one behaviour; 30 000 when absent. */
  readonly timeoutMs?: number;
  /** How long one thing that has to come is waited for; 15 000 when absent. */
  readonly patienceMs?: number;
}

const groups: readonly (readonly [string, readonly QueueBehaviour[]])[] = [
  ["publishing", publishBehaviours],
  ["consuming", consumeBehaviours],
  ["failures", queueFailureBehaviours],
];

/** Names of all behaviours, as `skips` may list them. */
export const queueBehaviourNames: readonly string[] = groups.flatMap(([, some]) => some.map(({ name }) => name));

/**
 * Registers the tests that every queue must pass, each on a fresh place. Skipped ones are registered as skipped, with the
 * reason in their names; one more test fails when a skip has no reason or names no behaviour. That `publish` is durable
 * when it resolves cannot be seen from here: an adapter's own tests kill what keeps the messages.
 */
export function queueConformance(harness: QueueHarness): void {
  const { api, skips } = harness;
  api.describe(`queue conformance: ${harness.name}`, () => {
    api.it("skips only behaviours of the suite, each with a reason", async () => {
      const wrong = Object.entries(skips).filter(([name, reason]) => {
        return !queueBehaviourNames.includes(name) || reason.trim() === "";
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

function register(harness: QueueHarness, behaviour: QueueBehaviour): void {
  const { api, skips } = harness;
  const reason = skips[behaviour.name];
  const run = (): Promise<void> => play(harness, behaviour);
  if (reason === undefined) api.it(behaviour.name, run, harness.timeoutMs ?? 30_000);
  else api.it.skip(`${behaviour.name} (skipped: ${reason})`, run);
}

async function play(harness: QueueHarness, behaviour: QueueBehaviour): Promise<void> {
  const place = await harness.create();
  const opened: Queue[] = [];
  const unopened = async (): Promise<Queue> => {
    const queue = await place.queue();
    opened.push(queue);
    return queue;
  };
  const other = async (): Promise<Queue> => {
    const queue = await unopened();
    await queue.open();
    return queue;
  };
  const { patienceMs = 15_000 } = harness;
  try {
    const queue = behaviour.unopened === true ? await unopened() : await other();
    const scene: QueueScene = { queue, place, other, patienceMs, expect: (actual) => harness.api.expect(actual) };
    await behaviour.run(scene);
  } finally {
    for (const queue of opened) await queue.close();
    await place.dispose();
  }
}
