// A disk without room: appends are refused, what was appended is there, and it goes on by itself when there is room.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Log } from "../../../src/ports/log.ts";
import { readAll, record, Scene, textOf } from "./scene.ts";

function tell(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: "ignore" });
}

/** A disk of a few megabytes, in memory. */
class SmallDisk implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "millrace-disk-"));

  constructor(megabytes: number) {
    tell("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", this.path]);
  }

  grow(megabytes: number): void {
    tell("mount", ["-o", `remount,size=${megabytes}m`, this.path]);
  }

  [Symbol.dispose](): void {
    tell("umount", [this.path]);
    rmSync(this.path, { recursive: true });
  }
}

function canMount(): boolean {
  try {
    new SmallDisk(1)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
}

const whyNot = canMount() ? "" : " (not run: only root may mount a small disk)";

/** Appends until that is refused; answers how. */
async function fill(log: Log, appended: string[], bytes = 50_000): Promise<unknown> {
  for (let count = 0; count < 10_000; count += 1) {
    const value = `${appended.length} ${"x".repeat(bytes)}`;
    try {
      await log.append([record(value)]);
    } catch (error) {
      return error;
    }
    appended.push(value.slice(0, 20));
  }
  throw new Error("the disk has room for everything");
}

async function expectAll(log: Log, appended: readonly string[]): Promise<void> {
  const kept = (await readAll(log)).map((one) => textOf(one).slice(0, 20));
  expect(kept.sort()).toEqual([...appended].sort());
}

describe.skipIf(whyNot !== "")(`a log on a full disk${whyNot}`, { timeout: 60_000 }, () => {
  it.each([
    ["small records", 200],
    ["large ones", 300_000],
  ])("refuses to append, keeps what it has, and goes on when the disk grows: %s", async (_, bytes) => {
    using disk = new SmallDisk(4);
    await using scene = new Scene(disk.path);
    const [log, other] = [await scene.open(), await scene.open()];
    const appended: string[] = [];
    const failure = await fill(log, appended, bytes);
    expect(failure).toMatchObject({ code: "SINK_FULL", message: expect.stringContaining(scene.folder) });
    expect(log.classify(failure)).toBe("wait");
    // Again and again, by both.
    expect(await fill(other, appended, bytes)).toMatchObject({ code: "SINK_FULL" });
    expect(await fill(log, appended, bytes)).toMatchObject({ code: "SINK_FULL" });
    await expectAll(log, appended);
    disk.grow(8);
    for (const one of [log, other, log]) {
      await one.append([record(`${appended.length}`)]);
      appended.push(`${appended.length}`);
    }
    await expectAll(other, appended);
    await scene.close();
    await expectAll(await scene.open(), appended);
  });

  it("goes on when something else makes room, and can be closed and opened without any", async () => {
    using disk = new SmallDisk(6);
    await using scene = new Scene(disk.path);
    const log = await scene.open();
    await log.append([record("0 first")]);
    const ballast = join(disk.path, "ballast");
    writeFileSync(ballast, Buffer.alloc(2_000_000));
    const appended = ["0 first"];
    expect(await fill(log, appended)).toMatchObject({ code: "SINK_FULL" });
    // A reader takes part, or is told that there is no room; nothing worse.
    const settled = await log.settle("group", (await log.lanes())[0] as never, 1n).catch((error: unknown) => error);
    if (settled !== undefined) expect(settled).toMatchObject({ code: "SINK_FULL" });
    await scene.close();
    const again = scene.log();
    const opened: unknown = await again.open().catch((error: unknown) => error);
    if (opened !== undefined) expect(opened).toMatchObject({ code: "SINK_FULL" });
    rmSync(ballast);
    await again.open();
    await expectAll(again, appended);
    await again.append([record("it goes on")]);
    await expectAll(again, [...appended, "it goes on"]);
  });

  it("cannot be made where there is no room at all, and can when there is", async () => {
    using disk = new SmallDisk(1);
    await using scene = new Scene(disk.path);
    const ballast = join(disk.path, "ballast");
    const fillDisk = (): void => {
      for (;;) writeFileSync(ballast, Buffer.alloc(4_096), { flag: "a" });
    };
    expect(fillDisk).toThrow("ENOSPC");
    const log = scene.log();
    const failure: unknown = await log.open().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "SINK_FULL" });
    rmSync(ballast);
    await log.open();
    await log.append([record("it goes on")]);
    await expectAll(log, ["it goes on"]);
  });
});
