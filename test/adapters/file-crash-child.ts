// Loads a lane of batches into a folder and dies, without a chance to clean up, the second time that it comes to the
// point named: each run so commits one batch more.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { parsePlace } from "../../src/core/place.ts";
import type { Target } from "../../src/ports/sink.ts";
import { RowEngine } from "../conformance/engine-rows.ts";

export type CrashPoint = "before the rename" | "after the rename" | "after the commit";

const [root = "", point = "", batches = "0"] = process.argv.slice(2);
let reached = 0;

function reach(): void {
  reached += 1;
  if (reached === 2) process.kill(process.pid, "SIGKILL");
}

const { renameSync, openSync } = fs;
fs.renameSync = (from, to) => {
  const part = /part-[^/]*$/.test(String(to));
  if (part && point === "before the rename") reach();
  renameSync(from, to);
  if (part && point === "after the rename") reach();
};
let committed = false;
fs.openSync = (path, ...more) => {
  // The manifest is the first thing written after a commit.
  if (committed && point === "after the commit" && String(path).endsWith("_manifest.json.tmp")) reach();
  return openSync(path, ...more);
};
syncBuiltinESMExports();

const { fileSink } = await import("../../src/adapters/file/index.ts");
await using engine = await RowEngine.open();
const sink = fileSink(parsePlace(`file:${root}`), {}, engine.context);
const columns = [{ name: "id", type: "integer" }] as const;
const target: Target = { pipeline: "p", table: "t", columns, key: [], mode: "append", lineage: false };
await sink.open();
await sink.prepare(target);
committed = true;
const claim = await sink.claim("p", "lane", "lane.csv", { row: 0 });
for (let row = claim.position.row; row < Number(batches) * 2; row += 2) {
  const unit = await sink.begin(target);
  const [batch = 0n] = await sink.reserveBatches(1);
  await unit.write({
    claim,
    batch,
    run: "run",
    version: "v1",
    source: "lane.csv",
    start: { row },
    end: { row: row + 2 },
    read: 2,
    filtered: 0,
    rejects: [],
    format: {},
    rows: await engine.makeRows(columns, [{ id: row }, { id: row + 1 }]),
    startedAt: new Date().toISOString(),
    refuse: () => {
      throw new Error("files refuse no row");
    },
  });
  await unit.commit();
}
await sink.close();
