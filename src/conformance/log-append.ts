import { limit } from "../core/limit.ts";
import type { Log, LogRecord } from "../ports/log.ts";
import {
  errorOf,
  type LogBehaviour,
  type LogScene,
  laneOf,
  readAll,
  readEverything,
  record,
  shown,
  textOf,
  toldOf,
  valuesOf,
} from "./log-scene.ts";

/** What is appended is there once, whole, in order, in one lane for each key, and seen by all. */
export const appendBehaviours: readonly LogBehaviour[] = [
  { name: "opens from several logs at once, and again, as one log", unopened: true, run: opensAtOnce },
  { name: "has lanes with names from 0 on, that are empty at first and the same for all", run: hasLanes },
  { name: "gives back bytes, keys, ids and times as they were", run: givesBack },
  { name: "tells an empty key from none", run: tellsEmptyKeys },
  { name: "keeps the records of a key in one lane, in order", run: keepsKeysInOrder },
  { name: "keeps the order of a key over several appends, and logs", run: keepsOrderOverAppends },
  { name: "takes an append of nothing", run: takesNothing },
  { name: "takes many appends at once, and keeps every record once", run: takesManyAtOnce },
  { name: "takes a large append", run: takesLargeAppend },
  { name: "keeps a record for each time that it was appended", run: keepsRepeats },
  { name: "shows everybody what was appended once it is", run: showsAppended },
  { name: "gives rising offsets within the lane's start and end", run: givesRisingOffsets },
  { name: "keeps what was appended when it is opened again", run: survivesReopening },
  { name: "takes the largest value", run: takesLargest },
  { name: "refuses a larger one by name, and goes on", run: refusesLarger },
];

async function opensAtOnce(scene: LogScene): Promise<void> {
  const logs = await Promise.all(Array.from({ length: 4 }, () => scene.unopened()));
  await Promise.all([scene.log, ...logs].map((log) => log.open()));
  await scene.log.open();
  const lanes = await Promise.all([scene.log, ...logs].map((log) => log.lanes()));
  scene.expect(new Set(lanes.map((some) => JSON.stringify(some.map(identityOf)))).size).toEqual(1);
  await Promise.all(logs.map((log, index) => log.append([record(`from ${index}`)])));
  await Promise.all([scene.log, ...logs].map((log) => log.open()));
  const values = valuesOf(await readEverything(scene)).sort();
  scene.expect(values).toEqual(["from 0", "from 1", "from 2", "from 3"]);
}

function identityOf({ name, incarnation }: { name: string; incarnation: string }): string {
  return `${name}@${incarnation}`;
}

async function hasLanes(scene: LogScene): Promise<void> {
  const lanes = await scene.log.lanes();
  scene.expect(lanes.map(({ name }) => name)).toEqual(lanes.map((_, index) => String(index)));
  const odd = lanes.filter(({ incarnation, start, end }) => {
    return incarnation === "" || incarnation.length > 64 || start !== end || start < 0n;
  });
  scene.expect({ several: lanes.length >= 2, odd }).toEqual({ several: true, odd: [] });
  scene.expect((await (await scene.other()).lanes()).map(identityOf)).toEqual(lanes.map(identityOf));
}

const everyByte = Uint8Array.from({ length: 1_024 }, (_, index) => index % 256);

async function givesBack(scene: LogScene): Promise<void> {
  const now = Date.now();
  const records: LogRecord[] = [
    { key: everyByte.slice(0, 256), value: everyByte, id: "every byte", timeMs: now },
    { key: new TextEncoder().encode("é\0"), value: new Uint8Array(0), id: "no byte", timeMs: now - 1 },
    { value: new Uint8Array(0), timeMs: now - 59_999 },
    { value: Uint8Array.of(0), id: "a NUL; 😀, 'quotes' \"and\" \\ and \r\n: all in an id", timeMs: now - 3_600_000 },
    { key: Uint8Array.of(0xff, 0xfe, 0x80), value: Uint8Array.of(0xc3, 0x28), timeMs: now },
    { value: new TextEncoder().encode('{"a": 1}\n'), id: "x".repeat(200), timeMs: now },
    // A part of a larger buffer is the part alone.
    { key: everyByte.subarray(3, 5), value: everyByte.subarray(100, 103), timeMs: now },
  ];
  await scene.log.append(records);
  const kept = await readEverything(scene, await scene.other());
  scene.expect(sorted(kept.map(shown))).toEqual(sorted(records.map(shown)));
  const odd = kept.filter((one) => Object.hasOwn(one, "key") && one.key === undefined);
  scene.expect(odd).toEqual([]);
}

