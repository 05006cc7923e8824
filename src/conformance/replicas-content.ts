import type { ReplicaContent, ReplicaEntry } from "../ports/replicas.ts";
import { contentOf, outcomeOf, pairsOf, type ReplicasBehaviour, type ReplicasScene, rowsOf } from "./replicas-scene.ts";

/** What is written comes back, exactly and in order, under the name that it was written under and no other. */
export const contentBehaviours: readonly ReplicasBehaviour[] = [
  { name: "gives nothing where there is no such replica", run: givesNothing },
  { name: "lists names by when they were registered, the latest first", run: listsNames },
  { name: "gives rows back as they were, in the order in which they came", run: givesBack },
  { name: "gives the first rows alone when no more are asked for", run: givesFirst },
  { name: "keeps many rows, and their order", run: keepsMany },
  { name: "adds to a description where a replica is registered, and leaves its rows", run: registersAgain },
  { name: "replaces rows and description as a whole", run: replaces },
  { name: "keeps a replica without rows", run: keepsEmpty },
  { name: "clears the rows and keeps the name", run: clears },
  { name: "clears the very rows that it is given, and counts them", run: clearsEntries },
  { name: "leaves rows that are not as they are given, and others", run: leavesChanged },
  { name: "clears many rows, in any order, and is written again", run: clearsMany },
  { name: "removes a replica, which may come again", run: removes },
  { name: "keeps all of it when the place is opened again", run: survivesReopening },
  { name: "refuses names that cannot be", run: refusesNames },
  { name: "keeps what was there when new content fails half-way", run: survivesFailure },
];

async function givesNothing({ replicas, expect }: ReplicasScene): Promise<void> {
  await replicas.write("there", contentOf("1", rowsOf("1", 1)));
  expect(await replicas.look("not there")).toEqual(undefined);
  expect(await pairsOf(replicas, "not there")).toEqual([]);
  expect([await replicas.clear("not there"), await replicas.remove("not there")]).toEqual([false, false]);
  expect(await replicas.names()).toEqual(["there"]);
}

async function listsNames(scene: ReplicasScene): Promise<void> {
  const other = await scene.other();
  for (const name of ["a", "b", "c"]) await scene.replicas.register(name, new Map([["DB_NAME", name]]));
  scene.expect(await other.names()).toEqual(["c", "b", "a"]);
  await other.register("a", new Map([["DB_NAME", "a"]]));
  scene.expect(await scene.replicas.names()).toEqual(["a", "c", "b"]);
  await scene.replicas.write("b", contentOf("1", rowsOf("1", 2)));
  scene.expect(await other.names()).toEqual(["a", "c", "b"]);
  await scene.replicas.write("new", contentOf("2", rowsOf("2", 2)));
  scene.expect(await other.names()).toEqual(["new", "a", "c", "b"]);
}

const odd: readonly (readonly [string, string])[] = [
  ["10", '["ten"]'],
  ["9", '["nine",null,true,0.1]'],
  ["", "[]"],
  ["é e\u0301 😀 ￮ 𠀀", '["é e\u0301 😀 ￮ 𠀀"]'],
  ["quotes ' \" \\ \n \t", '["\\"\\\\ \\n"]'],
  ["__proto__", '["proto"]'],
  ["=cmd|' /C calc'!A0", '["=1+1"]'],
  [" spaces ", '[" "]'],
];

async function givesBack(scene: ReplicasScene): Promise<void> {
  await scene.replicas.write("odd", contentOf("1", odd, { COLUMNS: '["id","é"]', EMPTY: "" }, 3));
  const other = await scene.other();
  scene.expect(await pairsOf(other, "odd")).toEqual(odd);
  const found = await other.look("odd");
  scene
    .expect({ rows: found?.rows, id: found?.id, meta: Object.fromEntries(found?.meta ?? []) })
    .toEqual({ rows: odd.length, id: "1", meta: { COLUMNS: '["id","é"]', DB_NAME: "1", EMPTY: "" } });
}

async function givesFirst({ replicas, expect }: ReplicasScene): Promise<void> {
  const rows = rowsOf("1", 1_203);
  await replicas.write("t", contentOf("1", rows));
  for (const count of [0, 1, 10, 500, 501, 1_203, 5_000]) {
    expect(await pairsOf(replicas, "t", count)).toEqual(rows.slice(0, count));
  }
}

