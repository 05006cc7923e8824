import type { Rows } from "../ports/rows.ts";
import { RepeatedMessages } from "../ports/sink.ts";
import {
  claimLane,
  codeOf,
  errorOf,
  inUnit,
  load,
  look,
  makeBatch,
  makeReject,
  makeTarget,
  positionAt,
  rowsOf,
  type SinkBehaviour,
  type SinkScene,
  type Visible,
  zero,
} from "./sink-scene.ts";

/** One transaction: rows, rejects, ledger and position together, or none of them. */
export const unitBehaviours: readonly SinkBehaviour[] = [
  { name: "commits rows, rejects, ledger and position together, and nothing before", run: commitsTogether },
  { name: "rolls back everything", run: rollsBack },
  { name: "rolls back again and after commit without effect", run: rollsBackTwice },
  { name: "commits nothing of a unit that has thrown", run: commitsNothingAfterError },
  { name: "refuses a batch that does not balance", run: refusesUnbalanced },
  { name: "commits many batches in one unit", run: commitsManyBatches },
  { name: "commits lane after lane in one unit", run: commitsManyLanes },
  { name: "commits a batch of rejects only", run: commitsRejectsOnly },
  { name: "commits a batch that was filtered whole", run: commitsFilteredOnly },
  { name: "commits a batch without records", run: commitsNoRecords },
  { name: "keeps everything but the rows where these lie elsewhere, if it says that it can", run: keepsForElsewhere },
  { name: "rolls back the units that are open when it is closed", run: closesOpenUnits },
];

const rows = [
  { id: 1, name: "a" },
  { id: 2, name: "b" },
];
const nothing: Visible = { rows: [], rejects: 0, batches: 0, position: zero };

async function prepared(scene: SinkScene) {
  const target = makeTarget();
  await scene.sink.prepare(target);
  return { target, claim: await claimLane(scene.sink) };
}

async function commitsTogether(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  const batch = await makeBatch(scene, target, { claim, rows, rejects: [makeReject(2)], filtered: 4 });
  const unit = await scene.sink.begin(target);
  const result = await unit.write(batch);
  scene.expect(await look(scene, target)).toEqual(nothing);
  await unit.commit();
  await unit.rollback();
  scene.expect(result).toEqual({ loaded: 2, merged: 0, rejected: 1, refused: [] });
  scene.expect(await look(scene, target)).toEqual({ rows, rejects: 1, batches: 1, position: positionAt(7) });
}

async function rollsBack(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  const batch = await makeBatch(scene, target, { claim, rows, rejects: [makeReject(2)] });
  const unit = await scene.sink.begin(target);
  await unit.write(batch);
  await unit.rollback();
  scene.expect(await look(scene, target)).toEqual(nothing);
  await load(scene, target, { claim, rows, rejects: [makeReject(2)] });
  scene.expect(await look(scene, target)).toEqual({ rows, rejects: 1, batches: 1, position: positionAt(3) });
}

async function rollsBackTwice(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  const idle = await scene.sink.begin(target);
  await idle.rollback();
  await idle.rollback();
  const unit = await scene.sink.begin(target);
  await unit.write(await makeBatch(scene, target, { claim, rows }));
  await unit.commit();
  await unit.rollback();
  await unit.rollback();
  scene.expect(await look(scene, target)).toEqual({ rows, rejects: 0, batches: 1, position: positionAt(2) });
}

async function commitsNothingAfterError(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  const good = await makeBatch(scene, target, { claim, rows });
  const next = { ...claim, position: positionAt(2) };
  const bad = await makeBatch(scene, target, { claim: next, rows, read: 9 });
  const unit = await scene.sink.begin(target);
  await unit.write(good);
  scene.expect(await codeOf(unit.write(bad))).toEqual("NOT_BALANCED");
  // Whether commit says so or not: nothing may come of it.
  const failure = await errorOf(unit.commit());
  await unit.rollback();
  const seen = { failed: failure !== undefined, visible: await look(scene, target) };
  scene.expect(seen).toEqual({ failed: true, visible: nothing });
}

async function refusesUnbalanced(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  for (const read of [3, 5]) {
    const plan = { claim, rows, rejects: [makeReject(2)], filtered: 1, read };
    const code = await codeOf(load(scene, target, plan));
    scene.expect({ read, code }).toEqual({ read, code: "NOT_BALANCED" });
  }
  scene.expect(await look(scene, target)).toEqual(nothing);
}

async function commitsManyBatches(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  const count = 5;
  const result = await inUnit(scene.sink, target, async (unit) => {
    for (let n = 0; n < count; n += 1) {
      const position = positionAt(n * 3);
      const plan = { claim: { ...claim, position }, rejects: [makeReject(2)] };
      await unit.write(
        await makeBatch(scene, target, {
          ...plan,
          rows: [
            { id: n, name: "x" },
            { id: n, name: "y" },
          ],
        }),
      );
    }
    return look(scene, target);
  });
  scene.expect(result).toEqual(nothing);
  const after = await look(scene, target);
  scene.expect({ ...after, rows: after.rows.length }).toEqual({
    rows: 2 * count,
    rejects: count,
    batches: count,
    position: positionAt(3 * count),
  });
}

