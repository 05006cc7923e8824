import { cp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Contract } from "../../src/core/contract.ts";
import { bigint, date, integer, table, text, uuid } from "../../src/core/table.ts";
import { AvroWriter } from "../../src/formats/avro/writer.ts";
import type { Sink } from "../../src/ports/sink.ts";
import type { Backups, RestoreOptions } from "../../src/runtime/backup.ts";
import { type BackupFormat, fileNames } from "../../src/runtime/backup-name.ts";
import {
  BackupScene,
  changeFile,
  changeManifest,
  failureOf,
  fill,
  idsOf,
  people,
  persons,
  rowsOf,
} from "./backup-scene.ts";
import { watched } from "./scene.ts";

/** A backup of three people, in a folder, and a table that has changed since. */
class Damaged implements AsyncDisposable {
  readonly scene: BackupScene;
  readonly sink: Sink;
  readonly backups: Backups;
  readonly version: string;

  private constructor(scene: BackupScene, sink: Sink, backups: Backups, version: string) {
    this.scene = scene;
    this.sink = sink;
    this.backups = backups;
    this.version = version;
  }

  static async make(rows = persons(3)): Promise<Damaged> {
    const scene = await BackupScene.open();
    const sink = await scene.sink();
    await fill(scene, sink, people, rows);
    const backups = await scene.backups();
    const { version } = await backups.backup(sink, people);
    await fill(scene, sink, people, persons(2, 10));
    return new Damaged(scene, sink, backups, version);
  }

  /** The folder of the backup. */
  get folder(): string {
    return this.scene.path("archive", "people", this.version);
  }

  /** Says why the restore is refused, having seen that the sink was never written to, nor opened to be. */
  async refusal(options: RestoreOptions = {}, contract: Contract = people): Promise<[code: string, message: string]> {
    const touched: string[] = [];
    const touching = (name: string) => async (): Promise<never> => {
      touched.push(name);
      throw new Error(`${name} was called`);
    };
    const untouched = watched(this.sink, {
      open: touching("open"),
      prepare: touching("prepare"),
      define: touching("define"),
      claim: touching("claim"),
      reserveBatches: touching("reserveBatches"),
      begin: touching("begin"),
    });
    const { code, message } = await failureOf(this.backups.restore(untouched, contract, options));
    expect(touched).toEqual([]);
    expect(await idsOf(this.sink)).toEqual([10, 11]);
    expect(await this.scene.temporary()).toEqual([]);
    return [code, message];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]();
  }
}

const invalid = (text: string): [string, unknown] => ["BACKUP_INVALID", expect.stringContaining(text)];

