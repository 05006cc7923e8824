import { limit } from "../core/limit.ts";
import type { KeptRecord, Log, LogLane } from "../ports/log.ts";
import {
  errorOf,
  type LogBehaviour,
  type LogScene,
  laneOf,
  Reading,
  readAll,
  reading,
  record,
  soon,
  textOf,
  valuesOf,
} from "./log-scene.ts";

/** Readers get what is there from where they ask, wait for what comes, and end when they are told to. */
export const readBehaviours: readonly LogBehaviour[] = [
  { name: "reads from the middle", run: readsFromMiddle },
  { name: "waits at the end for what is appended later, by whomever", run: waitsAtEnd },
  { name: "reads a lane from before its first record", run: readsFromNothing },
  { name: "gives nothing of other lanes", run: keepsLanesApart },
  { name: "gives every reader everything", run: givesEveryReader },
  { name: "hands out pieces that are not empty, and not much larger than said", run: handsOutPieces },
  { name: "misses nothing that is appended while it is read", run: missesNothing },
  { name: "ends without an error when the signal aborts while it waits", run: endsWhileWaiting },
  { name: "ends without an error when the signal aborts between two pieces", run: endsBetweenPieces },
  { name: "reads nothing when the signal is aborted before", run: endsAtOnce },
  { name: "closes while it is read", run: closesWhileRead },
];

const numbers = (count: number, from = 0): string[] => Array.from({ length: count }, (_, index) => `${from + index}`);

async function appendNumbers(log: Log, count: number, from = 0): Promise<void> {
  await log.append(numbers(count, from).map((value) => record(value, "key")));
}

async function readsFromMiddle(scene: LogScene): Promise<void> {
  for (let from = 0; from < 50; from += 10) await appendNumbers(scene.log, 10, from);
  const lane = await laneOf(scene, "key");
  const all = await reading(scene, { lane }, (one) => one.until({ end: lane.end }));
  for (const place of [0, 1, 7, 10, 25, 39, 49]) {
    const offset = all[place]?.offset ?? -1n;
    const log = await scene.other();
    const some = await reading(scene, { log, lane, offset }, (one) => one.until({ end: lane.end }));
    scene.expect([some[0]?.offset, ...valuesOf(some)]).toEqual([offset, ...numbers(50 - place, place)]);
  }
}

async function waitsAtEnd(scene: LogScene): Promise<void> {
  await appendNumbers(scene.log, 3);
  const lane = await laneOf(scene, "key");
  const other = await scene.other();
  const read = async (one: Reading): Promise<readonly KeptRecord[]> => {
    for (const [index, log] of [scene.log, other, await scene.other()].entries()) {
      const next = one.until({ count: index + 1 });
      await appendNumbers(log, 1, 3 + index);
      await next;
    }
    return one.taken;
  };
  const kept = await reading(scene, { log: other, lane, offset: lane.end }, read);
  scene.expect({ values: valuesOf(kept), first: kept[0]?.offset }).toEqual({ values: numbers(3, 3), first: lane.end });
}

async function readsFromNothing(scene: LogScene): Promise<void> {
  const lanes = await scene.log.lanes();
  const other = await scene.other();
  const readings = lanes.map((lane) => new Reading(scene, other, lane, lane.start));
  const first = readings.map((one) => one.next());
  const failures = first.map((one) => errorOf(one));
  await scene.log.append(Array.from({ length: 60 }, (_, index) => record(`${index}`, `key ${index}`)));
  const used = await lanesWithRecords(scene);
  await Promise.all(used.map(async (name) => first[Number(name)]));
  for (const name of used) await readings[Number(name)]?.until({ end: await endOf(scene, name) });
  await Promise.all(readings.map((one) => one.stop()));
  await Promise.all(failures);
  const values = readings.flatMap((one) => valuesOf(one.taken));
  scene.expect(values.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index));
}

async function lanesWithRecords(scene: LogScene): Promise<string[]> {
  return (await scene.log.lanes()).filter(({ start, end }) => start < end).map(({ name }) => name);
}

