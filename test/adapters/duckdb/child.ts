import { Engine } from "../../../src/engine/engine.ts";
import { duckdbSink } from "../../../src/adapters/duckdb/index.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { RowEngine } from "../../conformance/engine-rows.ts";
import { makeTarget } from "./scene.ts";

// A process of its own with a sink: `load FILE` writes batches of 500 rows until it is killed, telling each commit;
// `hold FILE` opens the file and lets go of it when its input ends; `query FILE` reads it; `open FILE` says what comes of opening it.

const [, , task = "", file = ""] = process.argv;
const say = (text: string): boolean => process.stdout.write(`${text}\n`);
const batchRows = 500;

async function load(): Promise<void> {
  const rows = await RowEngine.open();
  const sink = duckdbSink(parsePlace(`duckdb:${file}`), {}, rows.context);
  await sink.open();
  const target = makeTarget();
  await sink.prepare(target);
  const claim = await sink.claim("p", "lane", "lane.csv", { row: 0 });
  say(`claimed ${claim.epoch} ${claim.position.row}`);
  for (let start = claim.position.row; ; start += batchRows) {
    const [batch = 0n] = await sink.reserveBatches(1);
    const objects = Array.from({ length: batchRows }, (_, n) => ({ id: start + n, name: `row ${start + n}` }));
    const unit = await sink.begin(target);
    say(`begun ${batch}`);
    await unit.write({
      ...{ claim, batch, run: "run", version: "v1", source: "lane.csv", start: { row: start } },
      ...{ end: { row: start + batchRows }, read: batchRows, filtered: 0, rejects: [], format: {} },
      rows: await rows.makeRows(target.columns, objects),
      startedAt: new Date().toISOString(),
      refuse: () => {
        throw new Error("no row is at fault");
      },
    });
    await unit.commit();
    say(`committed ${start + batchRows}`);
  }
}

async function hold(): Promise<void> {
  const engine = await Engine.open({ memoryBytes: 128 * 2 ** 20, threads: 1 });
  const connection = await engine.connect();
  await connection.run(`attach '${file.replaceAll("'", "''")}' as held`);
  say("held");
  for await (const _ of process.stdin) say("still held");
  await connection.run("detach held");
  connection.close();
  await engine.close();
}

async function query(): Promise<void> {
  const rows = await RowEngine.open();
  const sink = duckdbSink(parsePlace(`duckdb:${file}`), {}, rows.context);
  try {
    for await (const some of sink.query("select count(*) as n from t"))
      say(`read ${some.map((row) => JSON.stringify(Number(row["n"]))).join()}`);
  } catch (error) {
    say(`failed ${(error as { code?: string }).code}`);
  }
  await rows[Symbol.asyncDispose]();
}

async function open(): Promise<void> {
  const rows = await RowEngine.open();
  const sink = duckdbSink(parsePlace(`duckdb:${file}`), {}, rows.context);
  try {
    await sink.open();
    say("opened");
  } catch (error) {
    say(`failed ${(error as { code?: string }).code}`);
  }
  await sink.close();
  await rows[Symbol.asyncDispose]();
}

const tasks: Readonly<Record<string, () => Promise<void>>> = { load, hold, query, open };
await tasks[task]?.();
