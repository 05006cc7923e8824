import { codeOf, unlikeBytes } from "./archive-scene.ts";
import { type FolderBehaviour, type FolderHarness, type FolderScene, registerSuite } from "./files-scene.ts";
import type { Drop } from "../ports/drop.ts";

const behaviours: readonly FolderBehaviour[] = [
  { name: "lists its files by name, and neither folders nor what is in them", run: listsFiles },
  { name: "reads a file whole, and none that is longer than asked for", run: readsWhole },
  { name: "shows the old content or the new one while it is replaced", run: replacesWhole },
  { name: "archives a file under a name that is free", run: archives },
  { name: "removes a file, and what is gone already", run: removes },
  { name: "says where a source reads the file, whatever its name", run: saysUrl },
  { name: "refuses what is no name", run: refusesPaths },
];

/** Names of all behaviours, as `skips` may list them. */
export const dropBehaviourNames: readonly string[] = behaviours.map(({ name }) => name);

/** Registers the tests that every drop must pass, each on a fresh folder; skips are as in `filesConformance`. */
export function dropConformance(harness: FolderHarness): void {
  registerSuite("drop", harness, behaviours);
}

async function textOf(drop: Drop, name: string): Promise<string> {
  return Buffer.from(await drop.read(name, 1_000)).toString();
}

async function listsFiles(scene: FolderScene): Promise<void> {
  const drop = await scene.drop();
  scene.expect(await drop.list()).toEqual([]);
  for (const name of ["b.csv", "a ä.ticket", "folder/c.csv", ".hidden"]) await scene.put(name, name);
  const found = (await drop.list()).map(({ name, sizeBytes }) => [name, sizeBytes]);
  scene.expect(found).toEqual([
    ["a ä.ticket", 11],
    ["b.csv", 5],
  ]);
  const looked = [await drop.look("b.csv"), await drop.look("none")];
  scene.expect(looked).toEqual([(await drop.list())[1], undefined]);
  scene.expect(await codeOf(drop.look("folder"))).toEqual("FILE_NOT_A_FILE");
}

async function readsWhole(scene: FolderScene): Promise<void> {
  const drop = await scene.drop();
  await scene.put("a", "12345");
  await scene.put("empty", "");
  scene.expect([await textOf(drop, "a"), await textOf(drop, "empty")]).toEqual(["12345", ""]);
  const codes = [await codeOf(drop.read("a", 5)), await codeOf(drop.read("a", 4)), await codeOf(drop.read("b", 4))];
  scene.expect(codes).toEqual(["no error", "FILE_FORMAT", "FILE_MISSING"]);
}

async function replacesWhole(scene: FolderScene): Promise<void> {
  const [drop, reader] = [await scene.drop(), await scene.drop()];
  const versions = [unlikeBytes(300_000, "first"), unlikeBytes(200_000, "second")] as const;
  await drop.replace("a", versions[0]);
  let isWriting = true;
  const write = async (): Promise<void> => {
    for (let round = 1; round <= 6; round += 1) await drop.replace("a", versions[round % 2 === 0 ? 0 : 1]);
    isWriting = false;
  };
  const strange: number[] = [];
  const look = async (): Promise<void> => {
    while (isWriting) {
      const bytes = await reader.read("a", 1_000_000);
      if (!versions.some((version) => version.equals(bytes))) strange.push(bytes.length);
    }
  };
  await Promise.all([write(), look()]);
  scene.expect([strange, await scene.paths()]).toEqual([[], ["a"]]);
}

async function archives(scene: FolderScene): Promise<void> {
  const drop = await scene.drop();
  for (let time = 1; time <= 2; time += 1) {
    await scene.put("a.csv", String(time));
    await drop.archive("a.csv", "done");
    await drop.archive("a.csv", "done"); // what is gone has been moved
  }
  scene.expect(await scene.paths()).toEqual(["done/a-2.csv", "done/a.csv"]);
}

async function removes(scene: FolderScene): Promise<void> {
  const drop = await scene.drop();
  for (const name of ["a", "ab"]) await scene.put(name, name);
  for (let time = 0; time < 2; time += 1) await drop.remove("a");
  scene.expect(await scene.paths()).toEqual(["ab"]);
}

async function saysUrl(scene: FolderScene): Promise<void> {
  const drop = await scene.drop();
  const names = ["a.csv", "a b#%ä.csv", "[a]*.csv", "{a,b}.csv"];
  for (const name of names) await scene.put(name, name);
  const found: unknown[] = [];
  for (const name of names) {
    const files = scene.files(drop.url(name));
    found.push((await files.list()).map(({ path }) => path));
  }
  scene.expect(found).toEqual(names.map((name) => [drop.path(name)]));
}

async function refusesPaths(scene: FolderScene): Promise<void> {
  const drop = await scene.drop();
  await scene.put("a", "a");
  const codes: string[] = [];
  for (const name of ["", ".", "..", "../a", "b/c", "/a", "a\0"]) {
    codes.push(
      await codeOf(drop.read(name, 10)),
      await codeOf(Promise.resolve().then(() => drop.replace(name, Buffer.from("x")))),
    );
  }
  scene.expect(new Set(codes)).toEqual(new Set(["TypeError"]));
}
