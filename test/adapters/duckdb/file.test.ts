import { spawnSync } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { duckdbSink } from "../../../src/adapters/duckdb/index.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { makeTarget, readQuery, Scene } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(async () => {
  await scene[Symbol.asyncDispose]();
});

const rows = [{ id: 1, name: "a" }];

/** The bytes of a file that holds a table. */
async function makeFile(): Promise<Buffer> {
  const sink = await scene.opened();
  await sink.prepare(makeTarget());
  await scene.load(sink, makeTarget(), rows);
  await sink.close();
  return readFileSync(scene.file);
}

describe("a place that is no DuckDB file", () => {
  it.each([
    ["is empty", Buffer.alloc(0)],
    ["is something else", Buffer.from("id,name\n1,a\n".repeat(2000))],
    ["is a SQLite file", Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(8192)])],
  ])("and %s gives FILE_FORMAT and stays as it is", async (_, bytes) => {
    writeFileSync(scene.file, bytes);
    await expect(scene.opened()).rejects.toMatchObject({ code: "FILE_FORMAT", remedy: expect.any(String) });
    await expect(readQuery(scene.make(), "select 1")).rejects.toMatchObject({ code: "FILE_FORMAT" });
    expect(readFileSync(scene.file).equals(bytes)).toBe(true);
    expect(readdirSync(scene.folder)).toEqual(["hr.db"]);
  });

  it("and is cut off or damaged gives FILE_FORMAT", async () => {
    const whole = await makeFile();
    const damaged = Buffer.from(whole);
    for (let at = 4096 * 3; at < damaged.length; at += 7) damaged[at] = (damaged[at] ?? 0) ^ 255;
    for (const bytes of [whole.subarray(0, 9000), damaged]) {
      writeFileSync(scene.file, bytes);
      await expect(scene.opened()).rejects.toMatchObject({ code: "FILE_FORMAT" });
    }
  });

  it("gives a code for each way of not being there", async () => {
    const code = (url: string) =>
      scene.opened(url).then(
        () => "opened",
        (error: unknown) => (error as { code?: string }).code,
      );
    writeFileSync(join(scene.folder, "plain"), "x");
    expect(await code(`duckdb:${scene.folder}`)).toBe("FILE_NOT_A_FILE");
    expect(await code(`duckdb:${scene.folder}/none/hr.db`)).toBe("FILE_MISSING");
    expect(await code(`duckdb:${scene.folder}/plain/hr.db`)).toBe("FILE_MISSING");
    await expect(readQuery(scene.make(), "select 1")).rejects.toMatchObject({ code: "FILE_MISSING" });
    expect(readdirSync(scene.folder)).toEqual(["plain"]);
    for (const url of ["duckdb::memory:", "duckdb:x.db?schem=a", "duckdb:x.db?schema="]) {
      expect(() => duckdbSink(parsePlace(url), {}, scene.rows.context)).toThrow(
        expect.objectContaining({ code: "URL_INVALID" }),
      );
    }
  });

  // The owner of everything may write everything: the program is asked as another user.
  it.runIf(process.getuid?.() === 0)("and may not be written or read says so", async () => {
    await makeFile();
    chmodSync(scene.folder, 0o755);
    const ask = (mode: number): string => {
      chmodSync(scene.file, mode);
      const program = join(import.meta.dirname, "child.ts");
      const asked = spawnSync(process.execPath, [program, "open", scene.file], {
        uid: 65534,
        gid: 65534,
        encoding: "utf8",
      });
      return asked.stdout.trim();
    };
    expect([ask(0o600), ask(0o644)]).toEqual(["failed SINK_DENIED", "failed SINK_READ_ONLY"]);
  });
});

describe("a DuckDB file", () => {
  it("is one by whatever path it is named", async () => {
    await makeFile();
    mkdirSync(join(scene.folder, "sub"));
    symlinkSync(scene.file, join(scene.folder, "sub", "linked.db"));
    const sink = await scene.opened();
    const linked = await scene.opened(`duckdb:${scene.folder}/sub/../sub/linked.db`);
    expect(await readQuery(linked, "select name from t")).toEqual([{ name: "a" }]);
    expect((await scene.load(linked, makeTarget(), [{ id: 2, name: "b" }])).loaded).toBe(1);
    expect((await readQuery(sink, "select id from t")).length).toBe(2);
  });

  it("is created whole, and another process's creation is kept", async () => {
    const whole = await makeFile();
    const other = join(scene.folder, "other.db");
    writeFileSync(other, whole);
    linkSync(other, join(scene.folder, "new.db"));
    const sink = await scene.opened(`duckdb:${scene.folder}/new.db`);
    expect(await readQuery(sink, "select id from t")).toEqual([{ id: 1 }]);
    expect(readdirSync(scene.folder).filter((name) => name.endsWith(".new") || name.includes("-new"))).toEqual([]);
  });
});
