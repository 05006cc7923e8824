// Runs in the background for `up` and keeps one half of the topology running, as `restart: unless-stopped` would; ends
// with all of it on SIGTERM. However it ends, its servers end with it (see test/servers/keep.ts).
//
//   node scripts/fleet/supervisor.ts infra|fleet FOLDER BROKERS
import { setTimeout as pause } from "node:timers/promises";
import { signal } from "../../test/servers/tree.ts";
import { type Half, readState, removeState, type State, writeState } from "./state.ts";
import { halt, type Part, startFleet, startInfra } from "./topology.ts";

/** What it tells whoever started it, once. */
export type Told = { readonly up: State } | { readonly failed: string };

interface Running {
  readonly parts: readonly Part[];
  readonly places: Readonly<Record<string, string>>;
}

const lookMs = 500;

async function start(half: Half, folder: string, brokers: number): Promise<Running> {
  if (half === "infra") {
    const { parts, stream, table } = await startInfra(folder, brokers);
    return { parts, places: { stream, table } };
  }
  const { stream = "", table = "" } = readState(folder, "infra")?.places ?? {};
  const { parts, url } = await startFleet(folder, { stream, table });
  return { parts, places: { url } };
}

function isGone(pid: number | undefined): boolean {
  if (pid === undefined) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

function stateOf({ parts, places }: Running): State {
  const shown = parts.map(({ name, folder, server: { url, pid } }) => ({ name, url, folder, pid }));
  return { pid: process.pid, places, parts: shown };
}

/** Starts again what has ended, until the signal aborts. What does not start is tried again at the next look. */
async function watch(parts: readonly Part[], stop: AbortSignal, tellAll: () => void): Promise<void> {
  while (!stop.aborted) {
    await pause(lookMs, undefined, { signal: stop }).catch(() => undefined);
    for (const { name, server } of parts) {
      if (stop.aborted || !isGone(server.pid)) continue;
      console.error(`${new Date().toISOString()} ${name} has ended and is started again`);
      await server.kill9();
      await server.start().catch((error: unknown) => console.error(String(error)));
      tellAll();
    }
  }
}

const [half, folder, brokers] = process.argv.slice(2) as [Half, string, string];
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
// Whoever waits for it has been interrupted: what nobody knows of must not stay.
const onLeft = (): void => signal(process.pid, "SIGTERM");
process.once("disconnect", onLeft);
const tell = (told: Told): void => {
  process.send?.(told);
};
try {
  const running = await start(half, folder, Number(brokers));
  writeState(folder, half, stateOf(running));
  process.off("disconnect", onLeft);
  tell({ up: stateOf(running) });
  process.disconnect?.();
  await watch(running.parts, stop.signal, () => writeState(folder, half, stateOf(running)));
  await halt(running.parts);
} catch (error) {
  tell({ failed: (error as Error).message });
  process.exitCode = 1;
} finally {
  removeState(folder, half);
}
process.exit();
