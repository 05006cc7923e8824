import { type KeptRecord, LaneReplaced, RecordsGone } from "../ports/log.ts";
import {
  errorOf,
  hook,
  type LogBehaviour,
  type LogScene,
  laneOf,
  type Reading,
  readEverything,
  reading,
  record,
  valuesOf,
} from "./log-scene.ts";

/** Nothing is passed over in silence: what is gone, and what is not what it was, is said. */
export const goneBehaviours: readonly LogBehaviour[] = [
  { name: "says that records are gone, and from where on there are some", run: saysGone },
  { name: "keeps what is behind the records that are gone", run: keepsTheRest },
  { name: "says that all records are gone, and goes on with the next", run: saysAllGone },
  { name: "passes over nothing when records go while they are read", run: passesOverNothing },
  { name: "says that it ends before what is asked for", run: saysEndsEarly },
  { name: "is another one when it was made anew", run: isAnother },
  { name: "says that a lane was replaced to whoever waits for its next record", run: saysReplaced },
  { name: "says that a lane was replaced to whoever begins to read it", run: saysReplacedBefore },
];

async function fill(scene: LogScene, from: number, to: number): Promise<void> {
  for (let next = from; next < to; next += 10) {
    await scene.log.append(Array.from({ length: 10 }, (_, index) => record(`${next + index}`, "key")));
  }
}

function firstFailure(one: Reading): Promise<Error | undefined> {
  return errorOf(one.until({ count: 1 }));
}

async function saysGone(scene: LogScene): Promise<void> {
  await fill(scene, 0, 100);
  const before = await laneOf(scene, "key");
  const wanted = before.start;
  await hook(scene, "trim")(before, before.end - 40n);
  for (const log of [scene.log, await scene.other()]) {
    const lane = (await log.lanes()).find(({ name }) => name === before.name) ?? before;
    scene.expect([lane.start > wanted, lane.end, lane.incarnation]).toEqual([true, before.end, before.incarnation]);
    const failure = await reading(scene, { log, lane, offset: wanted }, firstFailure);
    const said = failure instanceof RecordsGone ? [failure.lane, failure.wanted, failure.start] : failure;
    scene.expect(said).toEqual([lane.name, wanted, lane.start]);
    scene.expect(log.classify(failure)).toEqual("stop");
  }
}

async function keepsTheRest(scene: LogScene): Promise<void> {
  await fill(scene, 0, 100);
  const before = await laneOf(scene, "key");
  await hook(scene, "trim")(before, before.end - 40n);
  const log = await scene.other();
  const lane = await laneOf(scene, "key", log);
  scene.expect(lane.start <= before.end - 40n).toEqual(true);
  const kept = await reading(scene, { log, lane }, (one) => one.until({ end: lane.end }));
  const values = Array.from({ length: 100 }, (_, index) => `${index}`).slice(-kept.length);
  scene.expect([valuesOf(kept), kept[0]?.offset]).toEqual([values, lane.start]);
}

async function saysAllGone(scene: LogScene): Promise<void> {
  await fill(scene, 0, 50);
  const before = await laneOf(scene, "key");
  await hook(scene, "trim")(before, before.end);
  const lane = (await scene.log.lanes()).find(({ name }) => name === before.name) ?? before;
  scene.expect([lane.start, lane.end]).toEqual([before.end, before.end]);
  const failure = await reading(scene, { lane, offset: before.start }, firstFailure);
  scene.expect(failure instanceof RecordsGone).toEqual(true);
  const log = await scene.other();
  const kept = await reading(scene, { log, lane, offset: lane.start }, async (one) => {
    const next = one.until({ count: 10 });
    await fill(scene, 50, 60);
    return next;
  });
  scene.expect([kept[0]?.offset, valuesOf(kept)[0]]).toEqual([before.end, "50"]);
}

/** What was fetched before it went may still come; what has not must not be left out. */
async function passesOverNothing(scene: LogScene): Promise<void> {
  const filling = "x".repeat(20_000);
  for (let from = 0; from < 2_000; from += 100) {
    await scene.log.append(Array.from({ length: 100 }, (_, index) => record(`${from + index} ${filling}`, "key")));
  }
  const lane = await laneOf(scene, "key");
  const log = await scene.other();
  const numbers = await reading(scene, { log, lane }, async (one) => {
    await one.next();
    await hook(scene, "trim")(lane, lane.end - 1n);
    await scene.log.append([record(`2000 ${filling}`, "key")]);
    const failure = await errorOf(one.until({ count: 2_001 }));
    scene.expect(failure === undefined || failure instanceof RecordsGone).toEqual(true);
    return one.taken.map(numberOf);
  });
  scene.expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => index));
}

function numberOf({ value }: KeptRecord): number {
  return Number(new TextDecoder().decode(value).split(" ")[0]);
}

/** A position of another log, or of one that has lost its end: to wait there would be to leave records out. */
async function saysEndsEarly(scene: LogScene): Promise<void> {
  await fill(scene, 0, 10);
  const lane = await laneOf(scene, "key");
  const failure = await reading(scene, { lane, offset: lane.end + 1_000n }, firstFailure);
  const told = failure === undefined ? undefined : scene.log.explain(failure);
  scene.expect({ code: told !== undefined && "code" in told ? told.code : told }).toEqual({ code: "SINK_REFUSED" });
  scene.expect(failure === undefined ? failure : scene.log.classify(failure)).toEqual("stop");
}

async function isAnother(scene: LogScene): Promise<void> {
  await fill(scene, 0, 20);
  const before = await scene.log.lanes();
  await hook(scene, "recreate")();
  const log = await scene.other();
  const after = await log.lanes();
  scene.expect(after.filter(({ start, end }) => start !== end)).toEqual([]);
  const kept = after.filter((lane) => before.some(({ incarnation }) => incarnation === lane.incarnation));
  scene.expect(kept).toEqual([]);
  await log.append([record("anew", "key")]);
  scene.expect(valuesOf(await readEverything(scene, log))).toEqual(["anew"]);
}

async function saysReplaced(scene: LogScene): Promise<void> {
  await fill(scene, 0, 20);
  const lane = await laneOf(scene, "key");
  const log = await scene.other();
  const failure = await reading(scene, { log, lane, offset: lane.end }, async (one) => {
    const failing = firstFailure(one);
    await hook(scene, "recreate")();
    return failing;
  });
  scene.expect(failure instanceof LaneReplaced ? log.classify(failure) : failure).toEqual("stop");
}

async function saysReplacedBefore(scene: LogScene): Promise<void> {
  await fill(scene, 0, 20);
  const lane = await laneOf(scene, "key");
  await hook(scene, "recreate")();
  const log = await scene.other();
  await log.append(Array.from({ length: 40 }, (_, index) => record(`${index}`, "key")));
  for (const offset of [lane.start, lane.end]) {
    const failure = await reading(scene, { log, lane, offset }, firstFailure);
    scene.expect(failure instanceof LaneReplaced).toEqual(true);
  }
}
