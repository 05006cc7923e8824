import { execFile } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { readState, type State } from "../../scripts/fleet/state.ts";
import { commandOf, programs, settingsOf } from "../../scripts/fleet/topology.ts";
import { drop, hold } from "../servers/keep.ts";
import { describeWith } from "../servers/not-run.ts";
import { signal } from "../servers/tree.ts";
import { ended, lastEvent, Workplace } from "./cli.ts";

const root = join(import.meta.dirname, "..", "..");

/** `npm run HALF -- …`, without npm. */
async function script(folder: string, half: string, ...args: string[]): Promise<string> {
  const path = join(root, "scripts", "fleet.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [path, half, ...args, "--folder", folder]);
  holdWhatRuns(folder);
  return stdout;
}

const held = new Set<number>();

/** What runs in the background must not outlive a test that is killed. */
function holdWhatRuns(folder: string): void {
  const pids = new Set([readState(folder, "infra")?.pid, readState(folder, "fleet")?.pid]);
  for (const pid of held) if (!pids.has(pid) && held.delete(pid)) drop(pid);
  for (const pid of pids) if (pid !== undefined && held.add(pid)) hold(pid);
}

function running(folder: string, half: "infra" | "fleet"): State {
  const state = readState(folder, half);
  if (state === undefined) throw new Error(`${half} does not run`);
  return state;
}

async function count(place: Workplace, url: string, sql: string): Promise<number> {
  const { stdout } = await place.millrace("query", url, sql, "--json");
  return Number((JSON.parse(stdout) as { n: number }[])[0]?.n);
}

/** As `count`, once it is as many as wanted, or what it came to after a minute. */
async function countOf(place: Workplace, url: string, sql: string, wanted: number): Promise<number> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = await count(place, url, sql);
    if (found === wanted || Date.now() > deadline) return found;
  }
}

const rows = "select count(*) as n from diag";

describeWith(["kafka", "postgres", "nginx"], "the fleet with its servers as plain processes", () => {
  it("stores what was answered through nginx, keeps it when it is taken down, and leaves nothing after -v", async () => {
    await using place = await Workplace.open();
    chmodSync(place.folder, 0o755); // PostgreSQL has an account of its own.
    const folder = place.path("fleet");
    try {
      expect(await script(folder, "fleet", "up")).toContain("consumer-2");
      const { table = "" } = running(folder, "infra").places;
      const host = running(folder, "fleet").places["url"] ?? "";
      const driving = ended(
        place.start(["fleet", "--vehicles", "50", "--delay", "0.5", "--for", "5s", "--json", "--host", host]),
      );
      const producer = running(folder, "fleet").parts.find(({ name }) => name === "producer-1");
      if (producer?.pid === undefined) throw new Error("no producer runs");
      signal(producer.pid, "SIGKILL");
      const { answered, failed } = lastEvent((await driving).stdout);
      expect(failed).toBe(0);
      expect(await countOf(place, table, rows, Number(answered))).toBe(answered);
      const ledger = "select sum(loaded) as n from millrace_ledger";
      expect(await count(place, table, ledger)).toBe(answered);
      await expect(script(folder, "infra", "down")).rejects.toThrow("Producers and consumers still run");

      await script(folder, "fleet", "down");
      expect([readState(folder, "infra"), readState(folder, "fleet")]).toEqual([undefined, undefined]);
      await script(folder, "infra", "up");
      expect(await count(place, table, rows)).toBe(answered);
      await expect(script(folder, "infra", "up", "--brokers", "2")).rejects.toThrow("usage");
    } finally {
      await script(folder, "fleet", "down", "-v");
    }
    expect(existsSync(folder)).toBe(false);
    const processes = await promisify(execFile)("ps", ["-A", "-o", "command="]);
    expect(processes.stdout).not.toContain(folder);
  }, 240_000);
});

describe("the fleet in containers", () => {
  const compose = readFileSync(join(root, "deploy", "fleet", "compose.yaml"), "utf8");
  const services = compose.slice(compose.indexOf("\nservices:"), compose.indexOf("\nvolumes:"));

  it("is the same programs with the same roles and settings, behind the same proxy", () => {
    const names = [...services.matchAll(/^ {2}([\w-]+):$/gm)].map(([, name]) => name);
    const servers = ["kafka-1", "kafka-2", "kafka-3", "postgres"];
    expect(names).toEqual([...servers, ...Object.keys(programs), "nginx"]);
    const proxy = readFileSync(join(root, "deploy", "fleet", "nginx.conf"), "utf8");
    for (const [name, { role }] of Object.entries(programs)) {
      const section = services.split(`\n  ${name}:\n`)[1]?.split("\n\n")[0] ?? "";
      const [, command = ""] = /command: (\[.*\])/.exec(section) ?? [];
      expect(JSON.parse(command)).toEqual(commandOf(role));
      expect(section).toContain("<<: *settings");
      expect(proxy.includes(`server ${name}:8080;`)).toBe(role === "serve");
    }
    const settings = compose.slice(compose.indexOf("x-settings:"), compose.indexOf("x-kafka:"));
    const named = [...settings.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
    expect(named).toEqual(Object.keys(settingsOf({ stream: "", table: "" })));
  });
});
