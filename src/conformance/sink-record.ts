import { MillraceError } from "../core/error.ts";
import { encodeLineage } from "../core/lineage.ts";
import { RepeatedMessages, type Sink } from "../ports/sink.ts";
import type { SinkColumn } from "../ports/rows.ts";
import {
  claimLane,
  codeOf,
  errorOf,
  idAndName,
  inUnit,
  load,
  look,
  makeBatch,
  makeReject,
  makeTarget,
  positionAt,
  type SinkBehaviour,
  type SinkScene,
  startedAt,
  zero,
} from "./sink-scene.ts";

/** What is kept besides the rows: ledger, lanes, definitions, message ids, lineage; and reading by query. */
export const recordBehaviours: readonly SinkBehaviour[] = [
  { name: "writes a ledger entry that balances for each batch", run: writesLedger },
  { name: "lists the ledger newest first and by every filter", run: listsLedger },
  { name: "lists checkpoints by source", run: listsCheckpoints },
  { name: "keeps batch numbers unique across sinks", run: reservesBatches },
  { name: "keeps definitions by version", run: keepsDefinitions },
  { name: "names exactly the message ids that are committed already", run: namesRepeated },
  { name: "names the message ids that stand in a batch twice", run: namesTwins },
  { name: "forgets the message ids of a unit that is rolled back", run: forgetsMessages },
  { name: "finds the lineage of a key and the rows of a lineage", run: findsLineage },
  { name: "knows no lineage of a table without", run: knowsNoLineage },
  { name: "reads without creating anything", unopened: true, run: readsOnly },
  { name: "reads by query and explains a query that fails", run: readsByQuery },
];

async function writesLedger(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  const claim = await claimLane(scene.sink);
  const plan = { claim, rows: [{ id: 1, name: "a" }], rejects: [makeReject(1), makeReject(2)], filtered: 3 };
  const batch = await makeBatch(scene, target, { ...plan, run: "run-7", version: "v'2", source: "dir/sóurce.csv" });
  await inUnit(scene.sink, target, (unit) => unit.write(batch));
  const [entry, ...more] = await (await scene.other()).records.ledger({ limit: 10 });
  const { committedAt = "", startedAt: started = "", ...kept } = entry ?? {};
  scene.expect({ more: more.length, ...kept }).toEqual({
    more: 0,
    batch: batch.batch,
    pipeline: "p",
    lane: "lane",
    epoch: 1,
    run: "run-7",
    version: "v'2",
    source: "dir/sóurce.csv",
    table: "t",
    start: zero,
    end: positionAt(6),
    read: 6,
    loaded: 1,
    merged: 0,
    filtered: 3,
    rejected: 2,
  });
  scene.expect(Date.parse(started)).toEqual(Date.parse(startedAt));
  scene.expect(Date.parse(committedAt) >= Date.parse(startedAt)).toEqual(true);
}

async function listsLedger(scene: SinkScene): Promise<void> {
  const { records } = scene.sink;
  const numbers: bigint[] = [];
  for (const [pipeline, run] of [
    ["p", "run-1"],
    ["p", "run-2"],
    ["q", "run-2"],
  ] as const) {
    const target = makeTarget({ pipeline });
    await scene.sink.prepare(target);
    const batch = await makeBatch(scene, target, {
      claim: await claimLane(scene.sink, run, pipeline),
      filtered: 1,
      run,
    });
    await inUnit(scene.sink, target, (unit) => unit.write(batch));
    numbers.push(batch.batch);
  }
  const found = async (filter: Partial<Parameters<typeof records.ledger>[0]>): Promise<number[]> =>
    (await records.ledger({ limit: 10, ...filter })).map((entry) => numbers.indexOf(entry.batch));
  scene.expect(await found({})).toEqual([2, 1, 0]);
  scene.expect(await found({ limit: 2 })).toEqual([2, 1]);
  scene.expect(await found({ pipeline: "p" })).toEqual([1, 0]);
  scene.expect(await found({ run: "run-2" })).toEqual([2, 1]);
  scene.expect(await found({ source: "run-2.csv", pipeline: "p" })).toEqual([1]);
  scene.expect([await found({ table: "t" }), await found({ table: "another" })]).toEqual([[2, 1, 0], []]);
  scene.expect(await found({ batch: numbers[0] ?? -1n })).toEqual([0]);
}

