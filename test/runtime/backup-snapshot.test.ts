import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MillraceError } from "../../src/core/error.ts";
import { integer, table, text } from "../../src/core/table.ts";
import type { Sink } from "../../src/ports/sink.ts";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { RestartableServer } from "../servers/server.ts";
import { run } from "../adapters/postgres/scene.ts";
import { BackupScene, failureOf, fill, idsOf, people, persons, rowsOf } from "./backup-scene.ts";
import { watched } from "./scene.ts";

/** Rows that change while they are read are backed up as they were at one moment. */
async function backsUpOneMoment(scene: BackupScene, sink: Sink, writer: Sink): Promise<void> {
  const count = 3000;
  await fill(scene, sink, people, persons(count));
  const backups = await scene.backups();
  let writing: Promise<void> | undefined;
  const onSnapshot = (): void => {
    writing = fill(scene, writer, people, persons(5, 100_000));
  };
  const { rows } = await backups.backup(sink, people, { onSnapshot });
  await writing;
  expect([rows, (await idsOf(sink)).length]).toEqual([count, 5]);
  await backups.restore(sink, people);
  expect(await rowsOf(sink, people)).toEqual(persons(count));
}

/** Others read all old rows or all new ones, at every moment of a restore. */
async function showsOldOrNew(scene: BackupScene, sink: Sink, reader: Sink): Promise<void> {
  const [old, fresh] = [2000, 3000];
  await fill(scene, sink, people, persons(fresh));
  const backups = await scene.backups();
  await backups.backup(sink, people);
  await fill(scene, sink, people, persons(old));
  const seen = new Set<number>();
  const look = async (): Promise<void> => {
    for await (const rows of reader.query("select count(*) as count from people")) seen.add(Number(rows[0]?.["count"]));
  };
  await look();
  let isDone = false;
  // Also in the middle of the transaction, where it is sure to be looked.
  const looking = watched(sink, {
    begin: async (...given) => {
      const unit = await sink.begin(...given);
      return watched(unit, {
        write: async (batch) => {
          await look();
          const result = await unit.write(batch);
          await look();
          return result;
        },
      });
    },
  });
  const restoring = backups.restore(looking, people).then(() => (isDone = true));
  while (!isDone) await look();
  await restoring;
  await look();
  expect([...seen].toSorted((a, b) => a - b)).toEqual([old, fresh]);
}

describe("a DuckDB file", () => {
  it("is backed up as it was at one moment", async () => {
    await using scene = await BackupScene.open();
    await backsUpOneMoment(scene, await scene.sink(), await scene.sink());
  });

  it("shows old rows or new ones while it is restored", async () => {
    await using scene = await BackupScene.open();
    await showsOldOrNew(scene, await scene.sink(), await scene.sink());
  });
});

describe("files", () => {
  it("are backed up as they were at one moment", async () => {
    await using scene = await BackupScene.open();
    const url = `file:${scene.path("rows")}`;
    await backsUpOneMoment(scene, await scene.sink(url), await scene.sink(url));
  });
});

