import type { ChildProcess } from "node:child_process";
import { expect } from "vitest";
import { freePort } from "../servers/place.ts";
import { ended, lastEvent, lineWith, Workplace } from "./cli.ts";

export interface Story {
  /** `--set` of the fleet's places; none for the embedded ones. */
  readonly settings: (place: Workplace) => readonly string[];
  /** Where the table is, for `millrace query`. */
  readonly table: (place: Workplace) => string;
  /** What each process does: one `serve` or `all` at least, whose port the vehicles are sent to. */
  readonly roles: readonly ("all" | "serve" | "work")[];
  /** Which of them are killed, one after another. */
  readonly killed: readonly number[];
}

/** Starts the processes, drives vehicles, kills some of the processes on the way, and compares answers with rows. */
export async function playFleet(story: Story): Promise<void> {
  await using place = await Workplace.open();
  const ports = await Promise.all(story.roles.map(async () => String(await freePort())));
  const settings = story.settings(place);
  const start = async (index: number): Promise<ChildProcess> => {
    const sets = settings.flatMap((setting) => ["--set", setting]);
    const role = ["--role", story.roles[index] ?? "all"];
    const data = ["--data", place.path(settings.length === 0 ? "data" : `data-${index}`)];
    const child = place.start(["start", "--port", ports[index] ?? "0", "--apps", "fleet", ...data, ...role, ...sets]);
    await lineWith(child, `http://127.0.0.1:${ports[index]}`);
    return child;
  };
  const processes = await Promise.all(story.roles.map((_, index) => start(index)));
  const host = `http://127.0.0.1:${ports[0]}`;
  const flags = ["--vehicles", "40", "--delay", "0.3", "--for", "8s", "--json", "--host", host];
  const driving = ended(place.start(["fleet", ...flags]));
  for (const index of story.killed) {
    // Under load and at no chosen moment, as somebody would pull the plug.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    processes[index]?.kill("SIGKILL");
    processes[index] = await start(index);
  }
  const { code, stdout, stderr } = await driving;
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const { sent = 0, answered = 0, failed } = lastEvent(stdout) as unknown as Record<string, number>;
  expect([failed, answered]).toEqual([0, sent]);
  expect(answered).toBeGreaterThan(40);
  await expectRows(place, story.table(place), answered);
  for (const child of processes) child.kill("SIGTERM");
  expect(await Promise.all(processes.map((child) => endOf(child)))).toEqual(processes.map(() => 0));
}

async function expectRows(place: Workplace, url: string, answered: number): Promise<void> {
  const count = async (sql: string): Promise<number> => {
    const { stdout } = await place.millrace("query", url, sql, "--json");
    return Number((JSON.parse(stdout) as { n: number }[])[0]?.n);
  };
  let rows = 0;
  const deadline = Date.now() + 60_000;
  while (rows < answered && Date.now() < deadline) rows = await count("select count(*) as n from diag");
  expect(rows).toBe(answered);
  const unbalanced = 'select count(*) as n from millrace_ledger where "read" <> loaded + merged + filtered + rejected';
  expect(await count(unbalanced)).toBe(0);
  expect(await count("select sum(loaded) as n from millrace_ledger")).toBe(answered);
}

function endOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("close", resolve));
}
