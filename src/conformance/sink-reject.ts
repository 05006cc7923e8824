import type { Claim } from "../core/checkpoint.ts";
import type { Reason } from "../core/reject.ts";
import type { Sink, Target } from "../ports/sink.ts";
import {
  claimLane,
  codeOf,
  errorOf,
  format,
  load,
  loadPatiently,
  makeReject,
  makeTarget,
  positionAt,
  rowsOf,
  type SinkBehaviour,
  type SinkScene,
} from "./sink-scene.ts";

/** Rejects as they are kept, found and replayed. */
export const rejectBehaviours: readonly SinkBehaviour[] = [
  { name: "keeps the bytes, place and reasons of a reject", run: keepsRejects },
  { name: "finds rejects by every filter", run: filtersRejects },
  { name: "finds the newest rejects first", run: newestFirst },
  { name: "counts a reject once, however many its reasons", run: countsOnce },
  { name: "sums up open rejects", run: sumsUp },
  { name: "marks replayed rejects and leaves the others", run: marksReplayed },
  { name: "keeps a replayed reject open with the reasons of this attempt", run: keepsOpen },
  { name: "does not mark a replay that is rolled back", run: replayRolledBack },
  { name: "lets one of two racers replay a reject", run: replaysOnce },
];

const missing: Reason = { code: "missing", column: "name", message: '"name" is missing' };
const malformed: Reason = {
  code: "malformed",
  value: "\"'\\\t\n漢🦀",
  message: 'a quote is never closed: "…\\n\u0001',
};

async function start(scene: SinkScene): Promise<{ target: Target; claim: Claim }> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  return { target, claim: await claimLane(scene.sink) };
}

async function keepsRejects(scene: SinkScene): Promise<void> {
  const { target, claim } = await start(scene);
  const everyByte = Uint8Array.from({ length: 256 }, (_, n) => n);
  const offset = 2n ** 63n - 1n;
  const rejects = [
    makeReject(0, { bytes: everyByte, truncated: true, reasons: [missing, malformed], offset, line: 2 ** 31 - 1 }),
    makeReject(1, { bytes: new Uint8Array(0), line: undefined, offset: 0n }),
    makeReject(2, { bytes: Buffer.from("\\x41\\101\\n\tb,\"'\r\n") }),
  ];
  const plan = { claim, rejects, rows: [{ id: 1, name: "a" }], source: "sóurce'\".csv" };
  await load(scene, target, plan);
  const kept = await (await scene.other()).records.rejects({ pipeline: "p", limit: 10 });
  const [entry] = await scene.sink.records.ledger({ pipeline: "p", limit: 1 });
  const seen = kept.map(({ id: _id, rejectedAt: _at, bytes, ...more }) => {
    return { ...more, bytes: [...bytes] };
  });
  const common = {
    pipeline: "p",
    lane: "lane",
    batch: entry?.batch,
    source: plan.source,
    format,
    state: "open",
    attempts: 1,
  };
  scene.expect(seen).toEqual(rejects.map((one) => ({ ...one, ...common, bytes: [...one.bytes] })));
  const times = kept.map((one) => Number.isNaN(Date.parse(one.rejectedAt)));
  scene.expect(times).toEqual([false, false, false]);
}

