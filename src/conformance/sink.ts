import type { Sink } from "../ports/sink.ts";
import type { SinkHarness } from "./harness.ts";
import { claimBehaviours } from "./sink-claim.ts";
import { contentionBehaviours } from "./sink-contention.ts";
import { forgettingBehaviours } from "./sink-forgetting.ts";
import { modeBehaviours } from "./sink-mode.ts";
import { prepareBehaviours } from "./sink-prepare.ts";
import { recordBehaviours } from "./sink-record.ts";
import { rejectBehaviours } from "./sink-reject.ts";
import { rowBehaviours } from "./sink-rows.ts";
import type { SinkBehaviour, SinkScene } from "./sink-scene.ts";
import { unitBehaviours } from "./sink-unit.ts";
import { valueBehaviours } from "./sink-value.ts";

const groups: readonly (readonly [string, readonly SinkBehaviour[]])[] = [
  ["before the first batch", prepareBehaviours],
  ["claims and fences", claimBehaviours],
  ["lanes that are forgotten", forgettingBehaviours],
  ["units", unitBehaviours],
  ["modes", modeBehaviours],
  ["rejects and replay", rejectBehaviours],
  ["what is kept besides rows", recordBehaviours],
  ["values and names", valueBehaviours],
  ["contention", contentionBehaviours],
  ["rows one by one", rowBehaviours],
];

/** Names of all behaviours, as `skips` may list them. */
export const sinkBehaviourNames: readonly string[] = groups.flatMap(([, some]) => some.map(({ name }) => name));

/**
 * Registers the tests that every sink must pass, each on a fresh place. Skipped ones are registered as skipped, with
 * the reason in their names; one more test fails when a skip has no reason or names no behaviour.
 */
export function sinkConformance(harness: SinkHarness): void {
  const { api, skips } = harness;
  api.describe(`sink conformance: ${harness.name}`, () => {
    api.it("skips only behaviours of the suite, each with a reason", async () => {
      const wrong = Object.entries(skips).filter(([name, reason]) => {
        return !sinkBehaviourNames.includes(name) || reason.trim() === "";
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

function register(harness: SinkHarness, behaviour: SinkBehaviour): void {
  const { api, skips } = harness;
  const run = (): Promise<void> => play(harness, behaviour);
  const reason = skips[behaviour.name];
  if (reason === undefined) api.it(behaviour.name, run, harness.timeoutMs ?? 60_000);
  else api.it.skip(`${behaviour.name} (skipped: ${reason})`, run);
}

async function play(harness: SinkHarness, behaviour: SinkBehaviour): Promise<void> {
  const place = await harness.create();
  const opened: Sink[] = [];
  const scene: SinkScene = {
    sink: place.sink,
    place,
    expect: (actual) => harness.api.expect(actual),
    makeRows: (columns, objects) => harness.makeRows(columns, objects),
    other: async () => {
      const sink = await place.other();
      opened.push(sink);
      await sink.open();
      return sink;
    },
  };
  try {
    if (behaviour.unopened !== true) await place.sink.open();
    await behaviour.run(scene);
  } finally {
    for (const sink of [...opened, place.sink]) await sink.close();
    await place.dispose();
  }
}
