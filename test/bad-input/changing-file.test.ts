import { appendFileSync, renameSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { addCounts, noCounts } from "../../src/core/ledger.ts";
import { expectError, goodLine, type Outcome, Scene } from "./attempt.ts";

const records = 300_000;
const lines = Array.from({ length: records }, (_, id) => goodLine(id + 1)).join("");
const path = "hired.csv";

/** Loads the file and does `change` to it when the first batch is committed. */
async function loadWhile(scene: Scene, change: () => void): Promise<Outcome> {
  let isChanged = false;
  return scene.load({
    content: lines,
    onEvent: ({ event }) => {
      if (event !== "batch" || isChanged) return;
      isChanged = true;
      change();
    },
  });
}

async function inTable(scene: Scene): Promise<{ rows: bigint | number; ids: bigint | number; read: number }> {
  const [row] = await scene.query("select count(*)::int as rows, count(distinct id)::int as ids from hired");
  const { ledger } = await scene.kept();
  return { rows: row?.["rows"] as number, ids: row?.["ids"] as number, read: ledger.reduce(addCounts, noCounts).read };
}

test("a file that grows while it is read is loaded as it was found, and the rest by the next run", async () => {
  using scene = new Scene();
  const outcome = await loadWhile(scene, () => appendFileSync(scene.path(path), goodLine(records + 1)));
  expect(outcome.error).toBe(undefined);
  expect(await inTable(scene)).toEqual({ rows: records, ids: records, read: records });
  expect(outcome.notices.join()).toMatch(/grew/);
  const { summary } = await scene.load({ from: scene.path(path) });
  expect(summary?.read).toBe(1);
  expect(await inTable(scene)).toEqual({ rows: records + 1, ids: records + 1, read: records + 1 });
});

test("a file that shrinks is said; what was committed stays, and with the content back it goes on", async () => {
  using scene = new Scene();
  const outcome = await loadWhile(scene, () => truncateSync(scene.path(path), lines.length - 1_000_000));
  expectError(outcome, "FILE_CHANGED", /shorter/);
  const between = await inTable(scene);
  expect(between.rows).toBe(between.read);
  scene.write(path, lines);
  await scene.load({ from: scene.path(path) });
  expect(await inTable(scene)).toEqual({ rows: records, ids: records, read: records });
});

test("content that is rewritten in place is said, and none of the new content is taken for the old", async () => {
  using scene = new Scene();
  const other = lines.replaceAll("Harold Vogt", "Someone Els");
  const outcome = await loadWhile(scene, () => writeFileSync(scene.path(path), other, { flag: "r+" }));
  expectError(outcome, "FILE_CHANGED", /rewritten/);
  expect(await scene.query("select distinct name from hired")).toEqual([{ name: "Harold Vogt" }]);
});

test.each([
  {
    title: "replaced by another",
    change: (scene: Scene) => renameSync(scene.write("new.csv", goodLine(1)), scene.path(path)),
  },
  { title: "removed", change: (scene: Scene) => unlinkSync(scene.path(path)) },
])("a file that is $title is read to its end as it was opened, or said", async ({ change }) => {
  using scene = new Scene();
  const outcome = await loadWhile(scene, () => change(scene));
  expect(outcome.error).toBe(undefined);
  expect(outcome.notices.join()).toMatch(/replaced|removed/);
  expect(await inTable(scene)).toEqual({ rows: records, ids: records, read: records });
});