async function filtersRejects(scene: SinkScene): Promise<void> {
  const { target, claim } = await start(scene);
  const { records } = scene.sink;
  const rejects = [
    makeReject(0),
    makeReject(1, { reasons: [missing, malformed] }),
    makeReject(2, { reasons: [malformed] }),
  ];
  await load(scene, target, { claim, rejects });
  const another = makeTarget({ pipeline: "another" });
  await scene.sink.prepare(another);
  await load(scene, another, { claim: await claimLane(scene.sink, "lane", "another"), rejects });
  const all = await records.rejects({ limit: 100 });
  const ids = all.map((one) => one.id);
  const [first, second] = ids;
  if (first === undefined || second === undefined) throw new Error("there is no reject");
  const ascending = ids.every((id, n) => n === 0 || id > (ids[n - 1] ?? id));
  const count = async (filter: Partial<Parameters<typeof records.rejects>[0]>): Promise<number[]> =>
    (await records.rejects({ limit: 100, ...filter })).map((one) => ids.indexOf(one.id));
  scene.expect({ count: ids.length, ascending }).toEqual({ count: 6, ascending: true });
  scene.expect(await count({ pipeline: "p" })).toEqual([0, 1, 2]);
  scene.expect(await count({ code: "malformed", pipeline: "p" })).toEqual([1, 2]);
  scene.expect(await count({ code: "missing" })).toEqual([1, 4]);
  scene.expect(await count({ ids: [first, second] })).toEqual([0, 1]);
  scene.expect(await count({ ids: [] })).toEqual([]);
  scene.expect(await count({ after: second, limit: 2 })).toEqual([2, 3]);
  scene.expect(await count({ state: "open", pipeline: "another" })).toEqual([3, 4, 5]);
  scene.expect(await count({ state: "replayed" })).toEqual([]);
  scene.expect(await count({ limit: 0 })).toEqual([]);
}

async function newestFirst(scene: SinkScene): Promise<void> {
  const { target, claim } = await start(scene);
  await load(scene, target, { claim, rejects: [0, 1, 2, 3].map((record) => makeReject(record)) });
  const { records } = scene.sink;
  const found = async (filter: Parameters<typeof records.rejects>[0]): Promise<number[]> =>
    (await records.rejects(filter)).map((one) => one.record);
  scene.expect(await found({ order: "newest", limit: 2 })).toEqual([3, 2]);
  const [first] = await records.rejects({ limit: 1 });
  if (first === undefined) throw new Error("there is no reject");
  scene.expect(await found({ order: "newest", after: first.id, pipeline: "p", limit: 10 })).toEqual([3, 2, 1]);
}

async function countsOnce(scene: SinkScene): Promise<void> {
  const { target, claim } = await start(scene);
  const { records } = scene.sink;
  scene.expect(await records.countRejects({})).toEqual(0);
  const rejects = [makeReject(0, { reasons: [missing, malformed] }), makeReject(1, { reasons: [missing] })];
  await load(scene, target, { claim, rejects });
  scene.expect(await records.countRejects({})).toEqual(2);
  scene.expect(await records.countRejects({ pipeline: "p", state: "open", code: "malformed" })).toEqual(1);
  scene.expect(await records.countRejects({ pipeline: "another" })).toEqual(0);
  const [first] = await records.rejects({ limit: 1 });
  if (first === undefined) throw new Error("there is no reject");
  scene.expect(await records.countRejects({ after: first.id })).toEqual(1);
  scene.expect(await records.countRejects({ ids: [first.id], state: "replayed" })).toEqual(0);
}

async function sumsUp(scene: SinkScene): Promise<void> {
  const { target, claim } = await start(scene);
  const rejects = [makeReject(0, { reasons: [missing, malformed] }), makeReject(1, { reasons: [missing] })];
  await load(scene, target, { claim, rejects });
  const summary = await scene.sink.records.rejectSummary("p");
  scene.expect(summary).toEqual([
    { pipeline: "p", code: "missing", column: "name", count: 2 },
    { pipeline: "p", code: "malformed", column: undefined, count: 1 },
  ]);
  scene.expect(await scene.sink.records.rejectSummary()).toEqual(summary);
  scene.expect(await scene.sink.records.rejectSummary("another")).toEqual([]);
}

/** Three open rejects, and a lane to replay them by. */
async function withOpenRejects(scene: SinkScene) {
  const { target, claim } = await start(scene);
  await load(scene, target, { claim, rejects: [makeReject(0), makeReject(1), makeReject(2)] });
  const open = await scene.sink.records.rejects({ pipeline: "p", state: "open", limit: 10 });
  return { target, ids: open.map((one) => one.id), claim: await claimLane(scene.sink, "replay"), open };
}