describeWith("postgres", "PostgreSQL", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  it("is backed up as it was at one moment", async () => {
    await using scene = await BackupScene.open();
    const url = `${server.url}?schema=moment`;
    await backsUpOneMoment(scene, await scene.sink(url), await scene.sink(url));
  });

  it("shows old rows or new ones while it is restored, and lets nobody wait", async () => {
    await using scene = await BackupScene.open();
    const url = `${server.url}?schema=readers`;
    await showsOldOrNew(scene, await scene.sink(url), await scene.sink(url));
  });

  it("rolls a restore back when it refuses a row", async () => {
    await using scene = await BackupScene.open();
    const url = `${server.url}?schema=refusing`;
    const sink = await scene.sink(url);
    await fill(scene, sink, people, persons(10));
    const backups = await scene.backups();
    await backups.backup(sink, people);
    await fill(scene, sink, people, persons(2));
    await run(server.url, "alter table refusing.people add constraint short check (name <> 'name 7')");
    const failure = await failureOf(backups.restore(sink, people));
    expect([failure.code, failure.message]).toEqual(["BACKUP_INVALID", expect.stringContaining("short")]);
    expect(await idsOf(sink)).toEqual([0, 1]);
    expect(await sink.records.rejects({ limit: 9 })).toEqual([]);
    expect(await sink.records.ledger({ pipeline: "restore:people", limit: 9 })).toEqual([]);
  });

  it("rolls a restore back when a constraint is broken that is checked at the end", async () => {
    await using scene = await BackupScene.open();
    const url = `${server.url}?schema=deferring`;
    const sink = await scene.sink(url);
    await fill(scene, sink, people, persons(4));
    const backups = await scene.backups();
    await backups.backup(sink, people);
    await fill(scene, sink, people, persons(6));
    await run(
      server.url,
      `create table deferring.uses (person int references deferring.people (id) deferrable initially deferred);
       insert into deferring.uses values (5)`,
    );
    const failure = await failureOf(backups.restore(sink, people));
    expect(failure.code).toBe("BACKUP_INVALID");
    expect((await idsOf(sink)).length).toBe(6);
  });

  it("is restored again when its server went down meanwhile", { timeout: 60_000 }, async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink(`${server.url}?schema=falling`);
    await fill(scene, sink, people, persons(500));
    const backups = await scene.backups();
    await backups.backup(sink, people);
    await fill(scene, sink, people, persons(3));
    let falls = 1;
    const falling = watched(sink, {
      begin: async (...given) => {
        const unit = await sink.begin(...given);
        return watched(unit, {
          commit: async () => {
            falls -= 1;
            if (falls >= 0) await server.restart();
            await unit.commit();
          },
        });
      },
    });
    expect((await backups.restore(falling, people)).rows).toBe(500);
    expect((await idsOf(sink)).length).toBe(500);
    expect(scene.notices.some((said) => said.includes("waiting for it"))).toBe(true);
  });

  it("is read again when its server went down meanwhile", { timeout: 60_000 }, async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink(`${server.url}?schema=reading`);
    await fill(scene, sink, people, persons(5000));
    const backups = await scene.backups();
    let falls = 1;
    let snapshots = 0;
    const falling = watched(sink, {
      query: async function* (...given) {
        for await (const rows of sink.query(...given)) {
          yield rows;
          if (rows.length < 1000) continue;
          falls -= 1;
          if (falls === 0) await server.restart();
        }
      },
    });
    const { rows } = await backups.backup(falling, people, { onSnapshot: () => (snapshots += 1) });
    // The first look was lost, and with it what it had fixed.
    expect([rows, snapshots]).toEqual([5000, 2]);
    expect(await scene.temporary()).toEqual([]);
  });
});

describe("a table with columns that the contract lacks", () => {
  const less = table("people", { id: integer().key() });

  it("is not backed up, nor replaced: what they hold would be lost", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    await fill(scene, sink, people, persons(2));
    const backups = await scene.backups();
    const failure = await failureOf(backups.backup(sink, less));
    expect([failure.code, failure.message]).toEqual(["TABLE_MISMATCH", expect.stringContaining('"name"')]);
    expect(await backups.list()).toEqual([]);
    const other = await scene.sink(`duckdb:${scene.path("other.db")}`);
    await fill(scene, other, less, [{ id: 1 }]);
    await backups.backup(other, less);
    // The table at hand has got a column since, with a default, so that rows without it would be taken.
    const grown = table("people", { id: integer().key(), name: text().nullable() });
    const third = await scene.sink(`duckdb:${scene.path("third.db")}`);
    await fill(scene, third, grown, persons(2));
    expect((await failureOf(backups.restore(third, less))).code).toBe("TABLE_MISMATCH");
    expect(await rowsOf(third, grown)).toEqual(persons(2));
  });
});

describe("a table that fills a column by itself", () => {
  it("is not backed up: its numbers could not be restored", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const numbered = table("people", { id: integer().key(), name: text() }, { serial: "number" });
    await fill(scene, sink, people, persons(2));
    const backups = await scene.backups();
    const failure = await failureOf(backups.backup(sink, numbered));
    expect([failure.code, failure.message]).toEqual(["TABLE_MISMATCH", expect.stringContaining('"number"')]);
    await backups.backup(sink, people);
    expect((await failureOf(backups.restore(sink, numbered))).code).toBe("TABLE_MISMATCH");
    expect(await rowsOf(sink, people)).toEqual(persons(2));
  });
});

