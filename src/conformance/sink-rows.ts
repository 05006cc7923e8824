import type { RowCondition, RowKey, RowSelection } from "../core/row-selection.ts";
import type { EngineRow } from "../ports/engine.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { Target, Unit } from "../ports/sink.ts";
import {
  claimLane,
  codeOf,
  inUnit,
  load,
  look,
  makeBatch,
  makeKeyedTarget,
  rowsOf,
  type SinkBehaviour,
  type SinkScene,
} from "./sink-scene.ts";

/** Rows looked at and changed one by one, where a sink says that it can. */
export const rowBehaviours: readonly SinkBehaviour[] = [
  { name: "gives the rows that meet all conditions", run: meets },
  { name: "gives rows in order, nulls last, from any row on", run: orders },
  { name: "counts the rows that meet the conditions", run: counts },
  { name: "takes values and names for what they are", run: injected },
  { name: "shows rows as they stand to the unit that locks them", run: locks },
  { name: "lets nobody change a row that is locked", run: holds },
  { name: "removes rows and accounts for them", run: removes },
  { name: "removes nothing when one of the rows is not there", run: removesNone },
];

/** Looks at a locked row while somebody else wants to change it. */
const looksMax = 40;

const target = makeKeyedTarget({ mode: "merge" });
const people: readonly EngineRow[] = [
  { id: 1, name: "Ada" },
  { id: 2, name: null },
  { id: 3, name: "Bob" },
  { id: 4, name: "a%b" },
  { id: 5, name: "Ada" },
];

function selectionOf(more: Partial<RowSelection> = {}, of: Target = target): RowSelection {
  const columns = Object.fromEntries(of.columns.map((column: SinkColumn) => [column.name, column]));
  const standard = {
    wanted: Object.keys(columns),
    conditions: [],
    order: [{ column: "id", descending: false }],
    skip: 0,
  };
  return { table: of.table, columns, ...standard, ...more };
}

const is = (
  column: string,
  comparison: RowCondition["comparison"],
  ...operands: RowCondition["operands"]
): RowCondition => ({
  ...{ column, comparison, operands, negated: false },
});

/** False for a sink without such rows. */
async function begin({ sink, ...scene }: SinkScene, rows = people): Promise<boolean> {
  if (sink.select === undefined) return false;
  await sink.prepare(target);
  await load({ sink, ...scene }, target, { claim: await claimLane(sink), rows });
  return true;
}

async function idsOf({ sink }: SinkScene, more: Partial<RowSelection>): Promise<number[]> {
  const ids: number[] = [];
  for await (const piece of sink.select?.(selectionOf(more)) ?? []) ids.push(...piece.map(({ id }) => Number(id)));
  return ids;
}

async function meets(scene: SinkScene): Promise<void> {
  if (!(await begin(scene))) return;
  const cases: readonly (readonly [RowCondition[], number[]])[] = [
    [[], [1, 2, 3, 4, 5]],
    [[is("id", "eq", 3)], [3]],
    [[is("id", "neq", 3)], [1, 2, 4, 5]],
    [
      [is("id", "gt", 1), is("id", "lte", 4)],
      [2, 3, 4],
    ],
    [[is("id", "gte", 4)], [4, 5]],
    [[is("id", "lt", 2)], [1]],
    [[is("id", "in", 5, 1, 9)], [1, 5]],
    [[is("name", "eq", "Ada"), is("id", "gt", 1)], [5]],
    [[is("name", "is")], [2]],
    [[{ ...is("name", "is"), negated: true }], [1, 3, 4, 5]],
    [[{ ...is("name", "eq", "Ada"), negated: true }], [2, 3, 4]],
    [[is("name", "like", "A*")], [1, 5]],
    [[is("name", "like", "a%*")], [4]],
    [[is("name", "ilike", "*B")], [3, 4]],
  ];
  for (const [conditions, ids] of cases) scene.expect(await idsOf(scene, { conditions })).toEqual(ids);
}

async function orders(scene: SinkScene): Promise<void> {
  if (!(await begin(scene))) return;
  const order = [
    { column: "name", descending: false },
    { column: "id", descending: true },
  ];
  // Whether capitals stand first is the place's own affair; those of one name stand together, and null last.
  const all = await idsOf(scene, { order });
  scene.expect([all.indexOf(1) - all.indexOf(5), all.at(-1)]).toEqual([1, 2]);
  scene.expect(await idsOf(scene, { order, skip: 1, take: 2 })).toEqual(all.slice(1, 3));
  scene.expect(await idsOf(scene, { order, skip: 3 })).toEqual(all.slice(3));
  scene.expect(await idsOf(scene, { order, take: 0 })).toEqual([]);
  for (const [at, id] of all.entries()) {
    const name = people.find((one) => one["id"] === id)?.["name"] as string | null;
    scene.expect(await idsOf(scene, { order, after: [name, id] })).toEqual(all.slice(at + 1));
  }
  const backwards = [{ column: "id", descending: true }];
  scene.expect(await idsOf(scene, { order: backwards, after: [3] })).toEqual([2, 1]);
}