async function statesOf(sink: Sink): Promise<(readonly [number, string])[]> {
  const all = await sink.records.rejects({ pipeline: "p", limit: 10 });
  return all.map((one) => [one.record, one.state] as const);
}

async function marksReplayed(scene: SinkScene): Promise<void> {
  const { target, ids, claim } = await withOpenRejects(scene);
  const rows = [
    { id: 0, name: "mended" },
    { id: 2, name: "mended" },
  ];
  await load(scene, target, { claim, rows, replays: [ids[0] ?? 0n, ids[2] ?? 0n] });
  scene.expect(await statesOf(scene.sink)).toEqual([
    [0, "replayed"],
    [1, "open"],
    [2, "replayed"],
  ]);
  scene.expect(await rowsOf(scene, target)).toEqual(rows);
  scene
    .expect(await scene.sink.records.rejectSummary("p"))
    .toEqual([{ pipeline: "p", code: "type", column: "id", count: 1 }]);
}

/** Record `n` of a replaying batch is the attempt on `replays[n]`. */
async function keepsOpen(scene: SinkScene): Promise<void> {
  const { target, ids, claim, open } = await withOpenRejects(scene);
  const again = makeReject(1, { reasons: [missing] });
  const rows = [{ id: 0, name: "mended" }];
  await load(scene, target, { claim, rows, rejects: [again], replays: ids.slice(0, 2) });
  const after = await scene.sink.records.rejects({ pipeline: "p", limit: 10 });
  scene.expect(after.map((one) => [one.id, one.state, one.reasons.map((reason) => reason.code)])).toEqual([
    [ids[0], "replayed", ["type"]],
    [ids[1], "open", ["missing"]],
    [ids[2], "open", ["type"]],
  ]);
  scene.expect(after.map((one) => one.attempts)).toEqual([2, 2, 1]);
  const times = after.map((one) => one.rejectedAt);
  scene.expect(times).toEqual(open.map((one) => one.rejectedAt));
  const [, before] = open;
  scene.expect(Buffer.compare(after[1]?.bytes ?? Buffer.from("none"), before?.bytes ?? Buffer.from(""))).toEqual(0);
}

async function replayRolledBack(scene: SinkScene): Promise<void> {
  const { target, ids, claim } = await withOpenRejects(scene);
  const failure = await errorOf(
    load(scene, target, { claim, rows: [{ id: 0, name: "x" }], replays: ids.slice(0, 1), read: 7 }),
  );
  scene.expect(failure === undefined).toEqual(false);
  scene.expect((await statesOf(scene.sink)).map(([, state]) => state)).toEqual(["open", "open", "open"]);
}

/** Two processes replay the same reject by lanes of their own: the fence does not part them, the reject's state must. */
async function replaysOnce(scene: SinkScene): Promise<void> {
  const { target, ids } = await withOpenRejects(scene);
  const replays = ids.slice(0, 1);
  const race = async (sink: Sink, lane: string): Promise<string> => {
    const claim = await claimLane(sink, lane);
    return codeOf(loadPatiently(scene, sink, target, { claim, rows: [{ id: 0, name: "mended" }], replays }));
  };
  const codes = await Promise.all([race(scene.sink, "a"), race(await scene.other(), "b")]);
  scene.expect(codes.toSorted()).toEqual(["FENCED", "no error"]);
  scene.expect(await race(scene.sink, "c")).toEqual("FENCED");
  scene.expect(await rowsOf(scene, target)).toEqual([{ id: 0, name: "mended" }]);
  const ledger = await scene.sink.records.ledger({ pipeline: "p", limit: 10 });
  scene.expect(ledger.map((entry) => entry.end)).toEqual([positionAt(1), positionAt(3)]);
}
