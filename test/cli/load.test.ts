import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ended, eventsOf, lastEvent, lineWith, Workplace } from "./cli.ts";

const doneKeys = [
  "event",
  "table",
  "read",
  "loaded",
  "merged",
  "filtered",
  "rejected",
  "alreadyLoaded",
  "balanced",
  "ms",
];

let place: Workplace;
beforeAll(async () => {
  place = await Workplace.open();
  await place.writeEmployees();
});
afterAll(() => place[Symbol.asyncDispose]());

const load = (to: string, ...more: string[]) =>
  place.millrace("load", "hired.csv", "--no-header", "--contract", "hired.json", "--to", to, ...more);

async function countOf(to: string, table = "hired_employees"): Promise<unknown> {
  const { stdout } = await place.millrace("query", to, `select count(*) as n from "${table}"`, "--json");
  return (JSON.parse(stdout) as { n: unknown }[])[0]?.n;
}

describe("millrace load --json", () => {
  it("prints one JSON object a line and ends with the figures, in the order that was promised", async () => {
    const { code, stdout, stderr } = await load("duckdb:json.db", "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const events = eventsOf(stdout);
    expect(events.map(({ event }) => event)).toEqual([
      "contract",
      "prepared",
      "lane",
      "rejects",
      "batch",
      "laneDone",
      "done",
    ]);
    const done = lastEvent(stdout);
    expect(Object.keys(done).slice(0, doneKeys.length)).toEqual(doneKeys);
    expect(done).toMatchObject({
      table: "hired_employees",
      read: 1999,
      loaded: 1929,
      merged: 0,
      filtered: 0,
      rejected: 70,
    });
    expect(done).toMatchObject({ alreadyLoaded: 0, balanced: true, mode: "merge", interrupted: false });
    expect(await countOf("duckdb:json.db")).toBe(1929);
  });

  it("loads the same content once; --again loads it once more", async () => {
    await load("duckdb:twice.db");
    const second = await load("duckdb:twice.db", "--json");
    expect(lastEvent(second.stdout)).toMatchObject({
      read: 0,
      loaded: 0,
      rejected: 0,
      alreadyLoaded: 1999,
      balanced: true,
    });
    const third = await load("duckdb:twice.db", "--json", "--again");
    expect(lastEvent(third.stdout)).toMatchObject({ read: 1999, loaded: 0, merged: 1929, rejected: 70 });
    expect(await countOf("duckdb:twice.db")).toBe(1929);
  });

  it("counts as much to read as it reads, header and all", async () => {
    await place.write("headed.csv", "identifier,a_long_name\n1,a\n2,b\n");
    const { stdout } = await place.millrace("load", "headed.csv", "--to", "duckdb:headed.db", "--json");
    const events = eventsOf(stdout);
    const sizes = (event: string) => events.filter((one) => one.event === event).map(({ sizeBytes }) => sizeBytes);
    expect(sizes("lane")).toEqual([8]);
    expect(sizes("batch")).toEqual([8]);
  });

  it("gives rejects with place, reason and record", async () => {
    const { stdout } = await load("duckdb:rejects.db", "--json");
    const [rejects] = eventsOf(stdout).filter(({ event }) => event === "rejects");
    expect(rejects).toMatchObject({
      source: "hired.csv",
      rejects: expect.arrayContaining([
        expect.objectContaining({
          line: 29,
          reasons: [expect.objectContaining({ code: "missing", column: "job_id" })],
        }),
      ]),
    });
  });

  it("ends with the error as JSON, and nothing else anywhere", async () => {
    const { code, stdout, stderr } = await place.millrace("load", "missing.csv", "--to", "duckdb:x.db", "--json");
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(lastEvent(stdout)).toEqual({
      event: "error",
      code: "FILE_MISSING",
      message: expect.stringContaining("missing.csv"),
      remedy: expect.any(String),
      at: { source: "missing.csv" },
    });
  });
});

describe("millrace load for people", () => {
  it("shows figures that add up, the first rejects, and what to do next", async () => {
    const { code, stdout } = await load("duckdb:people.db");
    expect(code).toBe(0);
    expect(stdout).toContain("hired_employees in duckdb:people.db (merge)");
    expect(stdout).toContain("read 1,999 = loaded 1,929 + merged 0 + filtered 0 + rejected 70");
    expect(stdout).toMatch(/hired\.csv:29 {2}job_id is missing\n {6}29,/);
    expect(stdout).toContain("millrace rejects list --to duckdb:people.db");
    expect(stdout).not.toContain("\u001b");
  });

  it("says that nothing is new", async () => {
    await load("duckdb:new.db");
    const { stdout } = await load("duckdb:new.db");
    expect(stdout).toContain("already loaded 1,999");
    expect(stdout).toContain("--again");
  });

  it("shows the contract that it inferred, and keeps it when asked", async () => {
    await place.write("jobs.csv", "id,job\n1,Recruiter\n2,Analyst\n");
    const first = await place.millrace(
      "load",
      "jobs.csv",
      "--to",
      "duckdb:jobs.db",
      "--key",
      "id",
      "--save-contract",
      "jobs.json",
    );
    expect(first.stderr).toMatch(/inferred contract of jobs:\n[^]*id +integer +key\n[^]*job +text +may be missing/);
    const kept = JSON.parse(await readFile(place.path("jobs.json"), "utf8")) as unknown;
    expect(kept).toMatchObject({
      table: "jobs",
      columns: { id: { type: "integer", key: true }, job: { type: "text" } },
    });
    const second = await place.millrace("load", "jobs.csv", "--to", "duckdb:jobs.db", "--save-contract", "jobs.json");
    expect(second.code).toBe(2);
    expect(second.stderr).toContain("jobs.json");
  });

  it.each([
    {
      text: "name,city\nAda,London\nGrace,New York\n",
      says: "words.csv was taken for a header (name, city); if it is data, say --no-header",
      columns: ["name", "city"],
      n: 2,
    },
    {
      text: "Ada,Lovelace?\nGrace,Hopper\n",
      says: "words.csv was taken for data (column names column0, column1); if it is a header, say --header",
      columns: ["column0", "column1"],
      n: 2,
    },
  ])("says what it guessed: $says", async ({ text, says, columns, n }) => {
    await place.write("words.csv", text);
    const to = `duckdb:words-${columns[0]}.db`;
    const { code, stderr } = await place.millrace("load", "words.csv", "--to", to);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(says) });
    expect(stderr.split("The first record of").length).toBe(2);
    const { stdout } = await place.millrace("query", to, "select * from words", "--json");
    const rows = JSON.parse(stdout) as object[];
    expect({ columns: Object.keys(rows[0] ?? {}), n: rows.length }).toEqual({ columns, n });
  });

  it("escapes what data could do to a terminal", async () => {
    await place.write("evil.csv", "1,\u001b]0;owned\u0007\nx,\u001b[2J\n");
    const contract = { table: "evil", columns: { id: { type: "integer" }, name: { type: "text" } } };
    await place.write("evil.json", JSON.stringify(contract));
    const { stdout } = await place.millrace(
      "load",
      "evil.csv",
      "--no-header",
      "--contract",
      "evil.json",
      "--to",
      "duckdb:evil.db",
    );
    expect(stdout).toContain("x,\\u001b[2J");
    const rows = await place.millrace("query", "duckdb:evil.db", "select * from evil");
    expect(rows.stdout).toContain("\\u001b]0;owned\\u0007");
    // oxlint-disable-next-line no-control-regex -- none of them may be there
    expect(stdout + rows.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  it.each([
    {
      args: ["--delimiter", ";", "--null", "-"],
      text: "1;-\n2;b\n",
      rows: [
        { id: 1, name: null },
        { id: 2, name: "b" },
      ],
    },
    { args: ["--delimiter", "tab", "--quote", "'"], text: "1\t'a\tb'\n", rows: [{ id: 1, name: "a\tb" }] },
    {
      args: ["--quote", ""],
      text: '1,"a\n2,b"\n',
      rows: [
        { id: 1, name: '"a' },
        { id: 2, name: 'b"' },
      ],
    },
    { args: ["--encoding", "latin1"], text: Buffer.from("1,caf\u00e9\n", "latin1"), rows: [{ id: 1, name: "café" }] },
    {
      args: ["--format", "ndjson", "--ignore-extra"],
      text: '{"id":1,"name":"a","more":2}\n',
      rows: [{ id: 1, name: "a" }],
    },
    { args: ["--mode", "append"], text: "1,a\n", rows: [{ id: 1, name: "a" }] },
  ])("reads as $args say", async ({ args, text, rows }) => {
    const name = args.join("").replace(/\W+/g, "_");
    await place.write(`${name}.csv`, text);
    const columns = { id: { type: "integer" }, name: { type: "text", nullable: true } };
    await place.write("named.json", JSON.stringify({ table: "named", columns }));
    const header = args.includes("ndjson") ? [] : ["--no-header"];
    const to = `duckdb:${name}.db`;
    const { code, stderr } = await place.millrace(
      "load",
      `${name}.csv`,
      ...header,
      "--contract",
      "named.json",
      "--to",
      to,
      ...args,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { stdout } = await place.millrace("query", to, "select * from named order by id", "--json");
    expect(JSON.parse(stdout)).toEqual(rows);
  });

  it("writes files as well as databases", async () => {
    const { code } = await load("file:out?format=csv", "--mode", "append", "--table", "hired");
    expect(code).toBe(0);
    expect(await countOf("file:out?format=csv", "hired")).toBe(1929);
    const kept = await place.millrace(
      ...["query", "file:out", "--json"],
      `select l.source, l.read, l.started_at <= l.committed_at as ordered, c.epoch, c.position ->> 'row' as "row",
         (select count(*) from millrace_reject where not truncated and reasons is not null) as rejects,
         (select decode(bytes) from millrace_reject where line = 29) as bytes
       from millrace_ledger l join millrace_checkpoint c using (pipeline, lane)`,
    );
    expect(JSON.parse(kept.stdout)).toEqual([
      {
        source: "hired.csv",
        read: 1999,
        ordered: true,
        epoch: 1,
        row: "1999",
        rejects: 70,
        bytes: expect.stringMatching(/^29,/),
      },
    ]);
  });
});

describe("what cannot be loaded", () => {
  it("is told which modes a sink has when the contract's key asks for another", async () => {
    const { code, stderr } = await load("file:merged");
    expect(code).toBe(2);
    expect(stderr).toContain(
      "error PIPELINE_INVALID: file:merged cannot merge rows, as a contract with a key asks for",
    );
    expect(stderr).toContain("→ Say --mode append or --mode replace");
  });

  it("is told of a sink that does not answer before the file is read", async () => {
    const child = place.start(["load", "hired.csv", "--to", "postgres://me@127.0.0.1:1/hr", "--json"]);
    const waiting = lineWith(child, '"waiting"');
    const answer = ended(child);
    await waiting;
    child.kill("SIGINT");
    const { code, stdout } = await answer;
    expect(code).toBe(130);
    expect(eventsOf(stdout).map(({ event }) => event)).not.toContain("contract");
  });

  it.each([
    { args: ["load", "hired.csv", "--to", "oracle://me:hunter2@db/hr"], code: 2, error: "SCHEME_UNKNOWN" },
    { args: ["load", "hired.csv", "--to", "postgres://me:hunter2@/:x/"], code: 2, error: "URL_INVALID" },
    { args: ["load", "empty.csv", "--to", "oracle:x"], code: 2, error: "SCHEME_UNKNOWN" },
    { args: ["load", "empty.csv", "--to", "duckdb:nowhere/x.db"], code: 1, error: "FILE_MISSING" },
    { args: ["load", "missing.csv", "--to", "duckdb:x.db"], code: 1, error: "FILE_MISSING" },
    { args: ["load", ".", "--to", "duckdb:x.db"], code: 1, error: "FILE_NOT_A_FILE" },
    { args: ["load", "empty.csv", "--to", "duckdb:x.db"], code: 1, error: "FILE_EMPTY" },
    {
      args: ["load", "hired.csv", "--to", "duckdb:x.db", "--contract", "broken.json"],
      code: 2,
      error: "CONTRACT_INVALID",
    },
    { args: ["load", "hired.csv", "--to", "duckdb:x.db", "--contract", "none.json"], code: 2, error: "USAGE" },
    { args: ["load", "hired.csv", "--to", "duckdb:x.db", "--key", "nothing"], code: 2, error: "CONTRACT_INVALID" },
    { args: ["load", "hired.csv", "--to", "duckdb:x.db", "--memory", "1MB"], code: 2, error: "USAGE" },
    { args: ["load", "hired.csv", "--to", "duckdb:x.db", "--memory", "lots"], code: 2, error: "USAGE" },
  ])("$error: $args", async ({ args, code, error }) => {
    await place.write("empty.csv", "");
    await place.write("broken.json", '{"table":"t","columns":{"id":{"type":"number"}}}');
    const answer = await place.millrace(...args);
    expect(answer.code).toBe(code);
    expect(answer.stderr).toContain(`error ${error}: `);
    expect(answer.stderr).toMatch(/\n {2}→ \S/);
    expect(answer.stderr + answer.stdout).not.toContain("hunter2");
  });
});
