import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";

const script = join(import.meta.dirname, "..", "..", "scripts", "start.ts");
const folders: string[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function start(...args: readonly string[]): Promise<ChildProcess> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-sample-"));
  folders.push(folder);
  const child = spawn(process.execPath, [script, "--folder", folder, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return child;
}

async function lineWith(child: ChildProcess, pattern: RegExp): Promise<string> {
  if (child.stdout === null) throw new Error("no output to read");
  for await (const line of createInterface({ input: child.stdout })) {
    const found = pattern.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  throw new Error(`it ended without a line like ${pattern}`);
}

/** Until the answer is as wanted; the test's own time is the limit. */
async function asked(url: string, isWanted: (records: readonly unknown[]) => boolean): Promise<void> {
  for (;;) {
    const response = await fetch(url).catch(() => undefined);
    const body: unknown = await response?.json().catch(() => undefined);
    if (response?.ok === true && Array.isArray(body) && isWanted(body)) return;
    await pause(250);
  }
}

it("serves sample data that flows, at the address it prints, until it is told to end", {
  timeout: 120_000,
}, async () => {
  const child = await start();
  const url = await lineWith(child, /(http:\/\/127\.0\.0\.1:\d+)/);
  await asked(`${url}/insights?table=HIRES_DEPARTMENT_JOB&limit=10`, (records) => records.length > 0);
  const ended = once(child, "exit");
  child.kill("SIGINT");
  expect(await ended).toEqual([0, null]);
  await expect(fetch(url)).rejects.toThrow();
});

it("ends after the summary when asked to", { timeout: 120_000 }, async () => {
  const child = await start("--once");
  child.stdout?.resume();
  expect(await once(child, "exit")).toEqual([0, null]);
});
