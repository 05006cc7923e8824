import { type ArchiveBehaviour, type ArchiveScene, codeOf, listed, namesOf, put, read } from "./archive-scene.ts";

/** Names, and what is listed by them. */
export const listBehaviours: readonly ArchiveBehaviour[] = [
  { name: "lists nothing where nothing was kept yet", run: listsNothing },
  { name: "lists names in order, with sizes", run: listsInOrder },
  { name: "lists the names that start with a text, which need not be a folder", run: listsByPrefix },
  { name: "keeps names of many segments, long ones and odd ones", run: keepsOddNames },
  { name: "refuses what is no name", run: refusesNames },
];

async function listsNothing(scene: ArchiveScene): Promise<void> {
  const found = [await listed(scene.archive), await listed(scene.archive, "a/b"), await listed(scene.archive, "a/")];
  scene.expect(found).toEqual([[], [], []]);
}

/** In the order of their code points, in which `/` stands behind `-` and `.`, and capitals before small letters. */
const inOrder = ["B/a", "a-b", "a.b", "a/b", "a/b-c", "a/b.c/d", "a/b0", "a/c/d", "a0", "aB", "a_", "ab"];

async function listsInOrder(scene: ArchiveScene): Promise<void> {
  const other = await scene.other();
  for (const [index, name] of inOrder.entries()) await put(scene, inOrder.at(-1 - index) ?? "", name);
  const sizes = inOrder.map((name, index) => ({ name, sizeBytes: inOrder.at(-1 - index)?.length ?? 0 }));
  scene.expect(await listed(scene.archive)).toEqual(sizes);
  scene.expect(await listed(other)).toEqual(sizes);
}

async function listsByPrefix(scene: ArchiveScene): Promise<void> {
  for (const name of inOrder) await put(scene, name, "x");
  const prefixes = ["a", "a/", "a/b", "a/b.", "a/b.c/", "a/b.c/d", "a/b.c/de", "b", "a/c", "B"];
  const found = await Promise.all(prefixes.map((prefix) => namesOf(scene.archive, prefix)));
  scene.expect(found).toEqual(prefixes.map((prefix) => inOrder.filter((name) => name.startsWith(prefix))));
}

async function keepsOddNames(scene: ArchiveScene): Promise<void> {
  const long = "n".repeat(200);
  const names = ["-", ".a", "...", "0", "_/-/.b/..c", `${long}/${long}`, "a/b/c/d/e/f/g/h/i/j", "x.tmp"];
  for (const name of names) await put(scene, name, `of ${name}`);
  const back = await Promise.all(names.map((name) => read(scene, name)));
  scene.expect(back).toEqual(names.map((name) => `of ${name}`));
  scene.expect(await namesOf(scene.archive)).toEqual(names.toSorted());
}

const noNames = ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "a/../b", "a b", "ä", "a\\b", "a\0b"];
const noPrefixes = ["/", "/a", "a//", "../", "./", "a/../", "a/../b", "a b", "a\\", "ä/", "\0"];

async function refusesNames(scene: ArchiveScene): Promise<void> {
  const { archive } = scene;
  const path = await scene.file("content");
  const wrong: unknown[] = [];
  for (const name of [...noNames, "~a", "%2E%2E/a", "a\n"]) {
    const codes = [
      await codeOf(archive.put(name, path)),
      await codeOf(archive.get(name, scene.freePath())),
      await codeOf(archive.remove(name)),
    ];
    if (codes.some((code) => code !== "TypeError")) wrong.push([name, codes]);
  }
  for (const prefix of noPrefixes) {
    const code = await codeOf(listed(archive, prefix));
    if (code !== "TypeError") wrong.push([prefix, code]);
  }
  scene.expect(wrong).toEqual([]);
  scene.expect(await namesOf(archive)).toEqual([]);
}
