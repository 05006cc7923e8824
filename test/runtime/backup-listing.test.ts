import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { integer, table, text } from "../../src/core/table.ts";
import { awkwardRows, BackupScene, changeManifest, everything, fill, people, persons, rowsOf } from "./backup-scene.ts";

const jobs = table("jobs", { id: integer().key(), name: text() });
const dayMs = 24 * 3600 * 1000;

describe("backups", () => {
  it("are listed newest first, of one table or of all", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    expect(await backups.list()).toEqual([]);
    const made = [];
    for (const [contract, count] of [
      [people, 1],
      [jobs, 2],
      [people, 3],
    ] as const) {
      await fill(scene, sink, contract, persons(count));
      made.unshift(await backups.backup(sink, contract));
      scene.pass(1000);
    }
    const shown = made.map(({ table: name, version, createdAt, rows }) => ({ table: name, version, createdAt, rows }));
    expect(await backups.list()).toMatchObject(shown);
    expect((await backups.list("people")).map(({ rows }) => rows)).toEqual([3, 1]);
    expect(await backups.list("others")).toEqual([]);
    const [first] = await backups.list("jobs");
    const files = await readdir(scene.path("archive", "jobs", first?.version ?? ""));
    expect(files.toSorted()).toEqual(["data.avro", "data.parquet", "manifest.json"]);
    expect(first?.sizeBytes).toBeGreaterThan(1000);
  });

  it("are told from all else that lies there", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    await fill(scene, sink, people, persons(1));
    const { version } = await backups.backup(sink, people);
    const archive = scene.path("archive");
    for (const name of ["notes.txt", "people/notes.txt", "people/newest/manifest.json", `${version}/manifest.json`]) {
      await mkdir(join(archive, name, ".."), { recursive: true });
      await writeFile(join(archive, name), "not a backup");
    }
    expect((await backups.list()).map((entry) => entry.version)).toEqual([version]);
    expect(await backups.prune("people", 1)).toEqual([]);
  });

  it("of tables with any name are kept apart", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    const names = ["a b", "a.b", "a/b", "..", "Ünïcode ✓", "€".repeat(63), "a.20b"];
    for (const [index, name] of names.entries()) {
      const contract = table(name, { id: integer().key(), name: text() });
      await fill(scene, sink, contract, persons(index));
      await backups.backup(sink, contract);
    }
    for (const [index, name] of names.entries()) {
      expect((await backups.list(name)).map(({ table: of, rows }) => [of, rows])).toEqual([[name, index]]);
      const contract = table(name, { id: integer().key(), name: text() });
      await fill(scene, sink, contract, persons(1, 99));
      await backups.restore(sink, contract);
      expect(await rowsOf(sink, contract)).toEqual(persons(index));
    }
    expect((await backups.list()).length).toBe(names.length);
  });

  it("made by an earlier version are restored", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    await cp(join(import.meta.dirname, "fixtures", "backup"), scene.path("archive"), { recursive: true });
    const backups = await scene.backups();
    const [entry] = await backups.list();
    expect(entry).toMatchObject({ table: "every thing", version: "20221130T101500123Z-4321f7", rows: 7 });
    expect(entry?.damage).toBe(undefined);
    const other = await scene.sink(`duckdb:${scene.path("other.db")}`);
    await fill(scene, other, everything, awkwardRows(), true);
    for (const format of ["parquet", "avro"] as const) {
      await fill(scene, sink, everything, [], true);
      await backups.restore(sink, everything, { format });
      expect(await rowsOf(sink, everything)).toEqual(await rowsOf(other, everything));
    }
  });
});

describe("pruning", () => {
  it("keeps the newest, and says what it removed", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    const versions: string[] = [];
    for (const count of [1, 2, 3, 4]) {
      await fill(scene, sink, people, persons(count));
      versions.unshift((await backups.backup(sink, people)).version);
      scene.pass(1000);
    }
    await fill(scene, sink, jobs, persons(1));
    await backups.backup(sink, jobs);
    expect(await backups.prune("people", 4)).toEqual([]);
    expect(await backups.prune("people", 2)).toEqual(versions.slice(2));
    expect((await backups.list("people")).map(({ version }) => version)).toEqual(versions.slice(0, 2));
    expect((await readdir(scene.path("archive", "people"))).toSorted().toReversed()).toEqual(versions.slice(0, 2));
    expect((await backups.list("jobs")).length).toBe(1);
    expect(await backups.prune("people", 0)).toEqual(versions.slice(0, 2));
    expect(await backups.prune("nothing", 3)).toEqual([]);
    await expect(backups.prune("people", -1)).rejects.toThrow(RangeError);
    await expect(backups.prune("people", 1.5)).rejects.toThrow(RangeError);
  });

  it("does not count what is damaged, and removes what is unfinished only a day later", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    const versions: string[] = [];
    for (const count of [1, 2, 3]) {
      await fill(scene, sink, people, persons(count));
      versions.unshift((await backups.backup(sink, people)).version);
      scene.pass(1000);
    }
    const [newest = "", middle = "", oldest = ""] = versions;
    await changeManifest(scene.path("archive", "people", newest), (manifest) => void (manifest["rows"] = "many"));
    await rm(scene.path("archive", "people", oldest, "manifest.json"));
    expect(await backups.prune("people", 1)).toEqual([]);
    scene.pass(dayMs + 1);
    expect(await backups.prune("people", 1)).toEqual([oldest]);
    expect((await backups.list("people")).map(({ version, damage }) => [version, damage === undefined])).toEqual([
      [newest, false],
      [middle, true],
    ]);
    // With no sound one to keep, nothing is thrown away for it.
    await rm(scene.path("archive", "people", middle, "data.avro"));
    expect(await backups.prune("people", 1)).toEqual([]);
  });
});
