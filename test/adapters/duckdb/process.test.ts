import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { limit } from "../../../src/core/limit.ts";
import { makeTarget, readQuery, Scene } from "./scene.ts";

let scene: Scene;
const children: ChildProcess[] = [];
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  await scene[Symbol.asyncDispose]();
});

/** A real process with the file; `line` resolves with the next line it says that starts so. */
function start(task: string, file: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "child.ts"), task, file], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (begin: string): Promise<string> => {
    for (;;) {
      const next = await lines.next();
      if (next.done === true) throw new Error(`the process ended before it said "${begin}"`);
      if (next.value.startsWith(begin)) return next.value.slice(begin.length).trim();
    }
  };
  return { child, line };
}

async function prepared(sink: Awaited<ReturnType<Scene["opened"]>>) {
  const target = makeTarget();
  await sink.prepare(target);
  return target;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

describe("a process killed", () => {
  it("leaves what it committed, once and balanced, and the next goes on from there", async () => {
    let told = 0;
    for (const [round, until] of ["claimed", "begun", "committed", "begun", "committed", "begun"].entries()) {
      const { child, line } = start("load", scene.file);
      const [epoch, from] = (await line("claimed")).split(" ").map(Number);
      expect(epoch).toBe(round + 1);
      expect(from).toBeGreaterThanOrEqual(told);
      told = from ?? 0;
      for (let n = 0; n < 3; n += 1) if (round > 0) told = Number(await line("committed"));
      if (until !== "claimed" && round > 0) await line(until);
      await kill(child);
    }
    const sink = await scene.opened();
    const [found] = await readQuery(sink, "select count(*) as n, count(distinct id) as d, max(id) + 1 as m from t");
    const position = (await sink.checkpoint("p", "lane"))?.position.row ?? -1;
    expect(position).toBeGreaterThanOrEqual(told);
    expect(found).toEqual({ n: BigInt(position), d: BigInt(position), m: position });
    const ledger = await sink.records.ledger({ limit: 10_000 });
    expect(ledger.reduce((sum, entry) => sum + entry.loaded, 0)).toBe(position);
    const [next = 0n] = await sink.reserveBatches(1);
    expect(ledger.every(({ batch }) => batch < next)).toBe(true);
  }, 60_000);
});

describe("a file that another process has", () => {
  it("is waited for, with one notice that names the process", async () => {
    const sink = await scene.opened();
    await sink.close();
    const { child, line } = start("hold", scene.file);
    await line("held");
    let pauses = 0;
    const waiting = scene.make(
      undefined,
      {},
      {
        // The third wait is the one after which the file is free: no clock decides.
        pause: async () => {
          pauses += 1;
          if (pauses < 3) return;
          const ended = once(child, "exit");
          child.stdin?.end();
          await ended;
        },
      },
    );
    await waiting.open();
    expect(pauses).toBe(3);
    expect(scene.rows.notices).toEqual([expect.stringContaining(`PID ${child.pid}`)]);
    await waiting.prepare(makeTarget());
  });

  it("is given up when the time is over, and read by nobody meanwhile", async () => {
    const sink = await scene.opened();
    const target = makeTarget();
    await sink.prepare(target);
    await scene.load(sink, target, [{ id: 1, name: "a" }]);
    expect(await start("query", scene.file).line("failed")).toBe("SINK_BUSY");
    await sink.close();
    const { line } = start("hold", scene.file);
    await line("held");
    let now = 0;
    const late = scene.make(
      undefined,
      {},
      {
        now: () => now,
        pause: async (ms) => {
          now += ms + limit.retryTotalMs / 4;
        },
      },
    );
    await expect(late.open()).rejects.toMatchObject({ code: "SINK_BUSY", message: expect.stringContaining("PID") });
    expect(scene.rows.notices.length).toBe(1);
    await expect(readQuery(scene.make(), "select 1")).rejects.toMatchObject({ code: "SINK_BUSY" });
  });

  it("is opened to read beside other readers, keeps no writer out, and is refused at once while one has it", async () => {
    const sink = await scene.opened();
    await scene.load(sink, await prepared(sink), [{ id: 1, name: "a" }]);
    await sink.close();
    const reader = scene.make();
    await reader.open("read");
    expect(await start("query", scene.file).line("read")).toBe("1");
    const writer = start("open", scene.file);
    const ended = once(writer.child, "exit");
    expect(await writer.line("opened")).toBe("");
    // It still has the file when it says so.
    await ended;
    expect((await reader.records.ledger({ limit: 10 })).length).toBe(1);
    const { line } = start("hold", scene.file);
    await line("held");
    await expect(scene.make().open("read")).rejects.toMatchObject({
      ...{ code: "SINK_BUSY", message: expect.stringContaining("is being written by another process (PID") },
    });
    expect(scene.rows.notices).toEqual([]);
  });

  it("is read by several processes at once while none writes it", async () => {
    const sink = await scene.opened();
    const target = makeTarget();
    await sink.prepare(target);
    await scene.load(sink, target, [{ id: 1, name: "a" }]);
    await sink.close();
    const reading = scene.make().query("select * from t")[Symbol.asyncIterator]();
    expect((await reading.next()).value).toEqual([{ id: 1, name: "a" }]);
    expect(await start("query", scene.file).line("read")).toBe("1");
    await reading.return?.();
  });
});
