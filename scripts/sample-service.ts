// What npm start goes on with: the service on a data folder of its own, with vehicles that send events and files that
// arrive in the inbox, some of their records bad, until Ctrl-C.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { departmentsCsv, employeesCsv, jobsCsv } from "./sample-data.ts";

const main = join(import.meta.dirname, "..", "src", "cli", "main.ts");
const user = "sample";
const everyMs = 10_000;
/** Then the samples have shown what they can, and a service left open over a weekend does not fill the disk. */
const filesMax = 500;

/** Serves until the process is told to end. The folder keeps what was loaded, so that the next start goes on. */
export async function serveSample(root: string, folder: string): Promise<void> {
  const data = join(folder, "service");
  const password = samplePassword(root, data);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  console.log(`\nThe service, with sample data flowing: ${url}\n  user ${user}, password ${password}; Ctrl-C ends it`);
  const stop = new AbortController();
  const service = millrace(root, ["start", "--port", String(port), "--data", data]);
  const ended = once(service, "exit").then(([code]: (number | null)[]) => {
    stop.abort();
    process.exitCode = code ?? 0;
  });
  const endOnce = (): void => {
    if (stop.signal.aborted) return;
    stop.abort();
    service.kill("SIGTERM");
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, endOnce);
  // npm that is killed takes its shell along, which tells nobody.
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && endOnce(), 1_000).unref();
  await Promise.all([ended, flow(root, join(root, data, "inbox"), url, stop.signal)]);
}

/** Vehicles and files, as soon as the service answers. */
async function flow(root: string, inbox: string, url: string, stop: AbortSignal): Promise<void> {
  if (!(await answers(url, stop))) return;
  const vehicles = millrace(root, ["fleet", "--vehicles", "20", "--delay", "1", "--host", url]);
  const gone = once(vehicles, "exit");
  stop.addEventListener("abort", () => vehicles.kill("SIGTERM"), { once: true });
  if (stop.aborted) vehicles.kill("SIGTERM");
  await fileFlow(inbox, stop);
  await gone;
}

async function fileFlow(inbox: string, stop: AbortSignal): Promise<void> {
  mkdirSync(inbox, { recursive: true });
  arrive(inbox, "departments.csv", departmentsCsv());
  arrive(inbox, "jobs.csv", jobsCsv());
  // Each start brings records of its own: the same content would load nothing, and the same ids merge into what is there.
  const seed = Math.floor(Date.now() / 1_000);
  const rows = 40;
  for (let file = 0; file < filesMax && !stop.aborted; file += 1) {
    const text = employeesCsv({ rows, bad: 3, seed: seed + file, firstId: 1 + ((seed + file * rows) % 2 ** 30) });
    arrive(inbox, `hired_employees_${seed}_${file}.csv`, text);
    await paused(everyMs, stop);
  }
}

/** Under its name only when it is whole. */
function arrive(inbox: string, name: string, text: string): void {
  const partial = join(inbox, `.${name}.part`);
  writeFileSync(partial, text);
  renameSync(partial, join(inbox, name));
}

async function answers(url: string, stop: AbortSignal): Promise<boolean> {
  while (!stop.aborted) {
    const response = await fetch(`${url}/healthz`, { signal: stop }).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok === true) return true;
    await paused(200, stop);
  }
  return false;
}

async function paused(ms: number, stop: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal: stop }).catch((error: unknown) => {
    if (!stop.aborted) throw error;
  });
}

/** The password of the sample's user: made at the first start and readable by its owner alone. */
function samplePassword(root: string, data: string): string {
  const file = join(root, data, "password.txt");
  if (existsSync(file)) return readFileSync(file, "utf8").trim();
  const password = `sample-${randomBytes(9).toString("base64url")}`;
  mkdirSync(join(root, data), { recursive: true });
  const args = ["user", "add", user, "--role", "admin", "--replace", "--data", data];
  // By standard input: arguments are seen by everybody on the machine.
  const options = { cwd: root, encoding: "utf8", input: `${password}\n` } as const;
  const { status, stderr } = spawnSync(process.execPath, [main, ...args], options);
  if (status !== 0) throw new Error(`The sample's user could not be added: ${stderr}`);
  writeFileSync(file, `${password}\n`, { mode: 0o600 });
  return password;
}

/**
 * A group of its own: Ctrl-C reaches this process, which ends the others once, and not all of them twice. What they
 * log line by line would push the address out of sight; what goes wrong is shown.
 */
function millrace(root: string, args: readonly string[]): ChildProcess {
  const env = { ...process.env, npm_lifecycle_event: "millrace" };
  return spawn(process.execPath, [main, ...args], {
    cwd: root,
    env,
    detached: true,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** The port of the documentation if nobody has it, else any. */
async function freePort(): Promise<number> {
  return (await tried(8080)) ?? (await tried(0)) ?? 8080;
}

async function tried(port: number): Promise<number | undefined> {
  const server = createServer();
  const listening = new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (!(await listening)) return undefined;
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : undefined;
}
