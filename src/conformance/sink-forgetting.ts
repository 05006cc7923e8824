import type { Claim } from "../core/checkpoint.ts";
import { RepeatedMessages, type Target } from "../ports/sink.ts";
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
} from "./sink-scene.ts";

/** An epoch is never used twice: not even when the table, or the rows that a lane's position was about, are gone. */
export const forgettingBehaviours: readonly SinkBehaviour[] = [
  { name: "fences a zombie from before the table was created anew", run: fencesAfterCreation },
  { name: "fences a zombie from before a replace", run: fencesAfterReplace },
  { name: "forgets message ids together with the rows that they came with", run: forgetsWithRows },
  { name: "forgets message ids and lanes by their age, of one pipeline and source", run: forgetsByAge },
  { name: "goes on counting epochs however often a lane is forgotten", run: neverRepeatsEpoch },
];

const rows = [
  { id: 1, name: "a" },
  { id: 2, name: null },
];
const definition = { steps: [] };

/** A lane with a batch committed, and its owner, who will sleep for long. */
async function withZombie(scene: SinkScene, target: Target): Promise<Claim> {
  const { sink } = scene;
  await sink.prepare(target);
  await sink.define("p", "v1", definition);
  const claim = await claimLane(sink, "old");
  await load(scene, target, { claim, rows });
  return { ...claim, position: positionAt(2) };
}

/** The zombie wakes, before the forgotten lane is claimed and after it, and nothing comes of it. */
async function wakes(scene: SinkScene, target: Target, zombie: Claim): Promise<void> {
  const { sink, expect } = scene;
  const before = await look(scene, target, "old");
  const work = async (): Promise<string> => {
    const plan = { claim: zombie, rows: [{ id: 7, name: "late" }], rejects: [makeReject(1)] };
    return codeOf(load(scene, target, plan));
  };
  const unclaimed = await work();
  const listed = (await sink.records.checkpoints("p")).filter(({ lane }) => lane === "old");
  expect({ unclaimed, listed, position: before.position }).toEqual({
    unclaimed: "FENCED",
    listed: [],
    position: undefined,
  });
  const initial = { row: 0, byte: 17 };
  const claim = await (await scene.other()).claim("p", "old", "renamed.csv", initial);
  expect({ claimed: await work() }).toEqual({ claimed: "FENCED" });
  expect(await look(scene, target, "old")).toEqual({ ...before, position: initial });
  const { epoch, ...more } = claim;
  expect(more).toEqual({ pipeline: "p", lane: "old", source: "renamed.csv", position: initial, resumed: false });
  expect(epoch > zombie.epoch).toEqual(true);
  expect(await sink.records.definition("p", "v1")).toEqual(definition);
  // The new owner has the lane to itself.
  expect(await codeOf(load(scene, target, { claim, rows: [{ id: 3, name: "new" }] }))).toEqual("no error");
}

async function fencesAfterCreation(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  const zombie = await withZombie(scene, target);
  await scene.place.dropTable("t");
  scene.expect((await scene.sink.prepare(target)).created).toEqual(true);
  await wakes(scene, target, zombie);
}

async function replaceBy(scene: SinkScene, target: Target, lane: string): Promise<void> {
  const batch = await makeBatch(scene, target, { claim: await claimLane(scene.sink, lane), rows });
  await inUnit(scene.sink, target, (unit) => unit.write(batch), { replace: true });
}

async function fencesAfterReplace(scene: SinkScene): Promise<void> {
  const target = makeTarget({ mode: "replace" });
  const zombie = await withZombie(scene, target);
  await replaceBy(scene, target, "new");
  await wakes(scene, target, zombie);
}

async function forgetsWithRows(scene: SinkScene): Promise<void> {
  const target = makeTarget({ mode: "replace" });
  const messageIds = ["a", "b"];
  const zombie = await withZombie(scene, target);
  await load(scene, target, { claim: zombie, rows, messageIds });
  const batch = await makeBatch(scene, target, { claim: await claimLane(scene.sink, "new"), rows, messageIds });
  await inUnit(scene.sink, target, (unit) => unit.write(batch), { replace: true });
  scene.expect((await look(scene, target)).rows).toEqual(rows);
  await scene.place.dropTable("t");
  await scene.sink.prepare(target);
  const claim = await claimLane(scene.sink, "new");
  await load(scene, target, { claim, rows, messageIds });
  scene.expect((await look(scene, target)).rows).toEqual(rows);
  const next = { ...claim, position: positionAt(2) };
  const repeated = await errorOf(load(scene, target, { claim: next, rows, messageIds }));
  scene.expect(repeated instanceof RepeatedMessages).toEqual(true);
}

async function forgetsByAge(scene: SinkScene): Promise<void> {
  const { sink, expect } = scene;
  const [target, other] = [makeTarget(), makeTarget({ pipeline: "q", table: "u" })];
  await sink.prepare(target);
  await sink.prepare(other);
  await sink.define("p", "v1", definition);
  const old = await sink.claim("p", "one", "queue", positionAt(0));
  const file = await sink.claim("p", "two", "a.csv", positionAt(0));
  const another = await sink.claim("q", "one", "queue", positionAt(0));
  await load(scene, target, { claim: old, rows, messageIds: ["a", "b"] });
  await load(scene, other, { claim: another, rows, messageIds: ["a"] });
  expect(await sink.trim("p", "queue", 3_600_000)).toEqual(0);
  const repeats = { claim: file, rows, messageIds: ["a", "c"] };
  expect((await errorOf(load(scene, target, repeats))) instanceof RepeatedMessages).toEqual(true);
  expect([await sink.trim("p", "queue", 0), await sink.trim("p", "queue", 0)]).toEqual([2, 0]);
  const lanes = async (pipeline: string) => (await sink.records.checkpoints(pipeline)).map(({ lane }) => lane);
  expect([await lanes("p"), await lanes("q")]).toEqual([["two"], ["one"]]);
  expect(await codeOf(load(scene, target, { claim: { ...old, position: positionAt(2) }, rows }))).toEqual("FENCED");
  await load(scene, target, repeats);
  const next = { claim: { ...another, position: positionAt(2) }, rows, messageIds: ["a"] };
  expect((await errorOf(load(scene, other, next))) instanceof RepeatedMessages).toEqual(true);
  expect(await sink.records.definition("p", "v1")).toEqual(definition);
}

async function neverRepeatsEpoch(scene: SinkScene): Promise<void> {
  const target = makeTarget({ mode: "replace" });
  await scene.sink.prepare(target);
  const epochs: number[] = [];
  for (let n = 0; n < 4; n += 1) {
    const claim = await claimLane(scene.sink, "old");
    scene.expect(claim.resumed).toEqual(false);
    epochs.push(claim.epoch);
    // Forgotten twice over: the second time it is nobody's.
    await replaceBy(scene, target, "new");
    await replaceBy(scene, target, "newer");
  }
  scene.expect(epochs).toEqual([...new Set(epochs)].toSorted((a, b) => a - b));
}
