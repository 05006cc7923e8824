import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { CrashPoint } from "./file-crash-child.ts";
import { readFolder, readManifest } from "./file-reader.ts";

const child = join(import.meta.dirname, "file-crash-child.ts");
const batches = 4;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "millrace-file-crash-"));
});
afterEach(() => rmSync(root, { recursive: true }));

async function runChild(point: CrashPoint): Promise<{ code: number | null; signal: string | null; said: string }> {
  const process_ = spawn(process.execPath, [child, root, point, String(batches)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  process_.stderr.on("data", (text: Buffer) => (said += text.toString()));
  const [code, signal] = (await once(process_, "close")) as [number | null, string | null];
  return { code, signal, said };
}

const points: readonly CrashPoint[] = ["before the rename", "after the rename", "after the commit"];

it.each(points)("killed %s, again and again, each row is there once", { timeout: 120_000 }, async (point) => {
  let kills = 0;
  for (;;) {
    const { code, signal, said } = await runChild(point);
    if (code === 0) break;
    expect({ signal, said }).toEqual({ signal: "SIGKILL", said: "" });
    kills += 1;
    expect(kills).toBeLessThanOrEqual(batches);
  }
  const folder = join(root, "t");
  const ids = (await readFolder(folder)).map((row) => row["id"]);
  expect(ids).toEqual(Array.from({ length: 2 * batches }, (_, id) => id));
  const parts = readManifest(folder).parts.map((part) => part.file);
  // Nothing is left of the killed: neither orphans nor unfinished parts.
  expect(readdirSync(folder).toSorted()).toEqual(["_manifest.json", ...parts].toSorted());
  expect(kills).toBeGreaterThanOrEqual(2);
});