/** Records of several lanes in an order that does not depend on them. */
function sorted<Value>(values: readonly Value[]): Value[] {
  return values.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

async function tellsEmptyKeys(scene: LogScene): Promise<void> {
  await scene.log.append([record("empty key", ""), record("no key")]);
  const kept = await readEverything(scene);
  const keys = new Map(kept.map((one) => [textOf(one.value), one.key?.length]));
  scene.expect(keys).toEqual(
    new Map([
      ["empty key", 0],
      ["no key", undefined],
    ]),
  );
}

const keys = Array.from({ length: 30 }, (_, index) => `key ${index}`);

async function keepsKeysInOrder(scene: LogScene): Promise<void> {
  const records = Array.from({ length: 20 }, (_, round) => keys.map((key) => record(`${key}: ${round}`, key))).flat();
  await scene.log.append(records);
  const lanes = await readAll(scene);
  const found = keys.map((key) => [...lanes.values()].map((some) => valuesOf(some.filter((one) => hasKey(one, key)))));
  // In one lane all of them, in the others none.
  const wanted = keys.map((key) => Array.from({ length: 20 }, (_, round) => `${key}: ${round}`));
  scene.expect(found.map((some) => some.filter((values) => values.length > 0))).toEqual(wanted.map((one) => [one]));
  const used = [...lanes.values()].filter((some) => some.length > 0);
  scene.expect(used.length > 1).toEqual(true);
}

function hasKey({ key }: LogRecord, wanted: string): boolean {
  return key !== undefined && textOf(key) === wanted;
}

async function keepsOrderOverAppends(scene: LogScene): Promise<void> {
  const logs = [scene.log, await scene.other(), await scene.other()];
  for (let round = 0; round < 30; round += 1) {
    await logs[round % logs.length]?.append([record(`${round}`, "key"), record(`${round}'`, "key")]);
  }
  // Not awaited one by one: of one log they stay in the order of the calls.
  await Promise.all(Array.from({ length: 30 }, (_, index) => scene.log.append([record(`${30 + index}`, "key")])));
  const kept = (await readEverything(scene)).filter((one) => hasKey(one, "key"));
  const first = Array.from({ length: 30 }, (_, round) => [`${round}`, `${round}'`]).flat();
  scene.expect(valuesOf(kept)).toEqual([...first, ...Array.from({ length: 30 }, (_, index) => `${30 + index}`)]);
  scene.expect((await laneOf(scene, "key")).end - (kept[0]?.offset ?? 0n) >= 90n).toEqual(true);
}

async function takesNothing(scene: LogScene): Promise<void> {
  await scene.log.append([]);
  await scene.log.append([record("something")]);
  await scene.log.append([]);
  scene.expect(valuesOf(await readEverything(scene))).toEqual(["something"]);
}

async function takesManyAtOnce(scene: LogScene): Promise<void> {
  const logs = [scene.log, await scene.other()];
  const callers = Array.from({ length: 40 }, (_, caller) => caller);
  const call = async (caller: number): Promise<void> => {
    for (let index = 0; index < 25; index += 1) {
      const one = record(`${caller}: ${index} ${"x".repeat((caller * index) % 500)}`, `caller ${caller}`);
      await logs[caller % 2]?.append(index % 5 === 0 ? [one, record(`${caller}: ${index} without a key`)] : [one]);
    }
  };
  await Promise.all(callers.map(call));
  const kept = await readEverything(scene, await scene.other());
  scene.expect({ kept: kept.length, distinct: new Set(valuesOf(kept)).size }).toEqual({ kept: 1_200, distinct: 1_200 });
  const orders = callers.map((caller) => {
    return valuesOf(kept.filter((one) => hasKey(one, `caller ${caller}`))).map((value) => value.split(" ")[1]);
  });
  scene.expect(orders).toEqual(callers.map(() => Array.from({ length: 25 }, (_, index) => `${index}`)));
}

async function takesLargeAppend(scene: LogScene): Promise<void> {
  const filling = "x".repeat(990);
  const records = Array.from({ length: 12_000 }, (_, index) => record(`${index} ${filling}`, `${index % 10}`));
  await scene.log.append(records);
  const kept = [...(await readAll(scene)).values()];
  for (let key = 0; key < 10; key += 1) {
    const numbers = kept.flatMap((some) => valuesOf(some.filter((one) => hasKey(one, `${key}`))));
    const wanted = records.filter((one) => hasKey(one, `${key}`));
    scene.expect(numbers.join() === valuesOf(wanted).join()).toEqual(true);
  }
}

/** A log does not know what its readers have: it is they who drop repeats. */
async function keepsRepeats(scene: LogScene): Promise<void> {
  await scene.log.append([record("again", "key"), record("again", "key")]);
  await scene.log.append([record("again", "key")]);
  const kept = await readEverything(scene);
  scene.expect(kept.map(shown)).toEqual(Array.from({ length: 3 }, () => shown(record("again", "key"))));
}

async function showsAppended(scene: LogScene): Promise<void> {
  const other = await scene.other();
  let before = 0n;
  for (let count = 1; count <= 20; count += 1) {
    await scene.log.append([record(`${count}`, "key")]);
    const end = (await other.lanes()).reduce((sum, lane) => sum + lane.end - lane.start, 0n);
    scene.expect(end > before).toEqual(true);
    before = end;
  }
  scene.expect((await readEverything(scene, other)).length).toEqual(20);
}

async function givesRisingOffsets(scene: LogScene): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    await scene.log.append(Array.from({ length: 40 }, (_, index) => record(`${round}.${index}`, `${index}`)));
  }
  const all = await readAll(scene);
  for (const lane of await scene.log.lanes()) {
    const offsets = (all.get(lane.name) ?? []).map(({ offset }) => offset);
    const rising = offsets.every((offset, index) => offset > (offsets[index - 1] ?? -1n));
    const within = offsets.every((offset) => offset >= lane.start && offset < lane.end);
    scene.expect({ rising, within }).toEqual({ rising: true, within: true });
    if (offsets.length > 0) scene.expect([offsets[0], offsets.at(-1)]).toEqual([lane.start, lane.end - 1n]);
  }
}