describe.each(["parquet", "avro"] as const)("a damaged %s file changes nothing:", (format: BackupFormat) => {
  const name = fileNames[format];

  it("with one bit changed, anywhere", { timeout: 60_000 }, async () => {
    await using damaged = await Damaged.make();
    const sound = await readFile(join(damaged.folder, name));
    for (const at of [0, 4, Math.floor(sound.length / 2), sound.length - 9, sound.length - 1]) {
      await changeFile(damaged.folder, name, () => {
        const bytes = Buffer.from(sound);
        bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
        return bytes;
      });
      expect(await damaged.refusal({ format })).toEqual(invalid(`${name} is damaged`));
    }
    await writeFile(join(damaged.folder, name), sound);
    await damaged.backups.restore(damaged.sink, people, { format });
    expect(await idsOf(damaged.sink)).toEqual([0, 1, 2]);
  });

  it.each([
    ["cut short", (bytes: Buffer) => bytes.subarray(0, -1)],
    ["longer than it was", (bytes: Buffer) => Buffer.concat([bytes, Buffer.from("x")])],
    ["empty", () => Buffer.alloc(0)],
  ])("%s", async (_, change) => {
    await using damaged = await Damaged.make();
    await changeFile(damaged.folder, name, change);
    expect(await damaged.refusal({ format })).toEqual(invalid("bytes, and its manifest says"));
  });

  it.each([
    ["cut short", (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length / 2))],
    ["of another kind", () => Buffer.from("id,name\n1,a\n")],
    ["empty", () => Buffer.alloc(0)],
    [
      "with bytes changed",
      (bytes: Buffer) => Buffer.from(bytes).fill(0xff, bytes.length >> 1, (bytes.length >> 1) + 8),
    ],
  ])("%s, although the manifest says that it is right", async (_, change) => {
    await using damaged = await Damaged.make();
    await changeFile(damaged.folder, name, change, true);
    const [code] = await damaged.refusal({ format });
    expect(code).toBe("BACKUP_INVALID");
  });

  it("gone", async () => {
    await using damaged = await Damaged.make();
    await rm(join(damaged.folder, name));
    expect(await damaged.refusal({ format })).toEqual(invalid(`${name} is missing`));
    const other = format === "avro" ? "parquet" : "avro";
    expect((await damaged.backups.restore(damaged.sink, people, { format: other })).rows).toBe(3);
  });

  it("of other rows, although all sums are right", async () => {
    await using damaged = await Damaged.make();
    await using other = await Damaged.make([...persons(2), { id: 2, name: "name 3" }]);
    const bytes = await readFile(join(other.folder, name));
    await changeFile(damaged.folder, name, () => bytes, true);
    expect(await damaged.refusal({ format })).toEqual(invalid("not those that were backed up"));
  });

  it("with more rows than the manifest says", async () => {
    await using damaged = await Damaged.make();
    await changeManifest(damaged.folder, (manifest) => void (manifest["rows"] = 4));
    expect(await damaged.refusal({ format })).toEqual(invalid("it has 3 rows, and its manifest says 4"));
  });

  it("with a key twice", async () => {
    await using damaged = await Damaged.make();
    await using scene = await BackupScene.open();
    // A place without keys takes such rows, and gives them back; one with keys cannot.
    const keyless = await scene.sink(`file:${scene.path("rows")}`);
    await fill(scene, keyless, people, [...persons(2), ...persons(1)]);
    const elsewhere = await scene.backups();
    const { version, digest } = await elsewhere.backup(keyless, people);
    expect((await elsewhere.restore(keyless, people, { format })).rows).toBe(3);
    const bytes = await readFile(scene.path("archive", "people", version, name));
    await changeFile(damaged.folder, name, () => bytes, true);
    await changeManifest(damaged.folder, (manifest) => void (manifest["digest"] = digest));
    expect(await damaged.refusal({ format })).toEqual(invalid("1 keys stand more than once"));
  });

  it("with other columns, although all sums are right", async () => {
    await using damaged = await Damaged.make();
    await using scene = await BackupScene.open();
    const others = table("people", { id: integer().key(), name: text().nullable(), more: text() });
    const sink = await scene.sink();
    await fill(scene, sink, others, [{ id: 1, name: "a", more: "b" }]);
    const { version } = await (await scene.backups()).backup(sink, others);
    const bytes = await readFile(scene.path("archive", "people", version, name));
    await changeFile(damaged.folder, name, () => bytes, true);
    expect(await damaged.refusal({ format })).toEqual(
      invalid(format === "avro" ? "its schema is not" : "its columns are"),
    );
  });
});

describe("an Avro file", () => {
  it("with values that are none of their column is refused", async () => {
    await using scene = await BackupScene.open();
    const codes = table("codes", { id: integer().key(), code: uuid() });
    const sink = await scene.sink();
    await fill(scene, sink, codes, [{ id: 1, code: "6f9619ff-8b86-d011-b42d-00c04fc964ff" }]);
    const backups = await scene.backups();
    const { version, columns } = await backups.backup(sink, codes);
    const path = scene.path("crafted.avro");
    const writer = await AvroWriter.open(path, "codes", columns);
    await writer.append([["1", "no uuid"]]);
    await writer.finish();
    const crafted = await readFile(path);
    await changeFile(scene.path("archive", "codes", version), "data.avro", () => crafted, true);
    const failure = await failureOf(backups.restore(sink, codes, { format: "avro" }));
    expect([failure.code, failure.message]).toEqual(invalid("its Avro file cannot be read"));
    expect((await rowsOf(sink, codes)).length).toBe(1);
  });
});

describe("a backup is refused", () => {
  it("when it is another table's", async () => {
    await using damaged = await Damaged.make();
    const { scene, sink, backups } = damaged;
    const others = table("others", { id: integer().key(), name: text() });
    await fill(scene, sink, others, persons(1));
    scene.pass(5);
    const { version } = await backups.backup(sink, others);
    await cp(scene.path("archive", "others", version), scene.path("archive", "people", version), { recursive: true });
    expect(await damaged.refusal()).toEqual(invalid('it is a backup of the table "others"'));
    expect((await backups.list("people")).map(({ damage }) => damage === undefined)).toEqual([false, true]);
    expect(await damaged.refusal({ version })).toEqual(invalid("others"));
    expect((await backups.restore(sink, people, { version: damaged.version })).rows).toBe(3);
  });

  it("when it is under the name of another version", async () => {
    await using damaged = await Damaged.make();
    const later = damaged.version.replace(/^2022/, "2023");
    await rename(damaged.folder, damaged.scene.path("archive", "people", later));
    expect(await damaged.refusal()).toEqual(invalid(`its manifest is of version ${damaged.version}`));
  });

  it.each<[string, Contract, string]>([
    ["has another column", table("people", { id: integer().key(), name: text(), age: integer() }), '"age"'],
    ["has one column less", table("people", { id: integer().key() }), '"name"'],
    ["has a column of another type", table("people", { id: bigint().key(), name: text() }), "integer"],
    ["has another key", table("people", { id: integer(), name: text().key() }), "key"],
    ["has no key", table("people", { id: integer(), name: text() }), "key"],
    ["calls a date what was text", table("people", { id: integer().key(), name: date() }), "date"],
  ])("when the contract %s by now", async (_, contract, told) => {
    await using damaged = await Damaged.make();
    expect(await damaged.refusal({}, contract)).toEqual(invalid(told));
  });

  it("when there are nulls where the contract has none by now, and not for them alone", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const lax = table("people", { id: integer().key(), name: text().nullable() });
    await fill(scene, sink, lax, [{ id: 1, name: null }]);
    const backups = await scene.backups();
    await backups.backup(sink, lax);
    const failure = await failureOf(backups.restore(sink, people));
    expect([failure.code, failure.message]).toEqual(invalid('"name" is null in 1 rows'));
    await fill(scene, sink, lax, persons(1));
    scene.pass(1);
    await backups.backup(sink, lax);
    expect((await backups.restore(sink, people)).rows).toBe(1);
  });

  it("when rules are others by now, it is restored: they are for what is loaded", async () => {
    await using damaged = await Damaged.make();
    const ruled = table("people", { id: integer().key(), name: text().maxLength(1) });
    expect((await damaged.backups.restore(damaged.sink, ruled)).rows).toBe(3);
  });
});

