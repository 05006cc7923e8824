import { MillraceError } from "../core/error.ts";
import { LaneReplaced, RecordsGone } from "../ports/log.ts";
import { errorOf, hook, type LogBehaviour, type LogScene, record, soon, toldOf } from "./log-scene.ts";

/** What goes wrong is said with a code and the place, without secrets, and sorted. */
export const failureBehaviours: readonly LogBehaviour[] = [
  { name: "says what append has done when it resolves", run: saysDurability },
  { name: "refuses to append once it is closed, and closes twice", run: refusesClosed },
  { name: "finishes what is being appended when it is closed", run: finishesAppends },
  { name: "explains and sorts errors of its own and of others", run: explains },
  { name: "says why it cannot be opened, without secrets", unopened: true, run: saysWhy },
];

async function saysDurability({ log, expect }: LogScene): Promise<void> {
  const { durability, valueBytesMax } = log.facts;
  expect({ said: durability.length > 20, ends: durability.endsWith("."), takes: valueBytesMax > 100_000 }).toEqual({
    said: true,
    ends: true,
    takes: true,
  });
}

async function refusesClosed(scene: LogScene): Promise<void> {
  const log = await scene.other();
  await log.append([record("before")]);
  await log.close();
  await log.close();
  const told = await toldOf(
    log,
    soon(scene, log.append([record("behind")]), () => "an append to a closed log to fail"),
  );
  scene.expect(told).toEqual({ code: "INTERRUPTED", names: true, kind: "stop" });
}

/** Each of them resolves or rejects; those that resolve are there. */
async function finishesAppends(scene: LogScene): Promise<void> {
  const log = await scene.other();
  const appends = Array.from({ length: 200 }, (_, index) => errorOf(log.append([record(`${index}`, `key ${index}`)])));
  await log.close();
  const failed = await soon(scene, Promise.all(appends), () => "appends to end whose log is closed");
  const lanes = await scene.log.lanes();
  const kept = lanes.reduce((sum, { start, end }) => sum + end - start, 0n);
  scene.expect(kept >= BigInt(failed.filter((error) => error === undefined).length)).toEqual(true);
}

async function explains({ log, expect }: LogScene): Promise<void> {
  const own = new MillraceError("SINK_FULL", "full", { remedy: "Wait." });
  const gone = new RecordsGone("0", 1n, 2n);
  const replaced = new LaneReplaced("replaced");
  expect([own, gone, replaced].map((error) => log.explain(error) === error)).toEqual([true, true, true]);
  expect([own, gone, replaced].map((error) => log.classify(error))).toEqual(["wait", "stop", "stop"]);
  for (const odd of [new TypeError("a mistake"), "no error at all", undefined, { message: 1 }]) {
    const told = log.explain(odd);
    expect({ code: told instanceof MillraceError ? told.code : told, kind: log.classify(odd) }).toEqual({
      code: "INTERNAL",
      kind: "stop",
    });
    expect(told.message.includes(log.shown)).toEqual(true);
  }
}

async function saysWhy(scene: LogScene): Promise<void> {
  const { log, secrets } = await hook(scene, "unusable")();
  try {
    const failure = await soon(scene, errorOf(log.open()), () => "a log to fail that cannot be opened");
    const told = failure === undefined ? undefined : log.explain(failure);
    if (!(told instanceof MillraceError)) throw new Error("it fails without a code", { cause: failure });
    const words = [told.message, told.remedy, log.shown].join("\n");
    scene.expect(secrets.filter((secret) => words.includes(secret))).toEqual([]);
    scene.expect({ remedy: told.remedy.length > 0, kind: ["wait", "stop"].includes(log.classify(failure)) }).toEqual({
      remedy: true,
      kind: true,
    });
    scene.expect(told.code === "INTERNAL").toEqual(false);
  } finally {
    await log.close();
  }
}