async function listsCheckpoints(scene: SinkScene): Promise<void> {
  const { sink } = scene;
  await sink.claim("p", "one", "a.csv", zero);
  await sink.claim("p", "two", "b.csv", zero);
  await sink.claim("p", "three", "b.csv", zero);
  await sink.claim("q", "four", "b.csv", zero);
  const lanes = async (pipeline: string, source?: string): Promise<string[]> =>
    (await sink.records.checkpoints(pipeline, source)).map((one) => one.lane).toSorted();
  scene.expect(await lanes("p")).toEqual(["one", "three", "two"]);
  scene.expect(await lanes("p", "b.csv")).toEqual(["three", "two"]);
  scene.expect(await lanes("r")).toEqual([]);
}

async function reservesBatches(scene: SinkScene): Promise<void> {
  const sinks = [scene.sink, await scene.other()];
  const asked = [1, 3, 0, 7, 2, 5, 1, 9];
  const reserved = await Promise.all(asked.map((count, n) => (sinks[n % 2] ?? scene.sink).reserveBatches(count)));
  const numbers = reserved.flat();
  scene.expect(reserved.map((some) => some.length)).toEqual(asked);
  scene.expect(new Set(numbers).size).toEqual(numbers.length);
  scene.expect(numbers.every((number) => number >= 0n && number < 2n ** 39n)).toEqual(true);
}

async function keepsDefinitions(scene: SinkScene): Promise<void> {
  const { sink } = scene;
  const definition = { contract: { table: "t\"'", columns: {} }, steps: [{ kind: "sql", sql: "select '\\n'\n🦀" }] };
  await sink.define("p", "v1", definition);
  await sink.define("p", "v1", definition);
  await sink.define("p", "v2", { steps: [] });
  const other = (await scene.other()).records;
  scene.expect(await other.definition("p", "v1")).toEqual(definition);
  scene.expect(await other.definition("p", "v2")).toEqual({ steps: [] });
  scene.expect([await other.definition("p", "v3"), await other.definition("q", "v1")]).toEqual([undefined, undefined]);
}

const named = (...ids: readonly number[]) => ids.map((id) => ({ id, name: `message ${id}` }));

async function namesRepeated(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  const claim = await claimLane(scene.sink);
  await load(scene, target, { claim, rows: named(1, 2), rejects: [makeReject(2)], messageIds: ["a", "b'\"", "c"] });
  const next = { ...claim, position: positionAt(3) };
  const repeat = { claim: next, rows: named(4, 5, 6), messageIds: ["d", "c", "b'\""] };
  const error = await errorOf(load(scene, target, repeat));
  const ids = error instanceof RepeatedMessages ? error.ids.toSorted() : String(error);
  scene.expect(ids).toEqual(["b'\"", "c"]);
  const before = { rows: named(1, 2), rejects: 1, batches: 1, position: positionAt(3) };
  scene.expect(await look(scene, target)).toEqual(before);
  await load(scene, target, { claim: next, rows: named(4), messageIds: ["d"] });
  const after = { rows: named(1, 2, 4), rejects: 1, batches: 2, position: positionAt(4) };
  scene.expect(await look(scene, target)).toEqual(after);
}

async function namesTwins(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  const claim = await claimLane(scene.sink);
  const twins = { claim, rows: named(1, 2, 3, 4, 5), messageIds: ["a", "b", "a", "c", "a"] };
  const error = await errorOf(load(scene, target, twins));
  const said = error instanceof RepeatedMessages ? { ids: error.ids, where: error.where } : String(error);
  scene.expect(said).toEqual({ ids: ["a"], where: "batch" });
  scene.expect(await look(scene, target)).toEqual({ rows: [], rejects: 0, batches: 0, position: zero });
  // As the runner does it: the first record of the id stays.
  await load(scene, target, { claim, rows: named(1, 2, 4), messageIds: ["a", "b", "c"] });
  scene.expect((await look(scene, target)).rows).toEqual(named(1, 2, 4));
}

async function forgetsMessages(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  const claim = await claimLane(scene.sink);
  const unit = await scene.sink.begin(target);
  await unit.write(await makeBatch(scene, target, { claim, rows: named(1), messageIds: ["a"] }));
  await unit.rollback();
  scene.expect(await codeOf(load(scene, target, { claim, rows: named(1), messageIds: ["a"] }))).toEqual("no error");
  // Another pipeline sees the same messages for the first time.
  const another = makeTarget({ pipeline: "another" });
  await scene.sink.prepare(another);
  const second = await claimLane(scene.sink, "lane", "another");
  scene
    .expect(await codeOf(load(scene, another, { claim: second, rows: named(2), messageIds: ["a"] })))
    .toEqual("no error");
}