describe("a backup", () => {
  it("of a table that is not there says so, and leaves nothing", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    const backups = await scene.backups();
    expect((await failureOf(backups.backup(sink, people))).code).toBe("SINK_REFUSED");
    expect([await backups.list(), await scene.temporary()]).toEqual([[], []]);
  });

  it("of rows that are not the contract's names the value", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    await fill(scene, sink, people, persons(2));
    const numbers = table("people", { id: integer().key(), name: integer() });
    const failure = await failureOf((await scene.backups()).backup(sink, numbers));
    expect([failure.code, failure.message]).toEqual(["TABLE_MISMATCH", expect.stringContaining('"name 0"')]);
  });

  it("that is aborted ends, and nothing of it stays", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    await fill(scene, sink, people, persons(2000));
    const backups = await scene.backups();
    const abort = new AbortController();
    const { signal } = abort;
    const backup = backups.backup(sink, people, { signal, onSnapshot: () => abort.abort() });
    expect((await failureOf(backup)).code).toBe("INTERRUPTED");
    await backups.backup(sink, people);
    expect((await failureOf(backups.restore(sink, people, { signal }))).code).toBe("INTERRUPTED");
    expect(await scene.temporary()).toEqual([]);
    expect((await backups.list()).length).toBe(1);
  });

  it("that cannot be kept leaves nothing in the archive", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    await fill(scene, sink, people, persons(2));
    const archive = await scene.archive();
    const failing = watched(archive, {
      put: (name, path) =>
        name.endsWith("manifest.json") ? Promise.reject(new Error("no room")) : archive.put(name, path),
    });
    await expect((await scene.backups(failing)).backup(sink, people)).rejects.toThrow("no room");
    const names: string[] = [];
    for await (const { name } of archive.list("")) names.push(name);
    expect(names).toEqual([]);
  });
});

describe("a restore", () => {
  it("whose commit had arrived although its answer was lost is not done twice", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    await fill(scene, sink, people, persons(3));
    const backups = await scene.backups();
    await backups.backup(sink, people);
    let begun = 0;
    const deaf = watched(sink, {
      begin: async (...given) => {
        begun += 1;
        const unit = await sink.begin(...given);
        return watched(unit, {
          commit: async () => {
            await unit.commit();
            throw new Error("IO Error: No space left on device, or so it seems");
          },
        });
      },
    });
    expect((await backups.restore(deaf, people)).rows).toBe(3);
    expect(begun).toBe(1);
    expect((await sink.records.ledger({ pipeline: "restore:people", limit: 9 })).length).toBe(1);
  });

  it("gives way to another one of the same version that was begun later", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink();
    await fill(scene, sink, people, persons(3));
    const backups = await scene.backups();
    await backups.backup(sink, people);
    let inner = 1;
    const overtaken = watched(sink, {
      begin: async (...given) => {
        inner -= 1;
        if (inner === 0) await backups.restore(sink, people);
        return sink.begin(...given);
      },
    });
    expect((await failureOf(backups.restore(overtaken, people))).code).toBe("FENCED");
    expect(await idsOf(sink)).toEqual([0, 1, 2]);
  });
});

describe("a disk without room", () => {
  it("ends a backup at once: to wait for the sink would not help", async () => {
    await using scene = await BackupScene.open();
    const sink = await scene.sink(`file:${scene.path("rows")}`);
    await fill(scene, sink, people, persons(2));
    const full = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    let looks = 0;
    const counting = watched(sink, {
      query: async function* (...given) {
        looks += 1;
        yield* sink.query(...given);
        // As a file that cannot be written would end it.
        if (given[0].includes("line")) throw new MillraceError("DISK", "no room", { remedy: "", cause: full });
      },
    });
    const failure = await failureOf((await scene.backups()).backup(counting, people));
    expect([failure.code, scene.notices.filter((said) => said.includes("waiting"))]).toEqual(["DISK", []]);
    expect(looks).toBe(3);
  });
});