async function endOf(scene: LogScene, name: string): Promise<bigint> {
  const lane = (await scene.log.lanes()).find((one) => one.name === name);
  return lane?.end ?? -1n;
}

async function keepsLanesApart(scene: LogScene): Promise<void> {
  await scene.log.append(Array.from({ length: 200 }, (_, index) => record(`${index}`, `key ${index}`)));
  const all = await readAll(scene);
  const values = [...all.values()].flatMap(valuesOf);
  scene.expect({ records: values.length, distinct: new Set(values).size }).toEqual({ records: 200, distinct: 200 });
  const filled = [...all.values()].filter((some) => some.length > 0).length;
  scene.expect(filled === all.size || all.size > 20).toEqual(true);
}

async function givesEveryReader(scene: LogScene): Promise<void> {
  await appendNumbers(scene.log, 30);
  const lane = await laneOf(scene, "key");
  const logs = [scene.log, scene.log, await scene.other()];
  const offset = lane.end - 30n;
  const all = logs.map((log) => reading(scene, { log, lane, offset }, (one) => one.until({ count: 60 })));
  await appendNumbers(scene.log, 30, 30);
  scene.expect((await Promise.all(all)).map(valuesOf)).toEqual(logs.map(() => numbers(60)));
}

async function handsOutPieces(scene: LogScene): Promise<void> {
  const value = new Uint8Array(10_000).fill(0x78);
  for (let count = 0; count < 4; count += 1) {
    await scene.log.append(Array.from({ length: 150 }, () => ({ ...record("", "key"), value })));
  }
  const lane = await laneOf(scene, "key");
  const pieces = await reading(scene, { lane }, async (one) => {
    await one.until({ count: 600 });
    return one.pieces;
  });
  const sizes = pieces.map((piece) => piece.reduce((sum, one) => sum + one.value.length, 0));
  scene.expect(sizes.filter((size) => size === 0 || size > 2 * limit.logPieceBytes)).toEqual([]);
}

async function missesNothing(scene: LogScene): Promise<void> {
  await appendNumbers(scene.log, 1);
  const lane = await laneOf(scene, "key");
  const log = await scene.other();
  const kept = await reading(scene, { log, lane, offset: lane.end }, async (one) => {
    const taken = one.until({ count: 600 });
    const appended = async (): Promise<void> => {
      for (let from = 1; from <= 600; from += 4) await appendNumbers(scene.log, 4, from);
    };
    await Promise.all([taken, appended()]);
    return taken;
  });
  scene.expect(valuesOf(kept)).toEqual(numbers(600, 1));
}

async function filledLane(scene: LogScene): Promise<LogLane> {
  await appendNumbers(scene.log, 5);
  return laneOf(scene, "key");
}

async function endsWhileWaiting(scene: LogScene): Promise<void> {
  const lane = await filledLane(scene);
  const one = new Reading(scene, await scene.other(), lane, lane.end);
  scene.expect(await one.abortedWhileWaiting()).toEqual("ended");
}

async function endsBetweenPieces(scene: LogScene): Promise<void> {
  const lane = await filledLane(scene);
  const one = new Reading(scene, scene.log, lane, lane.start);
  await one.next();
  scene.expect(await one.abortedWhileWaiting()).toEqual("ended");
}

async function endsAtOnce(scene: LogScene): Promise<void> {
  const lane = await filledLane(scene);
  const pieces: string[][] = [];
  const read = async (): Promise<void> => {
    for await (const piece of scene.log.read(lane, lane.start, AbortSignal.abort(new Error("a reason")))) {
      pieces.push(piece.map((one) => textOf(one.value)));
    }
  };
  await soon(scene, read(), () => "the end of a loop whose signal was aborted before");
  scene.expect(pieces).toEqual([]);
}

async function closesWhileRead(scene: LogScene): Promise<void> {
  const lane = await filledLane(scene);
  const log = await scene.other();
  const one = new Reading(scene, log, lane, lane.end);
  const next = errorOf(one.next());
  await soon(scene, log.close(), () => "a log to close that is read");
  // Whether the loop ends with an error is open: whoever closes a log stops reading it first.
  await soon(scene, next, () => "the end of a loop whose log is closed");
}
