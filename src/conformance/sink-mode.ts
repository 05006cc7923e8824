import type { Target } from "../ports/sink.ts";
import {
  claimLane,
  inUnit,
  load,
  look,
  makeBatch,
  makeKeyedTarget,
  makeReject,
  makeTarget,
  positionAt,
  rowsOf,
  type SinkBehaviour,
  type SinkScene,
} from "./sink-scene.ts";

/** How rows meet those that are there: append, merge and replace. */
export const modeBehaviours: readonly SinkBehaviour[] = [
  { name: "append keeps duplicates where there is no key", run: appendKeepsDuplicates },
  { name: "append refuses duplicate keys, row by row", run: appendRefusesDuplicates },
  { name: "append shows the first of many refused rows and keeps all", run: appendRefusesMany },
  { name: "merge inserts, changes and counts both", run: mergeInsertsAndChanges },
  { name: "merge takes the last of equal keys in a batch", run: mergeTakesLast },
  { name: "merge of a key of several columns", run: mergeByCompositeKey },
  { name: "fills a serial column, where it says that it can", run: fillsSerial },
  { name: "replace shows the old rows until commit and then the new ones", run: replaceSwitches },
  { name: "replace rolled back keeps the old rows", run: replaceRolledBack },
  { name: "replace forgets the pipeline's other lanes", run: replaceForgetsLanes },
  { name: "replace by nothing empties the table", run: replaceByNothing },
];

async function start(scene: SinkScene, target: Target) {
  await scene.sink.prepare(target);
  return claimLane(scene.sink);
}

async function appendKeepsDuplicates(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  const claim = await start(scene, target);
  const row = { id: 1, name: "twin" };
  await load(scene, target, { claim, rows: [row, row] });
  await load(scene, target, { claim: { ...claim, position: positionAt(2) }, rows: [row] });
  scene.expect(await rowsOf(scene, target)).toEqual([row, row, row]);
}

async function fillsSerial(scene: SinkScene): Promise<void> {
  if (!scene.sink.facts.serials) return;
  const target: Target = { ...makeKeyedTarget({ mode: "merge" }), serial: "number" };
  const claim = await start(scene, target);
  const named = (...ids: readonly number[]) => ids.map((id) => ({ id, name: `name ${id}` }));
  await load(scene, target, { claim, rows: named(5, 6) });
  const again = { ...claim, position: positionAt(2) };
  const result = await load(scene, target, { claim: again, rows: named(6, 7) });
  scene.expect([result.loaded, result.merged]).toEqual([1, 1]);
  scene.expect((await scene.sink.prepare(target)).created).toEqual(false);
  const numbers: unknown[] = [];
  for await (const rows of scene.sink.query(`select id, number from ${target.table} order by number`)) {
    numbers.push(...rows.map((row) => row["id"]));
    scene.expect(rows.every((row) => Number(row["number"]) > 0)).toEqual(true);
  }
  scene.expect(numbers).toEqual([5, 6, 7]);
}

async function appendRefusesDuplicates(scene: SinkScene): Promise<void> {
  const target = makeKeyedTarget();
  const claim = await start(scene, target);
  await load(scene, target, { claim, rows: [{ id: 3, name: "first" }] });
  const result = await load(scene, target, {
    claim: { ...claim, position: positionAt(1) },
    rejects: [makeReject(4)],
    rows: [
      { id: 3, name: "again" },
      { id: 4, name: "new" },
      { id: 5, name: "five" },
      { id: 5, name: "five again" },
    ],
  });
  const refused = result.refused.map((one) => [one.record, one.reasons[0]?.code]);
  scene.expect({ ...result, refused }).toEqual({
    loaded: 2,
    merged: 0,
    rejected: 3,
    refused: [
      [0, "duplicate"],
      [3, "duplicate"],
    ],
  });
  scene.expect(await look(scene, target)).toEqual({
    rows: [
      { id: 3, name: "first" },
      { id: 4, name: "new" },
      { id: 5, name: "five" },
    ],
    rejects: 3,
    batches: 2,
    position: positionAt(6),
  });
  const kept = await scene.sink.records.rejects({ code: "duplicate", limit: 9 });
  scene.expect(kept.map((one) => Buffer.from(one.bytes).toString())).toEqual(["row 0", "row 3"]);
}

async function appendRefusesMany(scene: SinkScene): Promise<void> {
  const target = makeKeyedTarget();
  const claim = await start(scene, target);
  const rows = Array.from({ length: 300 }, (_, id) => ({ id, name: "there" }));
  await load(scene, target, { claim, rows: rows.filter(({ id }) => id % 3 === 0) });
  const result = await load(scene, target, { claim: { ...claim, position: positionAt(100) }, rows });
  const shown = result.refused.map((one) => one.record);
  scene
    .expect({ ...result, refused: shown })
    .toEqual({ loaded: 200, merged: 0, rejected: 100, refused: [0, 3, 6, 9, 12] });
  scene.expect((await rowsOf(scene, target)).length).toEqual(300);
  const kept = await scene.sink.records.rejects({ pipeline: "p", limit: 1000 });
  scene.expect(kept.map((one) => one.record)).toEqual(Array.from({ length: 100 }, (_, n) => n * 3));
}

