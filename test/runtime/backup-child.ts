// Works on the backups of a table in a process of its own: `node backup-child.ts FOLDER URL WORK`. Where the work is to
// hang it says "here" and waits until somebody kills it.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine } from "../../src/engine/engine.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { Sink, Unit } from "../../src/ports/sink.ts";
import { integer, table, text } from "../../src/core/table.ts";
import { Backups } from "../../src/runtime/backup.ts";
import { openArchive, openSink } from "../../src/runtime/schemes.ts";
import { withChanges } from "../conformance/broken.ts";

export type Work =
  | "backup, hanging before it is kept"
  | "backup, hanging before the manifest"
  | "restore, hanging behind a batch"
  | "restore, hanging before the commit"
  | "all of it";

const [folder, url, work] = process.argv.slice(2) as [string, string, Work];
const people = table("people", { id: integer().key(), name: text() });

const engine = await Engine.open({ memoryBytes: 128 * 2 ** 20, threads: 1 });
const context: AdapterContext = {
  engine,
  now: () => Date.now(),
  pause: (ms) => sleep(ms),
  notice: () => undefined,
};
const sink = await openSink(url, {}, context);
await sink.open();
const archive = await openArchive(`file:${join(folder, "archive")}`, context);
const backups = new Backups({ archive, engine, context, folder: join(folder, "work") });

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Stops for good, as a process that is about to be killed might, once it has come to a point. */
async function hang(point: string): Promise<never> {
  say(point);
  for (;;) await sleep(1000);
}

/** Hangs behind the first batch that is written, in the middle of the transaction. */
function hangingAt(point: "write" | "commit"): Sink {
  return withChanges(sink, {
    begin: async (...given) => {
      const unit: Unit = await sink.begin(...given);
      return withChanges(unit, {
        write: async (batch) => {
          const result = await unit.write(batch);
          if (point === "write") await hang("here");
          return result;
        },
        commit: () => (point === "commit" ? hang("here") : unit.commit()),
      });
    },
  });
}

/** The archive hangs before it keeps this file. */
function hangingArchive(file: string) {
  const put: typeof archive.put = async (name, path) => {
    if (name.endsWith(file)) await hang("here");
    await archive.put(name, path);
  };
  return new Backups({
    archive: withChanges(archive, { put }),
    engine,
    context,
    folder: join(folder, "work"),
  });
}

switch (work) {
  case "backup, hanging before it is kept":
    await hangingArchive("data.parquet").backup(sink, people);
    break;
  case "backup, hanging before the manifest":
    await hangingArchive("manifest.json").backup(sink, people);
    break;
  case "restore, hanging behind a batch":
    await backups.restore(hangingAt("write"), people);
    break;
  case "restore, hanging before the commit":
    await backups.restore(hangingAt("commit"), people);
    break;
  case "all of it":
    await backups.backup(sink, people);
    await backups.restore(sink, people, { format: "avro" });
    break;
}
await sink.close();
await archive.close();
await engine.close();
