// What a power cut, a failing disk or a bad copy may leave: half-written ends, pages that were being written, lost parts.
import { copyFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Log } from "../../../src/ports/log.ts";
import { Subject } from "../../crash/processes.ts";
import type { AppenderPlan } from "./appender.ts";
import { expectKept, note, type Promised } from "./kept.ts";
import { readAll, record, Scene } from "./scene.ts";

/** A folder as processes leave it that are killed: with records in the file and in the write-ahead log beside it. */
async function left(folder: string): Promise<Promised> {
  const promised: Promised = new Map();
  // The last process to close a log folds the one into the other: so there is one that does not.
  for (const [life, fillingBytes, appends] of [["filed", 150_000, 90] as const, ["ahead", 2_000, 40] as const]) {
    const plan: AppenderPlan = { folder, life, callers: 4, records: 4, fillingBytes };
    const subject = new Subject("test/adapters/log/appender.ts", [JSON.stringify(plan)]);
    await subject.event(({ event }) => event === "acked", appends);
    subject.kill("SIGKILL");
    note(promised, life, (await subject.ended).events);
  }
  expect(statSync(join(folder, "log.db-wal")).size).toBeGreaterThan(100_000);
  expect(statSync(join(folder, "log.db")).size).toBeGreaterThan(20_000_000);
  return promised;
}

/** A copy without what is in memory alone: as after a power cut. */
function copied(from: string, to: string): { readonly file: string; readonly ahead: string } {
  mkdirSync(to, { recursive: true });
  for (const name of ["log.db", "log.db-wal", "readers.db", "readers.db-wal"])
    copyFileSync(join(from, name), join(to, name));
  return { file: join(to, "log.db"), ahead: join(to, "log.db-wal") };
}

async function goesOn(log: Log): Promise<void> {
  const before = (await readAll(log)).length;
  await log.append([record("it goes on")]);
  expect((await readAll(log)).length).toBe(before + 1);
}

/** Where frames of a write-ahead log begin, and which page each is of: https://sqlite.org/fileformat2.html#walformat */
function framesOf(ahead: Buffer): { readonly page: number; readonly at: number; readonly pageBytes: number }[] {
  const pageBytes = ahead.readUInt32BE(8);
  const salts = ahead.subarray(16, 24);
  const frames = [];
  for (let at = 32; at + 24 + pageBytes <= ahead.length; at += 24 + pageBytes) {
    if (!ahead.subarray(at + 8, at + 16).equals(salts)) break;
    frames.push({ page: ahead.readUInt32BE(at), at, pageBytes });
  }
  return frames;
}

describe("a log whose files were torn", { timeout: 120_000 }, () => {
  it("keeps everything when the end of what was being written is garbage", async () => {
    await using scene = new Scene();
    const promised = await left(scene.folder);
    for (const [index, garbage] of [
      Buffer.alloc(5_000, 0xa5),
      Buffer.alloc(24, 0),
      Buffer.alloc(100_000, 0),
    ].entries()) {
      const to = join(scene.folder, "..", `garbage ${index}`);
      const { ahead } = copied(scene.folder, to);
      const bytes = readFileSync(ahead);
      const end = framesOf(bytes).reduce((last, { at, pageBytes }) => Math.max(last, at + 24 + pageBytes), 32);
      writeFileSync(ahead, Buffer.concat([bytes.subarray(0, end), garbage]));
      const log = await scene.open("", to);
      await expectKept(log, promised);
      await goesOn(log);
    }
  });

  it("keeps everything when the pages that were being filed are garbage", async () => {
    await using scene = new Scene();
    const promised = await left(scene.folder);
    const to = join(scene.folder, "..", "filing");
    const { file, ahead } = copied(scene.folder, to);
    const bytes = readFileSync(file);
    for (const { page, pageBytes } of framesOf(readFileSync(ahead))) {
      if (page * pageBytes <= bytes.length) bytes.fill(0xa5, (page - 1) * pageBytes, page * pageBytes);
    }
    writeFileSync(file, bytes);
    const log = await scene.open("", to);
    await expectKept(log, promised);
    await goesOn(log);
  });

  it("keeps all that was before what the write-ahead log has lost", async () => {
    await using scene = new Scene();
    await left(scene.folder);
    const size = statSync(join(scene.folder, "log.db-wal")).size;
    let most = -1;
    for (const part of [0, 0.1, 0.35, 0.6, 0.85, 0.999]) {
      const to = join(scene.folder, "..", `lost ${part}`);
      const { ahead } = copied(scene.folder, to);
      truncateSync(ahead, Math.floor(size * part));
      const log = await scene.open("", to);
      // Each key from its beginning on, without a gap.
      await expectKept(log, new Map());
      const records = (await readAll(log)).length;
      expect(records).toBeGreaterThanOrEqual(most);
      most = records;
      await goesOn(log);
      await scene.close();
    }
  });

  it("says that it is damaged when records are not what they were", async () => {
    await using scene = new Scene();
    const log = await scene.open("lanes=1");
    for (let count = 0; count < 40; count += 1) await log.append([record(`record ${count} `.repeat(2_000))]);
    await log.close();
    const path = join(scene.folder, "log.db");
    const bytes = readFileSync(path);
    const at = bytes.indexOf("record 20 record 20", Math.floor(bytes.length / 8));
    bytes[at] = 0x52;
    writeFileSync(path, bytes);
    const damaged = await scene.open();
    const failure: unknown = await readAll(damaged).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "FILE_FORMAT", message: expect.stringContaining(scene.folder) });
    expect(damaged.classify(failure)).toBe("stop");
  });

  it.each([0.3, 0.9])("says that it is damaged, and lives, when %d of a copy of its file are there", async (part) => {
    await using scene = new Scene();
    const log = await scene.open("lanes=1");
    for (let count = 0; count < 40; count += 1) await log.append([record(`record ${count} `.repeat(2_000))]);
    await log.close();
    const path = join(scene.folder, "log.db");
    truncateSync(path, Math.floor((statSync(path).size * part) / 4_096) * 4_096);
    const read = async (): Promise<unknown> => readAll(await scene.open());
    await expect(read()).rejects.toMatchObject({ code: "FILE_FORMAT" });
  });

  it("does not touch the files of other programs", async () => {
    await using scene = new Scene();
    mkdirSync(scene.folder, { recursive: true });
    const path = join(scene.folder, "log.db");
    const theirs = "not a database at all, but long enough to be looked at".repeat(200);
    writeFileSync(path, theirs);
    await expect(scene.open()).rejects.toMatchObject({ code: "FILE_FORMAT" });
    expect(readFileSync(path, "utf8")).toBe(theirs);
  });
});
