import { MillraceError } from "../core/error.ts";
import type { Sink, Target } from "../ports/sink.ts";
import {
  claimLane,
  errorOf,
  loadPatiently,
  makeTarget,
  positionAt,
  rowsOf,
  type SinkBehaviour,
  type SinkScene,
} from "./sink-scene.ts";

/** Several lanes and several processes at once. */
export const contentionBehaviours: readonly SinkBehaviour[] = [
  { name: "commits lanes side by side", run: commitsSideBySide },
  { name: "lets one of two claimers commit a position, fifty times", run: racesFiftyTimes },
];

const laneCount = 4;
const batchCount = 5;

async function commitsSideBySide(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  const other = await scene.other();
  const lanes = Array.from({ length: laneCount }, async (_, lane) => {
    const sink = lane % 2 === 0 ? scene.sink : other;
    const claim = await claimLane(sink, `lane ${lane}`);
    for (let n = 0; n < batchCount; n += 1) {
      const rows = [{ id: lane * 100 + n, name: `lane ${lane}` }];
      await loadPatiently(scene, sink, target, { claim: { ...claim, position: positionAt(n) }, rows });
    }
  });
  await Promise.all(lanes);
  const ids = (await rowsOf(scene, target)).map((row) => Number(row["id"])).toSorted((a, b) => a - b);
  const expected = Array.from(
    { length: laneCount * batchCount },
    (_, n) => Math.floor(n / batchCount) * 100 + (n % batchCount),
  );
  scene.expect(ids).toEqual(expected);
  const positions = (await scene.sink.records.checkpoints("p")).map((one) => one.position);
  scene.expect(positions).toEqual(Array.from({ length: laneCount }, () => positionAt(batchCount)));
}

async function racesFiftyTimes(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  await scene.sink.prepare(target);
  const other = await scene.other();
  for (let n = 0; n < 50; n += 1) {
    const lane = `lane ${n}`;
    // By turns one has a start over the other, so that claims fall before, into and after the other's unit.
    const second = n % 3 === 0 ? claimAndLoad(scene, other, target, lane) : undefined;
    const first = claimAndLoad(scene, scene.sink, target, lane);
    if (n % 3 === 1) await scene.sink.checkpoint("p", lane);
    const outcomes = await Promise.all([first, second ?? claimAndLoad(scene, other, target, lane)]);
    const committed = outcomes.filter((outcome) => outcome === "committed").length;
    const left = await other.checkpoint("p", lane);
    scene
      .expect({ lane, committed, position: left?.position })
      .toEqual({ lane, committed: 1, position: positionAt(1) });
  }
  scene.expect((await rowsOf(scene, target)).length).toEqual(50);
  const ledger = await scene.sink.records.ledger({ pipeline: "p", limit: 100 });
  scene.expect(ledger.length).toEqual(50);
}

/** A process that finds the file: claims it, and loads its one record unless the position says it is loaded. */
async function claimAndLoad(scene: SinkScene, sink: Sink, target: Target, lane: string): Promise<string> {
  const claim = await claimLane(sink, lane);
  if (claim.position.row > 0) return "loaded by the other";
  const failure = await errorOf(loadPatiently(scene, sink, target, { claim, rows: [{ id: 1, name: lane }] }));
  if (failure === undefined) return "committed";
  if (failure instanceof MillraceError && failure.code === "FENCED") return "fenced";
  throw failure;
}
