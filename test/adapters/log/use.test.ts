import { spawn, spawnSync } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { steadyClock } from "../../../src/adapters/log/steady-clock.ts";
import { Writer } from "../../../src/adapters/log/writer.ts";
import { RowWriter } from "../../../src/adapters/log/row-bytes.ts";
import type { AppenderPlan } from "./appender.ts";
import { expectKept, type Promised } from "./kept.ts";
import { readAll, record, Scene, textOf } from "./scene.ts";

const node = [process.execPath, "--disable-warning=ExperimentalWarning"];
const ownIds = ["unshare", "--pid", "--kill-child", "--fork"];
const [unshare = "", ...itsFlags] = ownIds;
const whyNot =
  spawnSync(unshare, [...itsFlags, "true"]).status === 0 ? "" : " (not run: only root may have own process ids)";

describe("the files of an embedded log", () => {
  it("are for their owner alone, with the folders that are made for them", async () => {
    await using scene = new Scene();
    const before = process.umask(0o022);
    try {
      await (await scene.open()).append([record("1")]);
    } finally {
      process.umask(before);
    }
    const names = ["", "log.db", "log.db-wal", "log.db-shm", "readers.db", "bell"];
    const modes = names.map((name) => (statSync(join(scene.folder, name)).mode & 0o777).toString(8));
    expect(modes).toEqual(["700", "600", "600", "600", "600", "600"]);
  });

  it("are refused when a later version wrote them", async () => {
    await using scene = new Scene();
    await (await scene.open()).close();
    const later = new DatabaseSync(join(scene.folder, "log.db"));
    later.exec("pragma user_version = 99");
    later.close();
    await expect(scene.open()).rejects.toMatchObject({
      code: "FILE_FORMAT",
      message: expect.stringContaining("later"),
    });
  });

  it("may be locked by another process for a while, and the event loop goes on", async () => {
    await using scene = new Scene();
    const log = await scene.open();
    const rival = new DatabaseSync(join(scene.folder, "log.db"));
    rival.exec("begin immediate");
    const append = log.append([record("1")]);
    const ticks: number[] = [];
    while (ticks.length < 20) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      ticks.push(ticks.length);
    }
    expect(await readAll(log)).toEqual([]);
    rival.exec("commit");
    rival.close();
    await append;
    expect((await readAll(log)).map(textOf)).toEqual(["1"]);
  });
});

describe("an embedded log", () => {
  it("is not used before it is open", async () => {
    await using scene = new Scene();
    const log = scene.log();
    await expect(log.lanes()).rejects.toThrow("is not open");
    await expect(log.append([record("1")])).rejects.toThrow("is not open");
    await log.close();
    await expect(log.open()).rejects.toMatchObject({ code: "INTERRUPTED" });
  });

  it("is made anew when its folder is removed while it is in use, and says so", async () => {
    await using scene = new Scene();
    const log = await scene.open();
    await log.append([record("lost with the folder")]);
    const [before] = await log.lanes();
    rmSync(scene.folder, { recursive: true });
    await log.append([record("kept")]);
    const [after] = await log.lanes();
    expect(after?.incarnation).not.toBe(before?.incarnation);
    expect((await readAll(log)).map(textOf)).toEqual(["kept"]);
    expect(scene.notices).toEqual([expect.stringContaining("was removed or replaced while it was in use")]);
  });

  it("does not take for appended what went into a file that was removed meanwhile", async () => {
    await using scene = new Scene();
    const log = await scene.open("lanes=1");
    const [lane] = await log.lanes();
    const [incarnation, folder] = [lane?.incarnation ?? "", scene.folder];
    const writer = await Writer.open({ shown: "log:x", folder, incarnation, retentionMs: 1e9, bytesMax: 1e9 });
    const append = (): number => {
      const row = new RowWriter();
      row.add(record("1"));
      return writer.append([{ lane: 0, records: 1, bytes: row.finish() }], 1, steadyClock(() => 0)());
    };
    expect(append()).toBe(1);
    rmSync(folder, { recursive: true });
    expect(append).toThrow(expect.objectContaining({ code: "SINK_UNREACHABLE" }));
    await scene.open();
    expect(append).toThrow(expect.objectContaining({ code: "SINK_UNREACHABLE" }));
    writer.close();
  });

  it("refuses keys and ids that are too large for it, and calls that would wait for too long", async () => {
    await using scene = new Scene();
    const log = await scene.open();
    await expect(log.append([record("1", "k".repeat(65_537))])).rejects.toMatchObject({ code: "SINK_REFUSED" });
    await expect(log.append([record("1", "k", "i".repeat(65_537))])).rejects.toMatchObject({ code: "SINK_REFUSED" });
    const value = new Uint8Array(8_000_000);
    const appends = Array.from({ length: 12 }, () => log.append([record(value)]));
    const outcomes = await Promise.allSettled(appends);
    const refused = outcomes.filter(({ status }) => status === "rejected");
    expect(refused.length).toBeGreaterThan(0);
    for (const one of refused) expect(one).toMatchObject({ reason: { code: "SINK_FULL" } });
    expect((await readAll(log)).length).toBe(12 - refused.length);
  });

  it.skipIf(whyNot !== "")(
    `is shared by containers, whose processes have the same ids${whyNot}`,
    { timeout: 60_000 },
    async () => {
      await using scene = new Scene();
      const script = join(import.meta.dirname, "appender.ts");
      const lives = ["one", "another", "a-third"];
      const promised: Promised = new Map();
      const run = async (life: string): Promise<void> => {
        const plan: AppenderPlan = {
          folder: scene.folder,
          life,
          callers: 5,
          records: 2,
          fillingBytes: 2_000,
          appends: 30,
        };
        const child = spawn(unshare, [...itsFlags, ...node, script, JSON.stringify(plan)], { stdio: "ignore" });
        expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
        for (let caller = 0; caller < 5; caller += 1) promised.set(`${life}/${caller}`, 60);
      };
      const log = await scene.open();
      await Promise.all(lives.map(run));
      await expectKept(log, promised);
    },
  );
});