async function mergeInsertsAndChanges(scene: SinkScene): Promise<void> {
  const target = makeKeyedTarget({ mode: "merge" });
  const claim = await start(scene, target);
  const first = await load(scene, target, {
    claim,
    rows: [
      { id: 1, name: "one" },
      { id: 2, name: "two" },
      { id: 3, name: "three" },
    ],
  });
  const second = await load(scene, target, {
    claim: { ...claim, position: positionAt(3) },
    rejects: [makeReject(3)],
    rows: [
      { id: 2, name: null },
      { id: 3, name: "three" },
      { id: 4, name: "four" },
    ],
  });
  scene.expect(first).toEqual({ loaded: 3, merged: 0, rejected: 0, refused: [] });
  scene.expect(second).toEqual({ loaded: 1, merged: 2, rejected: 1, refused: [] });
  scene.expect(await rowsOf(scene, target)).toEqual([
    { id: 1, name: "one" },
    { id: 2, name: null },
    { id: 3, name: "three" },
    { id: 4, name: "four" },
  ]);
}

async function mergeTakesLast(scene: SinkScene): Promise<void> {
  const target = makeKeyedTarget({ mode: "merge" });
  const claim = await start(scene, target);
  await load(scene, target, { claim, rows: [{ id: 2, name: "before" }] });
  const result = await load(scene, target, {
    claim: { ...claim, position: positionAt(1) },
    rows: [
      { id: 1, name: "first" },
      { id: 2, name: "first" },
      { id: 1, name: "second" },
      { id: 2, name: "last" },
      { id: 1, name: "last" },
    ],
  });
  scene.expect(result).toEqual({ loaded: 1, merged: 4, rejected: 0, refused: [] });
  scene.expect(await rowsOf(scene, target)).toEqual([
    { id: 1, name: "last" },
    { id: 2, name: "last" },
  ]);
}

async function mergeByCompositeKey(scene: SinkScene): Promise<void> {
  const target = makeTarget({
    mode: "merge",
    key: ["b", "a"],
    columns: [
      { name: "a", type: "text", key: true },
      { name: "b", type: "integer", key: true },
    ],
  });
  const claim = await start(scene, target);
  const rows = [
    { a: "x", b: 1 },
    { a: "x", b: 2 },
    { a: "y", b: 1 },
  ];
  const first = await load(scene, target, { claim, rows });
  const second = await load(scene, target, { claim: { ...claim, position: positionAt(3) }, rows: rows.slice(1) });
  scene.expect([first.loaded, first.merged, second.loaded, second.merged]).toEqual([3, 0, 0, 2]);
  scene.expect(await rowsOf(scene, target)).toEqual(rows);
}

async function withOldRows(scene: SinkScene) {
  const target = makeTarget({ mode: "replace" });
  const old = await start(scene, target);
  const rows = [
    { id: 1, name: "old" },
    { id: 2, name: "old" },
  ];
  await inUnit(scene.sink, target, async (unit) => unit.write(await makeBatch(scene, target, { claim: old, rows })), {
    replace: true,
  });
  return { target, rows, claim: await claimLane(scene.sink, "new") };
}

async function replaceSwitches(scene: SinkScene): Promise<void> {
  const { target, rows, claim } = await withOldRows(scene);
  const during = await inUnit(
    scene.sink,
    target,
    async (unit) => {
      const before = await rowsOf(scene, target);
      await unit.write(await makeBatch(scene, target, { claim, rows: [{ id: 7, name: "new" }] }));
      const next = { ...claim, position: positionAt(1) };
      await unit.write(await makeBatch(scene, target, { claim: next, rows: [{ id: 8, name: "new" }] }));
      return [before, await rowsOf(scene, target)];
    },
    { replace: true },
  );
  scene.expect(during).toEqual([rows, rows]);
  scene.expect(await rowsOf(scene, target)).toEqual([
    { id: 7, name: "new" },
    { id: 8, name: "new" },
  ]);
  scene.expect((await scene.sink.checkpoint("p", "new"))?.position).toEqual(positionAt(2));
}

async function replaceRolledBack(scene: SinkScene): Promise<void> {
  const { target, rows, claim } = await withOldRows(scene);
  const unit = await scene.sink.begin(target, { replace: true });
  await unit.write(await makeBatch(scene, target, { claim, rows: [{ id: 7, name: "new" }] }));
  await unit.rollback();
  scene.expect(await look(scene, target)).toEqual({ rows, rejects: 0, batches: 1, position: positionAt(2) });
}

async function replaceForgetsLanes(scene: SinkScene): Promise<void> {
  const { target, claim } = await withOldRows(scene);
  await claimLane(scene.sink, "lane", "another");
  const rows = [{ id: 7, name: "new" }];
  const options = { replace: true };
  await inUnit(
    scene.sink,
    target,
    async (unit) => unit.write(await makeBatch(scene, target, { claim, rows })),
    options,
  );
  const lanes = await scene.sink.records.checkpoints("p");
  scene.expect(lanes.map((one) => [one.lane, one.epoch, one.position])).toEqual([["new", 1, positionAt(1)]]);
  scene.expect((await scene.sink.records.checkpoints("another")).length).toEqual(1);
}

async function replaceByNothing(scene: SinkScene): Promise<void> {
  const { target, claim } = await withOldRows(scene);
  const options = { replace: true };
  const plan = { claim, rejects: [makeReject(0)] };
  await inUnit(scene.sink, target, async (unit) => unit.write(await makeBatch(scene, target, plan)), options);
  scene.expect(await look(scene, target, "new")).toEqual({ rows: [], rejects: 1, batches: 2, position: positionAt(1) });
}