async function keepsMany({ replicas, expect }: ReplicasScene): Promise<void> {
  const rows = rowsOf("1", 20_000).map(([row, value]): [string, string] => [
    `key ${(Number(row) * 7_919) % 20_011}`,
    value,
  ]);
  expect(await replicas.write("many", contentOf("1", rows, {}, 2_000))).toEqual(20_000);
  const found = await pairsOf(replicas, "many");
  expect(found.findIndex(([key, value], at) => key !== rows[at]?.[0] || value !== rows[at]?.[1])).toEqual(-1);
  expect(found.length).toEqual(20_000);
}

async function registersAgain({ replicas, expect }: ReplicasScene): Promise<void> {
  await replicas.register(
    "t",
    new Map([
      ["DB_NAME", "t"],
      ["FILESIZE", "1.0 KB"],
    ]),
  );
  expect(await replicas.look("t").then((found) => [found?.rows, found?.id])).toEqual([0, ""]);
  await replicas.write("t", contentOf("1", rowsOf("1", 3), { DF_SHAPE: "[3, 2]" }));
  await replicas.register("t", new Map([["FILESIZE", "2.0 KB"]]));
  const found = await replicas.look("t");
  expect([found?.rows, found?.meta.get("FILESIZE"), found?.meta.get("DF_SHAPE")]).toEqual([3, "2.0 KB", "[3, 2]"]);
  expect(await pairsOf(replicas, "t")).toEqual(rowsOf("1", 3));
}

async function replaces({ replicas, expect }: ReplicasScene): Promise<void> {
  await replicas.write("t", contentOf("1", rowsOf("1", 30), { OLD: "1" }));
  await replicas.write("other", contentOf("1", rowsOf("1", 5)));
  await replicas.write("t", contentOf("2", rowsOf("2", 10), { NEW: "2" }));
  expect(await pairsOf(replicas, "t")).toEqual(rowsOf("2", 10));
  const found = await replicas.look("t");
  expect([found?.id, found?.rows, found?.meta.get("OLD"), found?.meta.get("NEW")]).toEqual(["2", 10, undefined, "2"]);
  expect(await pairsOf(replicas, "other")).toEqual(rowsOf("1", 5));
}

async function keepsEmpty({ replicas, expect }: ReplicasScene): Promise<void> {
  await replicas.write("t", contentOf("1", rowsOf("1", 3)));
  expect(await replicas.write("t", contentOf("2", [], { DF_SHAPE: "[0, 2]" }))).toEqual(0);
  expect([await pairsOf(replicas, "t"), (await replicas.look("t"))?.id]).toEqual([[], "2"]);
}

async function clears({ replicas, expect }: ReplicasScene): Promise<void> {
  await replicas.write("t", contentOf("1", rowsOf("1", 700)));
  expect([await replicas.clear("t"), await replicas.clear("t")]).toEqual([true, true]);
  expect([await pairsOf(replicas, "t"), await replicas.names()]).toEqual([[], ["t"]]);
  expect((await replicas.look("t"))?.meta.get("DB_NAME")).toEqual("1");
  await replicas.write("t", contentOf("2", rowsOf("2", 7)));
  expect(await pairsOf(replicas, "t")).toEqual(rowsOf("2", 7));
}

const piecesOf = (pairs: readonly (readonly [string, string])[]): ReplicaContent["entries"] =>
  contentOf("", pairs).entries;

async function clearsEntries({ replicas, expect }: ReplicasScene): Promise<void> {
  const rows = rowsOf("1", 1_200);
  await replicas.write("t", contentOf("1", rows));
  await replicas.write("other", contentOf("1", rows));
  const [some, rest] = [rows.filter((_, row) => row % 3 === 0), rows.filter((_, row) => row % 3 !== 0)];
  expect(await replicas.clearEntries("t", piecesOf(some))).toEqual(400);
  expect([await pairsOf(replicas, "t"), (await replicas.look("t"))?.rows]).toEqual([rest, 800]);
  for (const count of [1, 500, 700]) expect(await pairsOf(replicas, "t", count)).toEqual(rest.slice(0, count));
  expect(await replicas.clearEntries("t", piecesOf(some))).toEqual(0);
  expect(await replicas.clearEntries("t", piecesOf(rest))).toEqual(800);
  expect([await pairsOf(replicas, "t"), (await replicas.look("t"))?.rows, await replicas.names()]).toEqual([
    [],
    0,
    ["other", "t"],
  ]);
  expect(await pairsOf(replicas, "other")).toEqual(rows);
  expect(await replicas.clearEntries("not there", piecesOf(some))).toEqual(0);
}