async function counts(scene: SinkScene): Promise<void> {
  if (!(await begin(scene))) return;
  const { sink } = scene;
  scene.expect(await sink.count?.(selectionOf({ skip: 2, take: 1 }))).toEqual(5);
  scene.expect(await sink.count?.(selectionOf({ conditions: [is("name", "eq", "Ada")] }))).toEqual(2);
  scene.expect(await sink.count?.(selectionOf({ conditions: [is("id", "eq", 9)] }))).toEqual(0);
}

async function injected(scene: SinkScene): Promise<void> {
  const { sink } = scene;
  if (sink.select === undefined) return;
  const name = 'a "b" `c` $1 ? \\';
  const columns: readonly SinkColumn[] = [
    { name: "id", type: "integer", key: true },
    { name, type: "text", nullable: true },
  ];
  const odd = makeKeyedTarget({ table: 'o"d`d', columns, mode: "merge" });
  await sink.prepare(odd);
  const texts = ["'; drop table t; --", "\\' or 1=1 --", '" or ""="', "$1 ? `x`"];
  const rows = texts.map((text, id) => ({ id, [name]: text }));
  await load(scene, odd, { claim: await claimLane(sink), rows });
  for (const [id, text] of texts.entries()) {
    const found: EngineRow[] = [];
    const selected = selectionOf({ conditions: [is(name, "eq", text)] }, odd);
    for await (const piece of sink.select(selected)) found.push(...piece);
    scene.expect(found).toEqual([{ id, [name]: text }]);
  }
}

async function locked(unit: Unit, ...ids: number[]): Promise<readonly (EngineRow | undefined)[] | undefined> {
  return unit.lock?.(ids.map((id): RowKey => ({ id })));
}

async function locks(scene: SinkScene): Promise<void> {
  if (!(await begin(scene))) return;
  const { sink, expect } = scene;
  const claim = await claimLane(sink);
  const batch = await makeBatch(scene, target, { claim, rows: [{ id: 3, name: "Bobby" }] });
  await inUnit(sink, target, async (unit) => {
    expect(await locked(unit, 3, 9, 1)).toEqual([people[2], undefined, people[0]]);
    await unit.write(batch);
    expect(await locked(unit, 3)).toEqual([{ id: 3, name: "Bobby" }]);
  });
  expect((await rowsOf(scene, target)).find(({ id }) => id === 3)).toEqual({ id: 3, name: "Bobby" });
}

async function holds(scene: SinkScene): Promise<void> {
  if (!(await begin(scene))) return;
  const { sink, expect } = scene;
  const other = await scene.other();
  const unit = await sink.begin(target);
  const [row] = (await locked(unit, 1)) ?? [];
  let isDone = false;
  const rows = [{ id: 1, name: "Other" }];
  const changing = load(scene, target, { claim: await claimLane(other, "other"), rows }, other).then(() => {
    isDone = true;
  });
  const seen: unknown[] = [];
  // What waits has had all the time that these looks take.
  for (let looks = 0; looks < looksMax && !isDone; looks += 1) seen.push(await locked(unit, 1));
  const wasDone = isDone;
  await unit.rollback();
  await changing;
  expect([row, wasDone, seen]).toEqual([people[0], false, Array.from({ length: looksMax }, () => [people[0]])]);
  expect((await rowsOf(scene, target)).find(({ id }) => id === 1)).toEqual({ id: 1, name: "Other" });
}

async function removes(scene: SinkScene): Promise<void> {
  if (!(await begin(scene))) return;
  const { sink, expect } = scene;
  const claim = await claimLane(sink);
  const batch = await makeBatch(scene, target, { claim, read: 2, removes: [{ id: 2 }, { id: 5 }] });
  const result = await inUnit(sink, target, (unit) => unit.write(batch));
  expect([result.loaded, result.merged, result.rejected]).toEqual([0, 2, 0]);
  expect((await rowsOf(scene, target)).map(({ id }) => id)).toEqual([1, 3, 4]);
  const [entry] = await sink.records.ledger({ pipeline: target.pipeline, limit: 1 });
  expect([entry?.read, entry?.loaded, entry?.merged, entry?.filtered, entry?.rejected]).toEqual([2, 0, 2, 0, 0]);
}

async function removesNone(scene: SinkScene): Promise<void> {
  if (!(await begin(scene))) return;
  const claim = await claimLane(scene.sink);
  const before = await look(scene, target);
  const batch = await makeBatch(scene, target, { claim, read: 2, removes: [{ id: 2 }, { id: 9 }] });
  const code = await codeOf(inUnit(scene.sink, target, (unit) => unit.write(batch)));
  scene.expect(code).toEqual("ROW_UNKNOWN");
  scene.expect(await look(scene, target)).toEqual(before);
}
