import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { RestartableServer } from "../servers/server.ts";
import type { Work } from "./backup-child.ts";
import { BackupScene, fill, idsOf, people, persons } from "./backup-scene.ts";

const child = join(import.meta.dirname, "backup-child.ts");

interface Running {
  readonly process: ChildProcess;
  readonly lines: AsyncIterator<string>;
  readonly ended: Promise<{ code: number | null; signal: string | null; said: string }>;
}

function start(scene: BackupScene, url: string, work: Work, ...settings: string[]): Running {
  const started = spawn(process.execPath, [...settings, child, scene.folder, url, work], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  started.stderr.on("data", (text: Buffer) => (said += text.toString()));
  const ended = once(started, "close").then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    said,
  }));
  return { process: started, lines: createInterface(started.stdout)[Symbol.asyncIterator](), ended };
}

/** Kills the process once it has come to where it hangs. */
async function killAt(scene: BackupScene, url: string, work: Work): Promise<void> {
  const running = start(scene, url, work);
  const { value } = (await running.lines.next()) as { value?: string };
  running.process.kill("SIGKILL");
  const { signal, said } = await running.ended;
  expect({ value, signal, said }).toEqual({ value: "here", signal: "SIGKILL", said: "" });
}

/** A process dies in the middle of its work; another one goes on, from a table and an archive as they were. */
async function dieAndGoOn(scene: BackupScene, url: string): Promise<void> {
  const first = await scene.sink(url);
  await fill(scene, first, people, persons(5));
  const backups = await scene.backups();
  const { version } = await backups.backup(first, people);
  await fill(scene, first, people, persons(3, 10));
  await first.close();
  for (const work of ["restore, hanging behind a batch", "restore, hanging before the commit"] as const) {
    await killAt(scene, url, work);
    const sink = await scene.sink(url);
    expect(await idsOf(sink)).toEqual([10, 11, 12]);
    await sink.close();
  }
  for (const work of ["backup, hanging before it is kept", "backup, hanging before the manifest"] as const) {
    await killAt(scene, url, work);
    expect((await backups.list()).map((entry) => entry.version)).toEqual([version]);
  }
  const sink = await scene.sink(url);
  expect(await backups.restore(sink, people)).toEqual({ version, rows: 5 });
  expect(await idsOf(sink)).toEqual([0, 1, 2, 3, 4]);
}

describe("killed in the middle", () => {
  it("of a backup or a restore of a DuckDB file, all is as it was", { timeout: 60_000 }, async () => {
    await using scene = await BackupScene.open();
    await dieAndGoOn(scene, `duckdb:${scene.path("place.db")}`);
    // What the dead have left goes with the next ones, a day later.
    const backups = await scene.backups();
    const sink = await scene.sink();
    expect((await scene.temporary()).length).toBe(4);
    const kept = await readdir(scene.path("archive", "people"));
    scene.pass(Date.now() + 25 * 3600 * 1000 - scene.context.now());
    await backups.backup(sink, people);
    expect(await scene.temporary()).toEqual([]);
    const removed = await backups.prune("people", 99);
    expect((await readdir(scene.path("archive", "people"))).length).toBe(kept.length + 1 - removed.length);
    expect(removed.length).toBe(1);
  });

  it("of a backup or a restore of files, all is as it was", { timeout: 60_000 }, async () => {
    await using scene = await BackupScene.open();
    await dieAndGoOn(scene, `file:${scene.path("rows")}`);
  });
});

describeWith("postgres", "killed in the middle, in PostgreSQL", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  it("of a backup or a restore, all is as it was", { timeout: 60_000 }, async () => {
    await using scene = await BackupScene.open();
    await dieAndGoOn(scene, `${server.url}?schema=killed`);
  });
});

describe("a table of any size", () => {
  it("is backed up and restored in memory that it would not fit into", { timeout: 120_000 }, async () => {
    await using scene = await BackupScene.open();
    const [rows, rowBytes, heapMiB] = [30_000, 4096, 52];
    // More than the heap may take, and with what sorting or copying it would add, than the engine may.
    expect(rows * rowBytes).toBeGreaterThan(2 * heapMiB * 2 ** 20);
    const connection = await scene.engine.engine.connect();
    await connection.run(`attach '${scene.path("place.db")}' as place`);
    await connection.run("create table place.people (id integer primary key, name varchar not null)");
    await connection.run(
      `insert into place.people select range, repeat(md5(range::varchar), ${rowBytes / 32}) from range(${rows})`,
    );
    await connection.run("detach place");
    connection.close();
    const running = start(scene, `duckdb:${scene.path("place.db")}`, "all of it", `--max-old-space-size=${heapMiB}`);
    expect(await running.ended).toEqual({ code: 0, signal: null, said: "" });
    expect((await (await scene.backups()).list()).map((entry) => entry.rows)).toEqual([rows]);
  });
});
