import { mkdir, mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { removeLeftSpills, spillFolderIn } from "../../src/engine/spill.ts";

it("removes what killed processes left to spill a day ago, and nothing else", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spill-test-"));
  const dead = "millrace-spill-999999999-";
  const old = new Date(Date.now() - 48 * 3600 * 1000);
  const mine = spillFolderIn(folder);
  for (const path of [mine, join(folder, `${dead}old`), join(folder, `${dead}young`), join(folder, "millrace-other")]) {
    await mkdir(path);
    if (!path.endsWith("young")) await utimes(path, old, old);
  }
  await removeLeftSpills(folder, Date.now());
  expect((await readdir(folder)).map((name) => join(folder, name)).sort()).toEqual(
    [mine, join(folder, `${dead}young`), join(folder, "millrace-other")].sort(),
  );
  await rm(folder, { recursive: true });
});
