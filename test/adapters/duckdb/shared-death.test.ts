import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Sink, Unit } from "../../../src/ports/sink.ts";
import { CutProxy } from "./cut-proxy.ts";
import { HostProcess } from "./host-process.ts";
import { makeTarget, readQuery, Scene } from "./scene.ts";

let scene: Scene;
const hosts: HostProcess[] = [];
const children: ChildProcess[] = [];
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  for (const host of hosts.splice(0)) await host[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

async function startHost(): Promise<HostProcess> {
  const host = new HostProcess();
  hosts.push(host);
  await host.share(scene.file);
  return host;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

const target = makeTarget();
const rowsPerBatch = 10;

/** What befalls a unit before its commit; resolves with true when it has committed it. */
type During = (unit: Unit) => Promise<boolean>;

/** As the runner does it: claims, and writes the batch unless the position says that it is there; again when it may help. */
async function loadBatch(sink: Sink, number: number, during: During = async () => false): Promise<void> {
  for (;;) {
    try {
      const claim = await sink.claim("p", "lane", "lane.csv", { row: 0 });
      if (claim.position.row === (number + 1) * rowsPerBatch) return;
      expect(claim.position.row).toBe(number * rowsPerBatch);
      const rows = Array.from({ length: rowsPerBatch }, (_, n) => ({ id: claim.position.row + n, name: "x" }));
      await commit(sink, await scene.batch(sink, target, claim, rows), during);
    } catch (error) {
      if (sink.classify(error) !== "wait") throw error;
    }
  }
}

async function commit(sink: Sink, batch: Parameters<Unit["write"]>[0], during: During): Promise<void> {
  const unit = await sink.begin(target);
  try {
    await unit.write(batch);
    if (!(await during(unit))) await unit.commit();
  } finally {
    await unit.rollback();
  }
}

/** What is in the file: every row once, and as many as the ledger and the position say. */
async function expectBatches(sink: Sink, batches: number): Promise<void> {
  const count = batches * rowsPerBatch;
  const [found] = await readQuery(sink, "select count(*) as n, count(distinct id) as d from t");
  expect(found).toEqual({ n: BigInt(count), d: BigInt(count) });
  const ledger = await sink.records.ledger({ limit: 1000 });
  expect(ledger.map(({ read, loaded }) => [read, loaded])).toEqual(
    Array.from({ length: batches }, () => [rowsPerBatch, rowsPerBatch]),
  );
  expect((await sink.checkpoint("p", "lane"))?.position.row).toBe(count);
}

/** The folder in which rows are handed over, as the note beside the file names it. */
function shareFolder(): string {
  return dirname((JSON.parse(readFileSync(`${scene.file}.shared`, "utf8")) as { socket: string }).socket);
}

describe("a host killed", () => {
  it("in the middle of a guest's unit takes all of it along, and the guest does it again on a file that is free", async () => {
    const host = await startHost();
    const folder = shareFolder();
    const guest = await scene.opened();
    await guest.prepare(target);
    await loadBatch(guest, 0);
    let kills = 0;
    await loadBatch(guest, 1, async () => {
      kills += 1;
      if (kills === 1) await host.kill();
      return false;
    });
    await expectBatches(guest, 2);
    expect(readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith(".parquet"))).toEqual([]);
    // The note that it left is no harm to the next, nor is what it left to be handed over.
    await guest.close();
    await startHost();
    await expectBatches(await scene.opened(), 2);
  });

  it("and started again and again loses and doubles nothing", async () => {
    let host = await startHost();
    const guest = await scene.opened();
    await guest.prepare(target);
    for (let number = 0; number < 6; number += 1) {
      const restart = async (): Promise<void> => {
        await host.kill();
        host = await startHost();
      };
      let isKilled = false;
      await loadBatch(guest, number, async (unit) => {
        if (isKilled) return false;
        isKilled = true;
        // By turns before the commit, and while it is under way.
        const committing = number % 2 === 0 ? undefined : unit.commit();
        await Promise.allSettled([committing, restart()]);
        await committing;
        return committing !== undefined;
      });
    }
    await expectBatches(guest, 6);
    expect(await host.all(scene.file, "select count(*) as n from t")).toEqual([{ n: 60n }]);
  }, 60_000);
});

describe("a guest killed", () => {
  it("in the middle of its unit leaves what it committed, and the host goes on", async () => {
    const host = await startHost();
    let told = 0;
    for (const until of ["begun", "committed", "begun"]) {
      const child = spawn(process.execPath, [join(import.meta.dirname, "child.ts"), "load", scene.file], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      children.push(child);
      for await (const line of createInterface({ input: child.stdout })) {
        const [word, value] = line.split(" ");
        if (word === "committed") told = Number(value);
        if (word === until && told > 0) break;
      }
      await kill(child);
    }
    // Its turn is another's, once the host has seen that it is gone.
    const guest = await scene.opened();
    const unit = await guest.begin(target);
    await unit.rollback();
    const position = (await guest.checkpoint("p", "lane"))?.position.row ?? -1;
    expect(position).toBeGreaterThanOrEqual(told);
    expect(await host.all(scene.file, "select count(*) as n, count(distinct id) as d from t")).toEqual([
      { n: BigInt(position), d: BigInt(position) },
    ]);
    const ledger = await guest.records.ledger({ limit: 10_000 });
    expect(ledger.reduce((sum, entry) => sum + entry.loaded, 0)).toBe(position);
    const folder = shareFolder();
    await guest.close();
    await expect.poll(() => readdirSync(folder)).toEqual(["socket"]);
    await host[Symbol.asyncDispose]();
    expect(existsSync(folder)).toBe(false);
  }, 60_000);
});

describe("a connection lost", () => {
  it("with the answer to a commit doubles nothing: the position tells that it had come", async () => {
    await startHost();
    const proxy = await CutProxy.before(scene.file);
    try {
      const guest = await scene.opened();
      await guest.prepare(target);
      let commits = 0;
      await loadBatch(guest, 0, async () => {
        commits += 1;
        proxy.cutAtNextAnswer();
        return false;
      });
      expect({ commits, cuts: proxy.cuts }).toEqual({ commits: 1, cuts: 1 });
      await loadBatch(guest, 1);
      await expectBatches(guest, 2);
    } finally {
      await proxy[Symbol.asyncDispose]();
    }
  });
});
