import { readFile } from "node:fs/promises";
import type { OpenFile } from "../ports/files.ts";
import { codeOf, hashOf, unlikeBytes } from "./archive-scene.ts";
import { type FolderBehaviour, type FolderHarness, type FolderScene, nameOf, registerSuite } from "./files-scene.ts";

const behaviours: readonly FolderBehaviour[] = [
  { name: "lists what a pattern means, in order, with sizes", run: listsPattern },
  { name: "lists one file by its name, and nothing where there is none", run: listsOne },
  { name: "tells content that has changed by its version", run: tellsChange },
  { name: "reads the bytes of any range, also several ranges at once", run: readsRanges },
  { name: "says that a file is gone, and that a folder is none", run: saysWhatIsNone },
  { name: "gives a local path of the whole content", run: givesLocal },
  { name: "moves a file into a folder beside it, under a name that is free", run: moves },
  { name: "removes a file, and only that", run: removes },
];

/** Names of all behaviours, as `skips` may list them. */
export const filesBehaviourNames: readonly string[] = behaviours.map(({ name }) => name);

/**
 * Registers the tests that every place of files must pass, each on a fresh folder. Skipped ones are registered as
 * skipped, with the reason in their names; one more test fails when a skip has no reason or names no behaviour.
 */
export function filesConformance(harness: FolderHarness): void {
  registerSuite("files", harness, behaviours);
}

async function namesOf(scene: FolderScene, pattern: string): Promise<(readonly [string, number])[]> {
  const entries = await scene.files(pattern).list();
  return entries.map(({ path, sizeBytes }) => [nameOf(path), sizeBytes] as const);
}

async function listsPattern(scene: FolderScene): Promise<void> {
  for (const path of ["b.csv", "a b.csv", "ä%#.csv", "c.txt", ".hidden.csv", "x/d.csv", "x/y/e.csv", "x/y/f.csv.gz"]) {
    await scene.put(path, path);
  }
  const found = [
    await namesOf(scene, "*.csv"),
    await namesOf(scene, "?.{csv,txt}"),
    await namesOf(scene, "x/**/*.csv"),
    await namesOf(scene, "*/[d-e].csv"),
    await namesOf(scene, "z*"),
  ];
  const odd = ["ä%#.csv", Buffer.byteLength("ä%#.csv")];
  scene.expect(found).toEqual([
    [["a b.csv", 7], ["b.csv", 5], odd],
    [
      ["b.csv", 5],
      ["c.txt", 5],
    ],
    [
      ["d.csv", 7],
      ["e.csv", 9],
    ],
    [["d.csv", 7]],
    [],
  ]);
}

async function listsOne(scene: FolderScene): Promise<void> {
  await scene.put("one.csv", "1");
  await scene.put("[two].csv", "12");
  const found = [
    await namesOf(scene, "one.csv"),
    await namesOf(scene, "[two].csv"),
    await namesOf(scene, "three.csv"),
    await namesOf(scene, "four/five.csv"),
  ];
  scene.expect(found).toEqual([[["one.csv", 1]], [["[two].csv", 2]], [], []]);
  const beside = await scene.files("three.csv").nearby();
  scene.expect(beside.map(nameOf).sort()).toEqual(["[two].csv", "one.csv"]);
}

async function tellsChange(scene: FolderScene): Promise<void> {
  await scene.put("a.csv", "short");
  const files = scene.files("a.csv");
  const [before] = await files.list();
  const file = await files.open(before?.path ?? "");
  const same = await file.now();
  scene.expect([same.version, same.name, file.version]).toEqual([before?.version, "same", before?.version]);
  await scene.put("a.csv", "much longer");
  const [after] = await files.list();
  scene.expect([after?.sizeBytes, after?.version === before?.version]).toEqual([11, false]);
  await file.close();
}

const largeBytes = 5 * 1024 * 1024 + 4321;

async function readsRanges(scene: FolderScene): Promise<void> {
  const content = unlikeBytes(largeBytes, "ranges");
  await scene.put("large.bin", content);
  const files = scene.files("large.bin");
  const file = await files.open((await files.list())[0]?.path ?? "");
  const at = 1024 * 1024 + 7;
  const ranges = [
    [0, at],
    [at, 2 * at],
    [2 * at, largeBytes],
    [17, 18],
    [largeBytes - 1, largeBytes],
    [5, 5],
  ] as const;
  const hashes = ranges.map(([start, end]) => hashOf(content.subarray(start, end)));
  const inOrder: string[] = [];
  for (const [start, end] of ranges) inOrder.push(hashOf(await bytesOf(file, start, end)));
  scene.expect(inOrder).toEqual(hashes);
  const atOnce = await Promise.all(ranges.map(([start, end]) => bytesOf(file, start, end)));
  scene.expect(atOnce.map(hashOf)).toEqual(hashes);
  // A loop that is left amid the file, and one that begins anew.
  for await (const piece of file.read(0, largeBytes)) if (piece.length > 0) break;
  scene.expect(hashOf(await bytesOf(file, 3, largeBytes))).toEqual(hashOf(content.subarray(3)));
  scene.expect((await bytesOf(file, largeBytes - 3, largeBytes + 100)).length).toEqual(3);
  await file.close();
}

async function bytesOf(file: OpenFile, start: number, end: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of file.read(start, end)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

async function saysWhatIsNone(scene: FolderScene): Promise<void> {
  await scene.put("folder/a.csv", "a");
  const files = scene.files("folder/*.csv");
  const path = (await files.list())[0]?.path ?? "";
  const folder = scene.files("folder");
  scene.expect(await codeOf(folder.list())).toEqual("FILE_NOT_A_FILE");
  await files.remove(path);
  scene.expect(await codeOf(files.open(path))).toEqual("FILE_MISSING");
}

async function givesLocal(scene: FolderScene): Promise<void> {
  const content = unlikeBytes(1_234_567, "local");
  await scene.put("local.parquet", content);
  const files = scene.files("*.parquet");
  const path = (await files.list())[0]?.path ?? "";
  const local = await files.local(path);
  scene.expect([hashOf(await readFile(local)), await files.local(path)]).toEqual([hashOf(content), local]);
}

async function moves(scene: FolderScene): Promise<void> {
  await scene.put("a.csv", "first");
  const files = scene.files("*.csv");
  const path = (await files.list())[0]?.path ?? "";
  await files.move(path, "done");
  await files.move(path, "done"); // what is gone has been moved
  await scene.put("a.csv", "second");
  await files.move(path, "done");
  scene.expect(await scene.paths()).toEqual(["done/a-2.csv", "done/a.csv"]);
}

async function removes(scene: FolderScene): Promise<void> {
  for (const path of ["a.csv", "a.csv.old", "b/a.csv"]) await scene.put(path, path);
  const files = scene.files("a.csv");
  const path = (await files.list())[0]?.path ?? "";
  for (let time = 0; time < 2; time += 1) await files.remove(path);
  scene.expect(await scene.paths()).toEqual(["a.csv.old", "b/a.csv"]);
}