async function leavesChanged(scene: ReplicasScene): Promise<void> {
  const { replicas, expect } = scene;
  await replicas.write("t", contentOf("1", rowsOf("1", 10)));
  const before = await pairsOf(replicas, "t");
  // Row 3 changes, and rows 10 and 11 come.
  const now = [
    ...before.map(([key, value]): [string, string] => [key, key === "3" ? '["new"]' : value]),
    ["10", "[]"] as [string, string],
    ["11", "[]"] as [string, string],
  ];
  await (await scene.other()).write("t", contentOf("2", now));
  expect(await replicas.clearEntries("t", piecesOf(before))).toEqual(9);
  expect(await pairsOf(replicas, "t")).toEqual([
    ["3", '["new"]'],
    ["10", "[]"],
    ["11", "[]"],
  ]);
}

async function clearsMany({ replicas, expect }: ReplicasScene): Promise<void> {
  const rows = rowsOf("1", 20_000);
  await replicas.write("t", contentOf("1", rows, {}, 2_000));
  expect(await replicas.clearEntries("t", piecesOf(rows.slice(1).toReversed()))).toEqual(19_999);
  expect(await pairsOf(replicas, "t")).toEqual(rows.slice(0, 1));
  await replicas.write("t", contentOf("2", rows.slice(0, 30)));
  expect(await pairsOf(replicas, "t")).toEqual(rows.slice(0, 30));
}

async function removes(scene: ReplicasScene): Promise<void> {
  const other = await scene.other();
  for (const id of ["1", "2"]) {
    await scene.replicas.write("t", contentOf(id, rowsOf(id, 7)));
    scene.expect(await pairsOf(other, "t")).toEqual(rowsOf(id, 7));
    scene.expect([await other.remove("t"), await scene.replicas.remove("t")]).toEqual([true, false]);
    scene
      .expect([await scene.replicas.names(), await scene.replicas.look("t"), await pairsOf(other, "t")])
      .toEqual([[], undefined, []]);
  }
}

async function survivesReopening(scene: ReplicasScene): Promise<void> {
  await scene.replicas.write("t", contentOf("1", rowsOf("1", 9), { A: "b" }));
  await scene.replicas.register("u", new Map([["DB_NAME", "u"]]));
  await scene.replicas.close();
  await scene.replicas.open();
  scene.expect(await scene.replicas.names()).toEqual(["u", "t"]);
  scene.expect(await pairsOf(scene.replicas, "t")).toEqual(rowsOf("1", 9));
}

async function refusesNames({ replicas, expect }: ReplicasScene): Promise<void> {
  const wrong = [
    "",
    "a.META",
    "replica_registry",
    "millrace:x",
    "a/b",
    "a\\b",
    "a,b",
    "a\0",
    "x".repeat(201),
    " a",
    "\ud83d",
  ];
  const outcomes = wrong.flatMap((name) => [
    outcomeOf(() => replicas.register(name, new Map([["A", "b"]]))),
    outcomeOf(() => replicas.write(name, contentOf("1", rowsOf("1", 1)))),
    outcomeOf(() => replicas.remove(name)),
  ]);
  expect(await Promise.all(outcomes)).toEqual(outcomes.map(() => "TypeError"));
  expect(await replicas.names()).toEqual([]);
}

async function survivesFailure({ replicas, expect }: ReplicasScene): Promise<void> {
  async function* breaking(): AsyncGenerator<readonly ReplicaEntry[]> {
    yield rowsOf("2", 50).map(([key, value]) => ({ key, value }));
    throw new RangeError("the file broke off");
  }
  const broken = { id: "2", meta: new Map([["DB_NAME", "2"]]), entries: breaking() };
  expect(await outcomeOf(() => replicas.write("fresh", broken))).toEqual("RangeError");
  expect([await replicas.names(), await pairsOf(replicas, "fresh")]).toEqual([[], []]);
  await replicas.write("t", contentOf("1", rowsOf("1", 5)));
  expect(await outcomeOf(() => replicas.write("t", { ...broken, entries: breaking() }))).toEqual("RangeError");
  expect([await pairsOf(replicas, "t"), (await replicas.look("t"))?.id]).toEqual([rowsOf("1", 5), "1"]);
  await replicas.write("t", contentOf("2", rowsOf("2", 4)));
  expect(await pairsOf(replicas, "t")).toEqual(rowsOf("2", 4));
}
