import type { Position } from "../core/checkpoint.ts";
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
  type SinkBehaviour,
  type SinkScene,
  zero,
} from "./sink-scene.ts";

/** The fence: claims, epochs, and what becomes of a unit whose lane was taken. */
export const claimBehaviours: readonly SinkBehaviour[] = [
  { name: "gives a new lane its initial position", run: givesInitial },
  { name: "raises the epoch and gives the committed position", run: raisesEpoch },
  { name: "gives every one of many claimers an epoch of its own", run: givesDistinctEpochs },
  { name: "keeps the position when the place is opened again", run: survivesReopening },
  { name: "keeps the lanes and the pipelines apart", run: keepsApart },
  { name: "refuses a fenced unit and leaves nothing of it", run: refusesFenced },
  { name: "gives a claimer the truth about a unit that was open", run: givesTruth },
];

const rows = [
  { id: 1, name: "a" },
  { id: 2, name: null },
];

async function givesInitial(scene: SinkScene): Promise<void> {
  const initial: Position = { row: 0, byte: 17, nested: { list: [1, "two", null, true] } };
  const before = await scene.sink.checkpoint("p", "lane");
  const claim = await scene.sink.claim("p", "lane", "a file.csv", initial);
  const expected = { pipeline: "p", lane: "lane", source: "a file.csv", epoch: 1, position: initial };
  scene.expect(before).toEqual(undefined);
  scene.expect(claim).toEqual({ ...expected, resumed: false });
  scene.expect(await (await scene.other()).checkpoint("p", "lane")).toEqual(expected);
}

async function raisesEpoch(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  await load(scene, target, { claim: await claimLane(scene.sink), rows });
  const claim = await claimLane(await scene.other());
  scene.expect(claim).toEqual({
    pipeline: "p",
    lane: "lane",
    source: "lane.csv",
    epoch: 2,
    position: positionAt(2),
    resumed: true,
  });
}

async function givesDistinctEpochs(scene: SinkScene): Promise<void> {
  const sinks = [scene.sink, await scene.other(), await scene.other()];
  const claims = await Promise.all([...sinks, ...sinks].map((sink) => claimLane(sink)));
  const epochs = claims.map((claim) => claim.epoch).toSorted((a, b) => a - b);
  const fresh = claims.filter((claim) => !claim.resumed).map((claim) => claim.epoch);
  scene.expect({ epochs, fresh }).toEqual({ epochs: [1, 2, 3, 4, 5, 6], fresh: [1] });
}

async function survivesReopening(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  await load(scene, target, { claim: await claimLane(scene.sink), rows, rejects: [makeReject(2)] });
  await scene.sink.close();
  const again = await scene.other();
  const prepared = await again.prepare(target);
  const claim = await claimLane(again);
  scene.expect(prepared.created).toEqual(false);
  scene.expect({ epoch: claim.epoch, position: claim.position }).toEqual({ epoch: 2, position: positionAt(3) });
  scene.expect(await look(scene, target)).toEqual({ rows, rejects: 1, batches: 1, position: positionAt(3) });
}

async function keepsApart(scene: SinkScene): Promise<void> {
  const { sink, expect } = scene;
  const target = makeTarget();
  await sink.prepare(target);
  const claim = await claimLane(sink, "a");
  await claimLane(sink, "b");
  await claimLane(sink, "a", "another");
  await load(scene, target, { claim, rows });
  const positions = [
    await sink.checkpoint("p", "a"),
    await sink.checkpoint("p", "b"),
    await sink.checkpoint("another", "a"),
  ];
  expect(positions.map((one) => [one?.epoch, one?.position])).toEqual([
    [1, positionAt(2)],
    [1, zero],
    [1, zero],
  ]);
}

async function refusesFenced(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  const dead = await claimLane(scene.sink);
  const owner = await claimLane(await scene.other());
  const batch = await makeBatch(scene, target, {
    claim: dead,
    rows,
    rejects: [makeReject(2)],
    messageIds: ["a", "b", "c"],
  });
  const work = inUnit(scene.sink, target, (unit) => unit.write(batch));
  scene.expect(await codeOf(work)).toEqual("FENCED");
  scene.expect(await look(scene, target)).toEqual({ rows: [], rejects: 0, batches: 0, position: zero });
  await load(scene, target, { claim: owner, rows, messageIds: ["a", "b"] });
  scene.expect(await look(scene, target)).toEqual({ rows, rejects: 0, batches: 1, position: positionAt(2) });
}

/**
 * A unit is written, then the lane is claimed. Whether the claim waits for the unit or fences it is the sink's choice;
 * the position that it gives must be the one that remains.
 */
async function givesTruth(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  const batch = await makeBatch(scene, target, { claim: await claimLane(scene.sink), rows });
  const other = await scene.other();
  const unit = await scene.sink.begin(target);
  await unit.write(batch);
  const claiming = claimLane(other);
  const failure = await errorOf(unit.commit());
  await unit.rollback();
  const claim = await claiming;
  const position = failure === undefined ? positionAt(2) : zero;
  scene
    .expect(failure === undefined ? "no error" : await codeOf(Promise.reject(scene.sink.explain(failure))))
    .toEqual(failure === undefined ? "no error" : "FENCED");
  scene.expect({ position: claim.position, epoch: claim.epoch }).toEqual({ position, epoch: 2 });
  const after = await look(scene, target);
  const committed = failure === undefined ? rows : [];
  scene.expect(after).toEqual({ rows: committed, rejects: 0, batches: committed.length / 2, position });
}