async function survivesReopening(scene: LogScene): Promise<void> {
  await scene.log.append(keys.map((key) => record(`value of ${key}`, key)));
  const before = await readAll(scene);
  const lanes = await scene.log.lanes();
  await scene.log.close();
  const other = await scene.other();
  scene.expect(await other.lanes()).toEqual(lanes);
  const after = await readAll(scene, other);
  scene.expect(after).toEqual(before);
  await other.append([record("one more", "key 0")]);
  const last = (await readEverything(scene, other)).find(({ value }) => textOf(value) === "one more");
  const lane = lanes.find((one) => one.name === nameOfLane(before, "key 0"));
  scene.expect(last?.offset !== undefined && lane !== undefined && last.offset >= lane.end).toEqual(true);
}

function nameOfLane(lanes: ReadonlyMap<string, readonly LogRecord[]>, key: string): string | undefined {
  return [...lanes].find(([, some]) => some.some((one) => hasKey(one, key)))?.[0];
}

function largeValue(log: Log, more: number): Uint8Array {
  const value = new Uint8Array(log.facts.valueBytesMax + more);
  for (let index = 0; index < value.length; index += 1_000) value[index] = index % 251;
  return value;
}

async function takesLargest(scene: LogScene): Promise<void> {
  const { log, expect } = scene;
  const { valueBytesMax } = log.facts;
  expect({ isWhole: Number.isInteger(valueBytesMax), atMost: valueBytesMax <= limit.logValueBytes }).toEqual({
    isWhole: true,
    atMost: true,
  });
  const value = largeValue(log, 0);
  await log.append([record("before", "key")]);
  await log.append([{ ...record("", "key"), value }]);
  await log.append([record("behind", "key")]);
  const kept = await readEverything(scene, await scene.other());
  const isSame = Buffer.from(kept[1]?.value ?? []).equals(value);
  expect({ sizes: kept.map((one) => one.value.length), isSame }).toEqual({ sizes: [6, value.length, 6], isSame: true });
}

async function refusesLarger(scene: LogScene): Promise<void> {
  const { log, expect } = scene;
  const larger = { ...record("", "key"), value: largeValue(log, 1) };
  expect(await toldOf(log, log.append([larger]))).toEqual({ code: "SINK_REFUSED", names: true, kind: "stop" });
  expect(await errorOf(log.append([record("as usual", "key")]))).toEqual(undefined);
  expect(valuesOf(await readEverything(scene))).toEqual(["as usual"]);
}