const withLineage: readonly SinkColumn[] = [...idAndName, { name: "_millrace", type: "bigint", nullable: true }];

async function findsLineage(scene: SinkScene): Promise<void> {
  const { sink, expect } = scene;
  const target = makeTarget({ lineage: true });
  await sink.prepare(target);
  const claim = await claimLane(sink);
  const [batch = 0n] = await sink.reserveBatches(1);
  const rows = named(1, 2, 3).map((row, n) => ({ ...row, _millrace: encodeLineage(batch, n) }));
  const twin = { id: 3, name: "twin", _millrace: encodeLineage(batch, 3) };
  await load(scene, target, { claim, batch, columns: withLineage, rows: [...rows, twin] });
  const { records } = await scene.other();
  expect(await records.lineageOf("t", { id: "2" })).toEqual([encodeLineage(batch, 1)]);
  expect((await records.lineageOf("t", { id: "3" })).length).toEqual(2);
  expect(await records.lineageOf("t", { id: "2", name: "message 2" })).toEqual([encodeLineage(batch, 1)]);
  expect(await records.lineageOf("t", { id: "99" })).toEqual([]);
  const from = encodeLineage(batch, 1);
  const found = await records.rowsByLineage("t", from, encodeLineage(batch, 2), 10);
  const ids = found.map((row) => row["id"]).toSorted((a, b) => Number(a) - Number(b));
  expect(ids).toEqual([2, 3]);
  expect((await records.rowsByLineage("t", 0n, 2n ** 63n - 1n, 3)).length).toEqual(3);
}

async function knowsNoLineage(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  await load(scene, target, { claim: await claimLane(scene.sink), rows: named(1, 1) });
  const { records } = scene.sink;
  scene.expect(await records.lineageOf("t", { id: "1" })).toEqual([undefined, undefined]);
  scene.expect(await records.rowsByLineage("t", 0n, 2n ** 62n, 10)).toEqual([]);
}

/** A place may itself be missing, which is then an error with a code; what Millrace keeps in it is only empty. */
async function readsOnly(scene: SinkScene): Promise<void> {
  const { place, sink, expect } = scene;
  const early = await place.other();
  const failure = await errorOf(early.open("read"));
  if (failure === undefined) expect(await countKept(early)).toEqual([0, 0, 0]);
  else expect(early.explain(failure) instanceof MillraceError).toEqual(true);
  await early.close();
  await sink.open();
  const target = makeTarget({ table: "queried" });
  expect((await sink.prepare(target)).created).toEqual(true);
  await load(scene, target, { claim: await claimLane(sink), rows: named(1, 2), rejects: [makeReject(2)] });
  const reader = await place.other();
  await reader.open("read");
  const ids: unknown[] = [];
  for await (const rows of reader.query("select id from queried order by id"))
    ids.push(...rows.map((row) => row["id"]));
  expect({ ids, kept: await countKept(reader) }).toEqual({ ids: [1, 2], kept: [1, 1, 1] });
  await reader.close();
}

async function countKept({ records }: Sink): Promise<number[]> {
  const kept = [
    await records.rejects({ limit: 9 }),
    await records.ledger({ limit: 9 }),
    await records.checkpoints("p"),
  ];
  return kept.map((some) => some.length);
}

async function readsByQuery(scene: SinkScene): Promise<void> {
  const target = makeTarget({ table: "queried" });
  await scene.sink.prepare(target);
  await load(scene, target, { claim: await claimLane(scene.sink), rows: named(1, 2) });
  const names: unknown[] = [];
  for await (const rows of scene.sink.query("select name from queried where id > 1")) {
    names.push(...rows.map((row) => row["name"]));
  }
  scene.expect(names).toEqual(["message 2"]);
  const asked: unknown[] = [];
  const hostile = "x'; drop table queried; --";
  for (const name of ["message 1", hostile]) {
    const sql = "select id from queried where name = cast($1 as varchar(99)) and id < cast($2 as integer)";
    for await (const rows of scene.sink.query(sql, [name, 2])) asked.push(...rows.map((row) => row["id"]));
  }
  scene.expect(asked).toEqual([1]);
  const failing = scene.sink.query("select nothing from nowhere")[Symbol.asyncIterator]();
  const error = await errorOf(failing.next());
  const explained = await codeOf(Promise.reject(scene.sink.explain(error)));
  scene.expect({ code: explained, kind: scene.sink.classify(error) }).toEqual({ code: "SINK_REFUSED", kind: "stop" });
}
