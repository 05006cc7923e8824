import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Sink } from "../../src/ports/sink.ts";
import type { BackupFormat } from "../../src/runtime/backup-name.ts";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { RestartableServer } from "../servers/server.ts";
import { type S3Server, startS3 } from "../servers/s3.ts";
import { awkwardRows, BackupScene, everything, fill, idsOf, people, persons, rowsOf } from "./backup-scene.ts";

const formats: readonly BackupFormat[] = ["parquet", "avro"];

/** What is backed up comes back, whatever happened to the table meanwhile; from either file. */
async function roundTrip(scene: BackupScene, sink: Sink, archiveUrl?: string): Promise<void> {
  const backups = await scene.backups(await scene.archive(archiveUrl));
  await fill(scene, sink, everything, awkwardRows(), true);
  const before = await rowsOf(sink, everything);
  expect(before.length).toBe(awkwardRows().length);
  const made = await backups.backup(sink, everything);
  const { version } = made;
  for (const format of formats) {
    await fill(scene, sink, everything, [{ ...awkwardRows()[0], id: 99 }], true);
    expect(await backups.restore(sink, everything, { version, format })).toEqual({ version, rows: before.length });
    expect(await rowsOf(sink, everything)).toEqual(before);
    scene.pass(1);
    const again = await backups.backup(sink, everything);
    expect([again.digest, again.rows]).toEqual([made.digest, made.rows]);
  }
  expect(await scene.temporary()).toEqual([]);
  // That of files is about keys.
  expect(scene.notices.filter((said) => !said.startsWith("Files have no index"))).toEqual([]);
}

describe("a restore puts back, to the last bit,", () => {
  it("a table of a DuckDB file", { timeout: 60_000 }, async () => {
    await using scene = await BackupScene.open();
    await roundTrip(scene, await scene.sink());
  });

  // Not of NDJSON files: the engine reads their numbers as doubles, as the page about them says.
  it.each(["parquet", "csv"])("a table of %s files", { timeout: 60_000 }, async (format) => {
    await using scene = await BackupScene.open();
    await roundTrip(scene, await scene.sink(`file:${scene.path("rows")}?format=${format}`));
  });
});

describeWith("postgres", "a restore in PostgreSQL", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  it("puts back a table, to the last bit", { timeout: 60_000 }, async () => {
    await using scene = await BackupScene.open();
    await roundTrip(scene, await scene.sink(`${server.url}?schema=exact`));
  });

  it("puts back what was backed up from a DuckDB file", { timeout: 60_000 }, async () => {
    await using scene = await BackupScene.open();
    const [from, to] = [await scene.sink(), await scene.sink(`${server.url}?schema=moved`)];
    await fill(scene, from, everything, awkwardRows(), true);
    const backups = await scene.backups();
    const { digest } = await backups.backup(from, everything);
    await backups.restore(to, everything);
    // PostgreSQL writes json in its own way, so that column is not to the letter.
    const { extra: _, ...columns } = everything.columns;
    const strict = { ...everything, columns };
    const shown = (rows: Awaited<ReturnType<typeof rowsOf>>) => rows.map(({ extra: _json, ...row }) => row);
    expect(shown(await rowsOf(to, strict))).toEqual(shown(await rowsOf(from, strict)));
    await backups.restore(from, everything);
    scene.pass(1);
    expect((await backups.backup(from, everything)).digest).toBe(digest);
  });
});

describeWith("s3", "a backup in S3", () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3();
  });
  afterAll(() => server.stop());

  it("is restored from there", { timeout: 60_000 }, async () => {
    await using scene = await BackupScene.open();
    const { accessKey, secretKey, bucket, endpoint } = server;
    const url = `s3://${accessKey}:${secretKey}@${bucket}/backups?endpoint=${endpoint}`;
    await roundTrip(scene, await scene.sink(), url);
    const manifest = await (await scene.backups(await scene.archive(url))).list();
    expect(JSON.stringify(manifest)).not.toContain(secretKey);
  });
});

describe("a restore", () => {
  it("may be done any number of times", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    await fill(scene, sink, people, persons(3));
    const { version } = await backups.backup(sink, people);
    await fill(scene, sink, people, persons(5, 10));
    for (const format of [...formats, ...formats]) {
      await backups.restore(sink, people, { version, format });
      expect(await idsOf(sink)).toEqual([0, 1, 2]);
    }
  });

  it("takes the newest backup, or the one that is named", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    const versions: string[] = [];
    for (const count of [1, 2, 3]) {
      await fill(scene, sink, people, persons(count));
      versions.push((await backups.backup(sink, people)).version);
      scene.pass(1000);
    }
    expect(await backups.restore(sink, people, { version: versions[0] ?? "" })).toEqual({
      version: versions[0],
      rows: 1,
    });
    expect(await idsOf(sink)).toEqual([0]);
    expect(await backups.restore(sink, people)).toEqual({ version: versions[2], rows: 3 });
    expect(await idsOf(sink)).toEqual([0, 1, 2]);
  });

  it("creates a table that is not there", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    await fill(scene, sink, everything, awkwardRows(), true);
    const before = await rowsOf(sink, everything);
    await backups.backup(sink, everything);
    const other = await scene.sink(`duckdb:${scene.path("other.db")}`);
    await backups.restore(other, everything);
    expect(await rowsOf(other, everything)).toEqual(before);
  });

  it("empties the table when the backup is of none", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    await fill(scene, sink, people, []);
    const { rows, digest } = await backups.backup(sink, people);
    expect([rows, digest]).toEqual([0, "0".repeat(32)]);
    for (const format of formats) {
      await fill(scene, sink, people, persons(4));
      await backups.restore(sink, people, { format });
      expect(await idsOf(sink)).toEqual([]);
    }
  });

  it("stands in the ledger, with the contract", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    await fill(scene, sink, people, persons(3));
    const { version } = await backups.backup(sink, people);
    await backups.restore(sink, people, { format: "avro" });
    const [entry] = await sink.records.ledger({ table: "people", limit: 1 });
    expect(entry).toMatchObject({ pipeline: "restore:people", lane: version, read: 3, loaded: 3, rejected: 0 });
    expect(entry?.source).toBe(`file:${scene.path("archive")}/people/${version}/data.avro`);
    const definition = await sink.records.definition("restore:people", entry?.version ?? "");
    expect(definition).toMatchObject({ contract: { table: "people" }, steps: [] });
  });

  it("says when the table has no place for lineage", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    await fill(
      scene,
      sink,
      people,
      persons(2).map((row) => ({ ...row, _millrace: 5n })),
      true,
    );
    await backups.backup(sink, people);
    const other = await scene.sink(`duckdb:${scene.path("other.db")}`);
    await fill(scene, other, people, persons(9));
    await backups.restore(other, people);
    expect(await rowsOf(other, people)).toEqual(persons(2));
    expect(scene.notices).toEqual([expect.stringContaining("_millrace")]);
  });

  it("works in a folder that is created, and leaves nothing in it", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    await fill(scene, sink, people, persons(2));
    rmSync(scene.path("work"), { recursive: true, force: true });
    const backups = await scene.backups();
    await backups.backup(sink, people);
    expect(await scene.temporary()).toEqual([]);
  });
});
