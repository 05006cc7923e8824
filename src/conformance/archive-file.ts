import { readFile, truncate } from "node:fs/promises";
import {
  type ArchiveBehaviour,
  type ArchiveScene,
  codeOf,
  hashOf,
  namesOf,
  put,
  read,
  unlikeBytes,
} from "./archive-scene.ts";

/** What is kept and given back. */
export const fileBehaviours: readonly ArchiveBehaviour[] = [
  { name: "gives back what was kept, byte by byte", run: givesBack },
  { name: "gives back a file of many parts", run: givesBackLarge },
  { name: "keeps what another archive on the place sees, also after closing", run: keepsForOthers },
  { name: "replaces what is kept under a name", run: replaces },
  { name: "shows the old file or the new one while it is replaced", run: showsWholeFiles },
  { name: "keeps many files at once", run: keepsManyAtOnce },
  { name: "says that nothing is kept under a name, and leaves no local file", run: saysMissing },
  { name: "leaves a local file alone that is there already", run: leavesLocalFile },
  { name: "keeps nothing of a local file that is not there", run: refusesMissingLocal },
  { name: "removes what is kept, and only that", run: removes },
  { name: "removes what is gone already", run: removesAgain },
];

async function givesBack(scene: ArchiveScene): Promise<void> {
  const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const contents = ["", "\n", "one line\r\n", "\uFEFFwith a mark", everyByte, unlikeBytes(70_001, "small")];
  for (const [index, content] of contents.entries()) {
    await put(scene, `folder/file-${index}.bin`, content);
  }
  for (const [index, content] of contents.entries()) {
    scene.expect(await read(scene, `folder/file-${index}.bin`)).toEqual(Buffer.from(content).toString("latin1"));
  }
}

/** More than the parts, pieces and buffers that places send files in, and no multiple of them. */
const largeBytes = 21 * 1024 * 1024 + 4321;

async function givesBackLarge(scene: ArchiveScene): Promise<void> {
  const content = unlikeBytes(largeBytes, "large");
  await put(scene, "large.bin", content);
  const path = scene.freePath();
  await scene.archive.get("large.bin", path);
  const back = await readFile(path);
  scene.expect([back.length, hashOf(back)]).toEqual([content.length, hashOf(content)]);
}

async function keepsForOthers(scene: ArchiveScene): Promise<void> {
  const before = await scene.other();
  await put(scene, "a/b", "kept");
  scene.expect(await read(scene, "a/b", before)).toEqual("kept");
  await scene.archive.close();
  const after = await scene.other();
  scene.expect([await read(scene, "a/b", after), await namesOf(after)]).toEqual(["kept", ["a/b"]]);
}

async function replaces(scene: ArchiveScene): Promise<void> {
  await put(scene, "a/b", "a long first text");
  await put(scene, "a/b", "second");
  scene.expect([await read(scene, "a/b"), await namesOf(scene.archive)]).toEqual(["second", ["a/b"]]);
}

async function showsWholeFiles(scene: ArchiveScene): Promise<void> {
  const versions = [unlikeBytes(3_000_000, "first"), unlikeBytes(2_000_000, "second")];
  const paths = await Promise.all(versions.map((version) => scene.file(version)));
  const hashes = versions.map(hashOf);
  const reader = await scene.other();
  await scene.archive.put("a/b", paths[0] ?? "");
  let writing = true;
  const write = async (): Promise<void> => {
    for (let round = 0; round < 6; round += 1) await scene.archive.put("a/b", paths[(round + 1) % 2] ?? "");
    writing = false;
  };
  const strange: string[] = [];
  const look = async (): Promise<void> => {
    while (writing) {
      const path = scene.freePath();
      await reader.get("a/b", path);
      const hash = hashOf(await readFile(path));
      if (!hashes.includes(hash)) strange.push(hash);
      // What is not finished has no name.
      for (const name of await namesOf(reader)) if (name !== "a/b") strange.push(name);
    }
  };
  await Promise.all([write(), look()]);
  scene.expect(strange).toEqual([]);
}

async function keepsManyAtOnce(scene: ArchiveScene): Promise<void> {
  const other = await scene.other();
  const names = Array.from({ length: 24 }, (_, index) => `many/${index % 5}/${index}`);
  const contents = names.map((name) => unlikeBytes(20_000, name));
  await Promise.all(
    names.map(async (name, index) => {
      const path = await scene.file(contents[index] ?? "");
      await (index % 2 === 0 ? scene.archive : other).put(name, path);
    }),
  );
  const back = await Promise.all(names.map((name) => read(scene, name)));
  scene.expect(back.map((text) => hashOf(Buffer.from(text, "latin1")))).toEqual(contents.map(hashOf));
}

async function saysMissing(scene: ArchiveScene): Promise<void> {
  const codes = [await codeOf(scene.archive.get("a/b", scene.freePath()))];
  await put(scene, "a/b", "kept");
  const before = await scene.localNames();
  for (const name of ["a", "a/c", "a/b/c", "b"]) codes.push(await codeOf(scene.archive.get(name, scene.freePath())));
  scene.expect(codes).toEqual(codes.map(() => "FILE_MISSING"));
  scene.expect(await scene.localNames()).toEqual(before);
}

async function leavesLocalFile(scene: ArchiveScene): Promise<void> {
  await put(scene, "a/b", "kept");
  const path = await scene.file("there already");
  scene
    .expect([await codeOf(scene.archive.get("a/b", path)), await readFile(path, "latin1")])
    .toEqual(["DISK", "there already"]);
}

async function refusesMissingLocal(scene: ArchiveScene): Promise<void> {
  const code = await codeOf(scene.archive.put("a/b", scene.freePath()));
  scene.expect([code, await namesOf(scene.archive)]).toEqual(["DISK", []]);
  // What was kept before stays.
  await put(scene, "a/b", "kept");
  scene.expect(await codeOf(scene.archive.put("a/b", scene.freePath()))).toEqual("DISK");
  scene.expect(await read(scene, "a/b")).toEqual("kept");
  const emptied = await scene.file("a file that becomes empty is an empty file");
  await truncate(emptied);
  await scene.archive.put("a/c", emptied);
  scene.expect(await read(scene, "a/c")).toEqual("");
}

async function removes(scene: ArchiveScene): Promise<void> {
  for (const name of ["a/b", "a/bc", "a/b.d", "e"]) await put(scene, name, name);
  const other = await scene.other();
  await scene.archive.remove("a/b");
  scene.expect(await read(scene, "a/b", other)).toEqual("FILE_MISSING");
  scene.expect(await namesOf(other)).toEqual(["a/b.d", "a/bc", "e"]);
  for (const name of ["a/bc", "a/b.d"]) await scene.archive.remove(name);
  await put(scene, "a/b/f", "where a file was, a folder may be");
  scene.expect([await read(scene, "e"), await namesOf(other)]).toEqual(["e", ["a/b/f", "e"]]);
}

async function removesAgain(scene: ArchiveScene): Promise<void> {
  const codes = [await codeOf(scene.archive.remove("a/b"))];
  await put(scene, "a/b", "kept");
  for (const name of ["a/b", "a/b", "a/c", "c/d"]) codes.push(await codeOf(scene.archive.remove(name)));
  await put(scene, "a/b", "kept again");
  codes.push(await codeOf(scene.archive.remove("a")));
  scene.expect(codes).toEqual(codes.map(() => "no error"));
  scene.expect(await read(scene, "a/b")).toEqual("kept again");
}