describe("a manifest", () => {
  it("that leads to other files is refused, and listed as damaged", async () => {
    await using damaged = await Damaged.make();
    await changeManifest(damaged.folder, (manifest) => {
      for (const file of manifest["files"] as Record<string, unknown>[])
        file["name"] = `../x/${file["name"] as string}`;
    });
    expect(await damaged.refusal()).toEqual(invalid("is not called"));
    expect(await damaged.backups.list()).toEqual([
      expect.objectContaining({ rows: undefined, damage: expect.stringContaining("is not called") }),
    ]);
  });

  it("of another format, cut short or huge is refused", async () => {
    await using damaged = await Damaged.make();
    await changeManifest(damaged.folder, (manifest) => void (manifest["format"] = 2));
    expect(await damaged.refusal()).toEqual(invalid("its format is 2"));
    await writeFile(join(damaged.folder, "manifest.json"), '{"format": 1, "tab');
    expect(await damaged.refusal()).toEqual(invalid("it is no JSON"));
    await writeFile(join(damaged.folder, "manifest.json"), Buffer.alloc(17 * 2 ** 20, " "));
    expect(await damaged.refusal()).toEqual(invalid("its manifest has"));
  });
});

describe("there is no backup", () => {
  it("of a version that was never made, or that is no version", async () => {
    await using damaged = await Damaged.make();
    const { version } = damaged;
    for (const wrong of [version.replace(/.$/, "z"), "newest", "..", "../people", "", `${version}/..`]) {
      expect((await damaged.refusal({ version: wrong }))[0]).toBe("BACKUP_UNKNOWN");
    }
    expect((await damaged.refusal({ version: version.replace(/^2022/, "2021") }))[0]).toBe("BACKUP_UNKNOWN");
  });

  it("where the manifest is missing", async () => {
    await using damaged = await Damaged.make();
    await rm(join(damaged.folder, "manifest.json"));
    expect((await damaged.refusal())[0]).toBe("BACKUP_UNKNOWN");
    expect((await damaged.refusal({ version: damaged.version }))[0]).toBe("BACKUP_UNKNOWN");
    expect(await damaged.backups.list()).toEqual([]);
  });

  it("of a table that was never backed up", async () => {
    await using damaged = await Damaged.make();
    const others = table("others", { id: integer().key(), name: text() });
    expect((await damaged.refusal({}, others))[0]).toBe("BACKUP_UNKNOWN");
  });
});

describe("what a table itself refuses", () => {
  it("is rolled back, and said", async () => {
    await using damaged = await Damaged.make();
    const { scene, backups } = damaged;
    const strict = `duckdb:${scene.path("strict.db")}`;
    const connection = await scene.engine.engine.connect();
    await connection.run(`attach '${scene.path("strict.db")}' as strict`);
    await connection.run(
      "create table strict.people (id integer primary key, name varchar not null check (name <> 'name 2'))",
    );
    await connection.run("insert into strict.people values (77, 'seventy-seven')");
    await connection.run("detach strict");
    connection.close();
    const sink = await scene.sink(strict);
    const failure = await failureOf(backups.restore(sink, people));
    expect([failure.code, failure.message]).toEqual(invalid("the table refuses a row"));
    expect(await rowsOf(sink, people)).toEqual([{ id: 77, name: "seventy-seven" }]);
    expect(await sink.records.ledger({ table: "people", limit: 9 })).toEqual([]);
    expect(await sink.records.rejects({ limit: 9 })).toEqual([]);
  });
});
