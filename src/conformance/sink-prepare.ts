import { MillraceError } from "../core/error.ts";
import { modes } from "../core/pipeline.ts";
import type { SinkColumn } from "../ports/rows.ts";
import {
  claimLane,
  codeOf,
  errorOf,
  idAndName,
  load,
  makeKeyedTarget,
  makeTarget,
  positionAt,
  type SinkBehaviour,
  type SinkScene,
  zero,
} from "./sink-scene.ts";

/** Opening, and the target table before the first batch. */
export const prepareBehaviours: readonly SinkBehaviour[] = [
  { name: "opens from several sinks at once, and again", unopened: true, run: opensAtOnce },
  { name: "shows the DDL before it is opened", unopened: true, run: showsDdl },
  { name: "creates a missing table and says so once", run: createsOnce },
  { name: "accepts a table that fits", run: acceptsFitting },
  { name: "refuses a table that does not fit and names every column", run: refusesUnfit },
  { name: "refuses a mode that it does not have", run: refusesMissingMode },
  { name: "forgets the positions of a table that is created anew", run: forgetsPositions },
  { name: "says whether the table has lineage", run: saysLineage },
];

async function opensAtOnce(scene: SinkScene): Promise<void> {
  const { place, sink, expect } = scene;
  const more = [await place.other(), await place.other(), await place.other()];
  await Promise.all([sink, ...more].map((one) => one.open()));
  await sink.open();
  const epochs: number[] = [];
  for (const one of [sink, ...more]) epochs.push((await claimLane(one)).epoch);
  expect(epochs).toEqual([1, 2, 3, 4]);
  for (const one of more) await one.close();
}

async function showsDdl(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  const ddl = scene.sink.ddl(target);
  await scene.sink.open();
  const prepared = await scene.sink.prepare(target);
  scene.expect({ ddl: prepared.ddl, isText: ddl.length > 0 }).toEqual({ ddl, isText: true });
}

async function createsOnce(scene: SinkScene): Promise<void> {
  const target = makeTarget();
  const first = await scene.sink.prepare(target);
  const second = await scene.sink.prepare(target);
  const third = await (await scene.other()).prepare(target);
  scene.expect([first.created, second.created, third.created]).toEqual([true, false, false]);
}

async function acceptsFitting(scene: SinkScene): Promise<void> {
  await scene.sink.prepare(makeTarget());
  const reversed = makeTarget({ pipeline: "another", columns: idAndName.toReversed() });
  const prepared = await scene.sink.prepare(reversed);
  await load(scene, reversed, {
    claim: await claimLane(scene.sink, "lane", "another"),
    rows: [{ name: "in another order", id: 1 }],
  });
  scene.expect(prepared.created).toEqual(false);
  scene.expect(await scene.place.readTable("t")).toEqual([{ id: 1, name: "in another order" }]);
}

async function refusesUnfit(scene: SinkScene): Promise<void> {
  const there: readonly SinkColumn[] = [
    { name: "id", type: "integer" },
    { name: "required and surplus", type: "text" },
    { name: "other type", type: "date" },
  ];
  await scene.sink.prepare(makeTarget({ columns: there }));
  const wanted: readonly SinkColumn[] = [
    { name: "id", type: "integer" },
    { name: "missing there", type: "text", nullable: true },
    { name: "other type", type: "boolean" },
  ];
  const error = await errorOf(scene.sink.prepare(makeTarget({ pipeline: "another", columns: wanted })));
  const code = error instanceof MillraceError ? error.code : String(error);
  const unnamed = ["missing there", "required and surplus", "other type"].filter(
    (name) => !String(error).includes(name),
  );
  scene.expect({ code, unnamed }).toEqual({ code: "TABLE_MISMATCH", unnamed: [] });
  scene.expect(String(error).includes('"id"')).toEqual(false);
}

async function refusesMissingMode(scene: SinkScene): Promise<void> {
  for (const mode of modes) {
    const work = scene.sink.prepare(makeKeyedTarget({ table: `t_${mode}`, mode }));
    const refused = (await errorOf(work)) instanceof MillraceError;
    scene.expect({ mode, refused }).toEqual({ mode, refused: !scene.sink.facts.modes.includes(mode) });
  }
}

async function forgetsPositions(scene: SinkScene): Promise<void> {
  const { sink, place, expect } = scene;
  const target = makeTarget();
  const kept = makeTarget({ pipeline: "of another table", table: "kept" });
  for (const one of [target, kept]) {
    await sink.prepare(one);
    await load(scene, one, { claim: await claimLane(sink, "lane", one.pipeline), rows: [{ id: 1, name: "a" }] });
  }
  await place.dropTable("t");
  const prepared = await sink.prepare(target);
  const claim = await claimLane(sink);
  const other = await sink.checkpoint(kept.pipeline, "lane");
  expect({ created: prepared.created, position: claim.position, resumed: claim.resumed }).toEqual({
    created: true,
    position: zero,
    resumed: false,
  });
  expect(other?.position).toEqual(positionAt(1));
}

async function saysLineage(scene: SinkScene): Promise<void> {
  const said = async (table: string, lineage: boolean): Promise<boolean> =>
    (await scene.sink.prepare(makeTarget({ table, lineage }))).lineage;
  scene
    .expect([await said("with", true), await said("with", true), await said("with", false)])
    .toEqual([true, true, false]);
  scene.expect([await said("without", false), await said("without", true)]).toEqual([false, false]);
  scene.expect(await codeOf(scene.sink.prepare(makeTarget({ table: "with" })))).toEqual("no error");
}
