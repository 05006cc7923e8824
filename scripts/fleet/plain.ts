import { fork } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gone, signal } from "../../test/servers/tree.ts";
import { type Half, readState, type State } from "./state.ts";
import type { Told } from "./supervisor.ts";

const supervisor = fileURLToPath(new URL("./supervisor.ts", import.meta.url));
const endMs = 120_000;

/** Starts what does not run yet, in the background. Resolves when all of it answers. */
export async function up(halves: readonly Half[], folder: string, brokers: number): Promise<readonly State[]> {
  mkdirSync(folder, { recursive: true });
  const states: State[] = [];
  for (const half of halves) states.push(readState(folder, half) ?? (await startHalf(half, folder, brokers)));
  return states;
}

async function startHalf(half: Half, folder: string, brokers: number): Promise<State> {
  const path = join(folder, `${half}.log`);
  const log = openSync(path, "a");
  const args = [half, folder, String(brokers)];
  const child = fork(supervisor, args, { detached: true, stdio: ["ignore", log, log, "ipc"], execArgv: [] });
  closeSync(log);
  const told = await new Promise<Told>((resolve) => {
    child.once("message", (message) => resolve(message as Told));
    child.once("exit", (code) => resolve({ failed: `it ended with ${code}; see ${path}` }));
  });
  child.unref();
  if ("failed" in told) throw new Error(`${half} did not start: ${told.failed}`);
  return told.up;
}

/** Ends what runs, and removes the folder with all data when that is wanted. */
export async function down(halves: readonly Half[], folder: string, remove: boolean): Promise<void> {
  if (!halves.includes("fleet") && readState(folder, "fleet") !== undefined) {
    throw new Error("Producers and consumers still run. Remedy: npm run fleet -- down");
  }
  for (const half of halves.toReversed()) {
    const state = readState(folder, half);
    if (state === undefined) continue;
    signal(state.pid, "SIGTERM");
    await gone([state.pid], endMs);
  }
  if (remove) rmSync(folder, { recursive: true, force: true });
}
