import type { Log } from "../ports/log.ts";
import type { TestApi } from "./harness.ts";
import { appendBehaviours } from "./log-append.ts";
import { failureBehaviours } from "./log-failure.ts";
import { goneBehaviours } from "./log-gone.ts";
import { readBehaviours } from "./log-read.ts";
import { type LogBehaviour, type LogPlace, type LogScene, soon } from "./log-scene.ts";
import { sharingBehaviours } from "./log-sharing.ts";

export type { LogPlace, LogProcess } from "./log-scene.ts";

export interface LogHarness {
  /** What the suite is run against, for people: `embedded`, `kafka 3.7`. */
  readonly name: string;
  readonly api: TestApi;
  /** A place whose log is not there yet or has no records; it must have, or get when it is opened, 2 lanes or more. */
  create(): Promise<LogPlace>;
  /** Behaviours, by name, that the place cannot have, each with the reason. An unknown name or an empty reason fails. */
  readonly skips: Readonly<Record<string, string>>;
  /** For one behaviour; 60 000 when absent. */
  readonly timeoutMs?: number;
  /** How long one thing that has to come is waited for, such as lanes of a killed process; 20 000 when absent. */
  readonly patienceMs?: number;
}

const groups: readonly (readonly [string, readonly LogBehaviour[]])[] = [
  ["appending", appendBehaviours],
  ["reading", readBehaviours],
  ["what is gone", goneBehaviours],
  ["sharing lanes", sharingBehaviours],
  ["failures", failureBehaviours],
];

/** Names of all behaviours, as `skips` may list them. */
export const logBehaviourNames: readonly string[] = groups.flatMap(([, some]) => some.map(({ name }) => name));

/**
 * Registers the tests that every log must pass, each on a fresh place. Skipped ones are registered as skipped, with
 * the reason in their names; one more test fails when a skip has no reason or names no behaviour. That `append` is
 * durable when it resolves cannot be seen from here: an adapter's own tests kill what keeps the records.
 */
export function logConformance(harness: LogHarness): void {
  const { api, skips } = harness;
  api.describe(`log conformance: ${harness.name}`, () => {
    api.it("skips only behaviours of the suite, each with a reason", async () => {
      const wrong = Object.entries(skips).filter(([name, reason]) => {
        return !logBehaviourNames.includes(name) || reason.trim() === "";
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

function register(harness: LogHarness, behaviour: LogBehaviour): void {
  const { api, skips } = harness;
  const run = (): Promise<void> => play(harness, behaviour);
  const reason = skips[behaviour.name];
  if (reason === undefined) api.it(behaviour.name, run, harness.timeoutMs ?? 60_000);
  else api.it.skip(`${behaviour.name} (skipped: ${reason})`, run);
}

async function play(harness: LogHarness, behaviour: LogBehaviour): Promise<void> {
  const place = await harness.create();
  const { patienceMs = 20_000 } = harness;
  const opened: Log[] = [];
  const unopened = async (): Promise<Log> => {
    const log = await place.log();
    opened.push(log);
    return log;
  };
  const other = async (): Promise<Log> => {
    const log = await unopened();
    await log.open();
    return log;
  };
  try {
    const log = behaviour.unopened === true ? await unopened() : await other();
    const scene: LogScene = {
      log,
      place,
      unopened,
      other,
      expect: (actual) => harness.api.expect(actual),
      patienceMs,
    };
    await behaviour.run(scene);
  } finally {
    for (const log of opened) await soon({ patienceMs }, log.close(), () => "a log to close");
    await place.dispose();
  }
}