async function commitsManyLanes(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  const second = await claimLane(scene.sink, "second");
  await inUnit(scene.sink, target, async (unit) => {
    await unit.write(await makeBatch(scene, target, { claim, rows: [{ id: 1, name: "a" }] }));
    await unit.write(await makeBatch(scene, target, { claim: second, rows: [{ id: 2, name: "b" }] }));
  });
  const at = await scene.sink.checkpoint("p", "second");
  scene.expect(await look(scene, target)).toEqual({ rows, rejects: 0, batches: 2, position: positionAt(1) });
  scene.expect(at?.position).toEqual(positionAt(1));
  // A fenced lane takes the others of its unit down with it.
  await claimLane(await scene.other(), "second");
  const work = inUnit(scene.sink, target, async (unit) => {
    await unit.write(await makeBatch(scene, target, { claim: { ...claim, position: positionAt(1) }, rows }));
    await unit.write(await makeBatch(scene, target, { claim: { ...second, position: positionAt(1) }, rows }));
  });
  scene.expect(await codeOf(work)).toEqual("FENCED");
  scene.expect(await look(scene, target)).toEqual({ rows, rejects: 0, batches: 2, position: positionAt(1) });
}

async function commitsRejectsOnly(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  const result = await load(scene, target, { claim, rejects: [makeReject(0), makeReject(1)] });
  scene.expect(result).toEqual({ loaded: 0, merged: 0, rejected: 2, refused: [] });
  scene.expect(await look(scene, target)).toEqual({ rows: [], rejects: 2, batches: 1, position: positionAt(2) });
}

async function commitsFilteredOnly(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  const result = await load(scene, target, { claim, filtered: 6 });
  scene.expect(result).toEqual({ loaded: 0, merged: 0, rejected: 0, refused: [] });
  scene.expect(await look(scene, target)).toEqual({ rows: [], rejects: 0, batches: 1, position: positionAt(6) });
}

/** Such as a log whose last record says only that it ends: the position moves, the ledger says 0 = 0. */
async function commitsNoRecords(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  const end = { row: 0, byte: 99 };
  await load(scene, target, { claim, end });
  const after = await look(scene, target);
  scene.expect({ rows: after.rows, position: after.position }).toEqual({ rows: [], position: end });
  scene.expect(await rowsOf(scene, target)).toEqual([]);
}

/** Such as in a log: there is no table, and the rows, which nobody could read any more, count as loaded. */
async function keepsForElsewhere(scene: SinkScene): Promise<void> {
  const { sink, expect } = scene;
  if (sink.facts.elsewhere !== true) return;
  const target = makeTarget({ table: "log:there", elsewhere: true });
  expect(await sink.prepare(target)).toEqual({ created: false, lineage: false, ddl: "" });
  const claim = await claimLane(sink);
  const unit = await sink.begin(target);
  for (const start of [0, 7]) {
    const plan = { claim: { ...claim, position: positionAt(start) }, rows, rejects: [makeReject(2)], filtered: 4 };
    const batch = await makeBatch(scene, target, { ...plan, messageIds: [`a${start}`, `b${start}`] });
    const result = await unit.write({ ...batch, rows: unreadable(batch.rows) });
    expect(result).toEqual({ loaded: 2, merged: 0, rejected: 1, refused: [] });
  }
  await unit.commit();
  const { records } = await scene.other();
  const ledger = await records.ledger({ pipeline: "p", limit: 10 });
  const shown = ledger.map(({ table, read, loaded, filtered, rejected }) => [table, read, loaded, filtered, rejected]);
  expect(shown).toEqual([
    ["log:there", 7, 2, 4, 1],
    ["log:there", 7, 2, 4, 1],
  ]);
  expect((await sink.checkpoint("p", "lane"))?.position).toEqual(positionAt(14));
  const again = { claim: { ...claim, position: positionAt(14) }, rows, messageIds: ["a0", "c"] };
  const repeated = await errorOf(load(scene, target, again));
  expect(repeated instanceof RepeatedMessages ? repeated.ids : repeated).toEqual(["a0"]);
  await claimLane(await scene.other());
  expect(await codeOf(load(scene, target, { ...again, messageIds: ["d", "e"] }))).toEqual("FENCED");
}

function unreadable(known: Rows): Rows {
  const read = (): never => {
    throw new Error("rows that lie elsewhere were read");
  };
  return { ...known, csv: read, select: read, objects: read, write: read };
}

/** One unit stands, in another a batch is being written: closing waits for neither's owner, and nothing comes of them. */
async function closesOpenUnits(scene: SinkScene): Promise<void> {
  const { target, claim } = await prepared(scene);
  const closing = [await scene.other(), await scene.other()];
  for (const [n, sink] of closing.entries()) {
    const batch = await makeBatch(scene, target, { claim, rows, rejects: [makeReject(2)] });
    const unit = await sink.begin(target);
    const writing = errorOf(unit.write(batch));
    if (n === 0) await writing;
    await sink.close();
    await writing;
    scene.expect((await errorOf(unit.commit())) === undefined).toEqual(false);
    scene.expect(await look(scene, target)).toEqual(nothing);
    await unit.rollback();
  }
  await load(scene, target, { claim, rows });
  scene.expect(await look(scene, target)).toEqual({ rows, rejects: 0, batches: 1, position: positionAt(2) });
}
