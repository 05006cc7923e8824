// The suite for logs must fail on a broken one: each fault is noticed by the behaviours named with it.
import { describe, expect, it } from "vitest";
import { logBehaviourNames, logConformance, type LogHarness, type LogPlace } from "../../src/conformance/index.ts";
import { MillraceError } from "../../src/core/error.ts";
import type { Log } from "../../src/ports/log.ts";
import { withChanges } from "./broken.ts";
import { type LogFault, without } from "./log-breakage.ts";
import { logFaults } from "./log-faults.ts";
import { MemoryLog, MemoryPlace } from "./memory-log.ts";

function soundPlace(memory = new MemoryPlace()): LogPlace {
  const members: { id: string; group: string }[] = [];
  return {
    log: async () => new MemoryLog(memory),
    trim: async (lane, offset) => memory.trim(lane.name, offset),
    recreate: async () => memory.recreate(),
    join: async (group) => {
      const member = { id: memory.newId(), group };
      members.push(member);
      memory.members.add(member);
      return {
        kill: async () => {
          memory.members.delete(member);
          memory.changed();
        },
      };
    },
    unusable: async () => ({ log: unusable(new MemoryLog(memory)), secrets: ["hunter22"] }),
    dispose: async () => {},
  };
}

function unusable(log: Log): Log {
  const open = (): Promise<void> =>
    Promise.reject(new MillraceError("SINK_DENIED", `${log.shown} is closed`, { remedy: "Ask for the right." }));
  return withChanges(log, { open });
}

function broken({ breakLog = () => ({}), breakPlace = () => ({}) }: Partial<LogFault>): LogPlace {
  const memory = new MemoryPlace();
  const place = soundPlace(memory);
  const log = async (): Promise<Log> => {
    const sound = new MemoryLog(memory);
    return withChanges<Log>(sound, breakLog(sound));
  };
  return { ...place, log, ...breakPlace({ ...place, log }, memory) };
}

/** The suite as a table of behaviours instead of tests, so that their failing can be the expected outcome. */
function behavioursOf(place: () => LogPlace, more: Partial<LogHarness> = {}): Map<string, () => Promise<void>> {
  const found = new Map<string, () => Promise<void>>();
  const register = (name: string, body: () => Promise<void>): unknown => found.set(name, body);
  const api = {
    describe: (_: string, body: () => void): unknown => body(),
    it: Object.assign(register, { skip: register }),
    expect,
  };
  logConformance({ name: "broken", api, create: async () => place(), skips: {}, ...more });
  return found;
}

async function run(behaviours: ReadonlyMap<string, () => Promise<void>>, name: string): Promise<void> {
  const body = behaviours.get(name);
  if (body === undefined) throw new Error(`The suite has no behaviour "${name}"`);
  await body();
}

/** An expectation that does not hold, and not a mistake of the test. */
const mismatch = /^expected .* to deeply equal/;

const pairs = logFaults.flatMap((fault) => fault.noticedBy.map((name) => ({ fault, what: fault.what, name })));

describe("a log that is not broken", () => {
  // Through the same wrappers, so that it is the faults that are noticed and not these.
  it.each(logBehaviourNames)("%s", async (name) => {
    await run(
      behavioursOf(() => broken({})),
      name,
    );
  });
});

describe("a log that", () => {
  it.each(pairs)("$what is noticed by: $name", async ({ fault, name }) => {
    // What never comes is not to be waited for as long as for a real server.
    const behaviours = behavioursOf(() => broken(fault), { patienceMs: 400 });
    await expect(run(behaviours, name)).rejects.toThrow(fault.error ?? mismatch);
  });
});

describe("the suite", () => {
  const skipTest = "skips only behaviours of the suite, each with a reason";
  const skipping = (skips: LogHarness["skips"]): Map<string, () => Promise<void>> =>
    behavioursOf(soundPlace, { skips });

  it("is tried with a fault for every behaviour", () => {
    const tried = new Set(pairs.map(({ name }) => name));
    expect(logBehaviourNames.filter((name) => !tried.has(name))).toEqual([]);
  });

  it("refuses a skip without a reason", async () => {
    await expect(run(skipping({ "reads from the middle": " " }), skipTest)).rejects.toThrow(mismatch);
  });

  it("refuses a skip of a behaviour that it does not have", async () => {
    await expect(run(skipping({ "reads from the moon": "why" }), skipTest)).rejects.toThrow(mismatch);
  });

  it("shows what is skipped, and why", () => {
    const names = [...skipping({ "reads from the middle": "it has none" }).keys()];
    expect(names).toContain("reads from the middle (skipped: it has none)");
  });

  it("fails where a place has not what a behaviour needs, and does not skip it", async () => {
    const place = without(soundPlace(), "trim");
    const behaviours = behavioursOf(() => place);
    const name = "keeps what is behind the records that are gone";
    await expect(run(behaviours, name)).rejects.toThrow("the place has no trim: skip the behaviour, with the reason");
  });
});
