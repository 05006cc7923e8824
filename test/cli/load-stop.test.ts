import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { employeesContract, employeesCsv } from "../../scripts/sample-data.ts";
import { ended, eventsOf, lastEvent, lineWith, Workplace } from "./cli.ts";

const rows = 400_000;
const bad = 4_000;
const args = [
  "load",
  "hired.csv",
  "--no-header",
  "--contract",
  "hired.json",
  "--to",
  "duckdb:hr.db",
  "--memory",
  "256MB",
];

let place: Workplace;
beforeEach(async () => {
  place = await Workplace.open();
  await place.write("hired.csv", employeesCsv({ rows, bad }));
  await place.write("hired.json", JSON.stringify(employeesContract));
});
afterEach(() => place[Symbol.asyncDispose]());

async function inTable(): Promise<unknown> {
  const { stdout } = await place.millrace(
    "query",
    "duckdb:hr.db",
    "select count(*) as n, count(distinct id) as ids from hired_employees",
    "--json",
  );
  return (JSON.parse(stdout) as unknown[])[0];
}

describe.each(["SIGINT", "SIGTERM"] as const)("%s during a load", (signal) => {
  it("finishes the batch, says how to go on, and the same command goes on", async () => {
    const child = place.start([...args, "--json"]);
    const answer = ended(child);
    await lineWith(child, '"event":"batch"');
    child.kill(signal);
    const { code, stdout, stderr } = await answer;
    expect(code).toBe(130);
    expect(stderr).toContain("finishing the batch at hand");
    const first = lastEvent(stdout);
    expect(first).toMatchObject({ event: "done", interrupted: true, balanced: true });
    const committed = eventsOf(stdout).filter(({ event }) => event === "batch");
    expect(first["read"]).toBe(committed.reduce((sum, batch) => sum + Number(batch["read"]), 0));
    expect(Number(first["read"])).toBeLessThan(rows);

    const second = lastEvent((await place.millrace(...args, "--json")).stdout);
    expect(second).toMatchObject({
      alreadyLoaded: first["read"],
      read: rows - Number(first["read"]),
      interrupted: false,
    });
    expect(Number(first["rejected"]) + Number(second["rejected"])).toBe(bad);
    expect(await inTable()).toEqual({ n: rows - bad, ids: rows - bad });
  });
});

describe("Ctrl-C during a load, for people", () => {
  it("proposes the command that goes on", async () => {
    const child = place.start([...args, "--atomic"]);
    const answer = ended(child);
    child.kill("SIGINT");
    const { code, stdout, stderr } = await answer;
    // Too early for a handler, or in time for one: in both cases nothing is committed and all of it loads afterwards.
    if (code === 130) expect(stdout + stderr).toMatch(/Go on with: millrace load hired\.csv|error INTERRUPTED/);
    const second = lastEvent((await place.millrace(...args, "--json")).stdout);
    expect(second).toMatchObject({ read: rows, alreadyLoaded: 0 });
  });
});

describe("Ctrl-C while the destination is waited for", () => {
  it("ends at once", async () => {
    const away = "postgres://me:hunter2@127.0.0.1:1/hr";
    const child = place.start(["load", "hired.csv", "--no-header", "--contract", "hired.json", "--to", away, "--json"]);
    const answer = ended(child);
    await lineWith(child, '"event":"waiting"');
    child.kill("SIGINT");
    const { code, stdout } = await answer;
    expect(code).toBe(130);
    expect(lastEvent(stdout)).toMatchObject({ event: "error", code: "INTERRUPTED" });
    expect(stdout).not.toContain("hunter2");
  });
});

describe("a second Ctrl-C", () => {
  it("ends at once and loses nothing", async () => {
    const child = place.start([...args, "--json"]);
    const answer = ended(child);
    await lineWith(child, '"event":"batch"');
    child.kill("SIGINT");
    child.kill("SIGTERM");
    expect((await answer).code).toBe(130);
    await place.millrace(...args);
    expect(await inTable()).toEqual({ n: rows - bad, ids: rows - bad });
  });
});

describe("a reader that leaves", () => {
  it.each([
    { streams: ["stdout"], json: ["--json"] },
    { streams: ["stdout", "stderr"], json: [] },
  ] as const)("does not end a load: $streams", async ({ streams, json }) => {
    await place.write("few.csv", employeesCsv({ rows: 20_000, bad: 0 }));
    const child = place.start(["load", "few.csv", "--no-header", "--to", "duckdb:hr.db", "--table", "t", ...json]);
    const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
    for (const stream of streams) child[stream]?.destroy();
    expect(await closed).toBe(0);
    const { stdout } = await place.millrace("query", "duckdb:hr.db", "select count(*) as n from t", "--json");
    expect(JSON.parse(stdout)).toEqual([{ n: 20_000 }]);
  });
});
