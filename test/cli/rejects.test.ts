import { readdir, readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventsOf, lastEvent, Workplace } from "./cli.ts";

const to = ["--to", "duckdb:p.db"];
const contract = {
  table: "people",
  columns: { id: { type: "integer", key: true }, name: { type: "text" }, born: { type: "date" } },
};

let place: Workplace;
beforeEach(async () => {
  place = await Workplace.open();
  await place.write("people.json", JSON.stringify(contract));
  await place.write("people.csv", "1,Ada,1815-12-10\n2,,1906-12-09\nx3,Ida,19-1\n4,=1+1,never\n");
  await place.millrace("load", "people.csv", "--no-header", "--contract", "people.json", ...to);
});
afterEach(() => place[Symbol.asyncDispose]());

const rejects = (...args: string[]) => place.millrace("rejects", ...args, ...to);

async function people(): Promise<unknown> {
  return JSON.parse(
    (await place.millrace("query", "duckdb:p.db", "select * from people order by id", "--json")).stdout,
  );
}

const ada = { id: 1, name: "Ada", born: "1815-12-10" };
const grace = { id: 2, name: "Grace", born: "1906-12-09" };

describe("millrace rejects list", () => {
  it("groups by reason, then shows the newest first", async () => {
    const { code, stdout } = await rejects("list");
    expect(code).toBe(0);
    expect(stdout).toMatch(/ 2 {2}type +born +load:people\n/);
    expect(stdout).toMatch(/ 1 {2}missing +name +load:people\n/);
    expect(stdout).toMatch(/#3 {2}people\.csv:4 {2}born[^]*#2 {2}people\.csv:3[^]*#1 {2}people\.csv:2/);
  });

  it("--code gives those of one reason", async () => {
    const { stdout } = await rejects("list", "--code", "type", "--rows", "1");
    expect(stdout).toMatch(/ 2 {2}type +born/);
    expect(stdout).not.toMatch(/missing +name/);
    expect(stdout).toContain("The newest 1 of 2 rejects");
    expect((await rejects("list", "--code", "oneOf")).stdout).toBe("No reject is open for oneOf.\n");
    const wrong = await rejects("list", "--code", "mising");
    expect({ code: wrong.code, stderr: wrong.stderr }).toEqual({ code: 2, stderr: expect.stringContaining("missing") });
  });

  it("doctor counts the records, not their reasons", async () => {
    const { stdout } = await place.millrace("doctor", "duckdb:p.db");
    expect(stdout).toMatch(/rejects +3 are open/);
  });

  it("--json gives groups and rejects", async () => {
    const events = eventsOf((await rejects("list", "--json")).stdout);
    expect(events.filter(({ event }) => event === "group")).toContainEqual({
      ...{ event: "group", pipeline: "load:people", code: "type", column: "born", count: 2 },
    });
    expect(events.filter(({ event }) => event === "reject").map(({ record }) => record)).toEqual([
      ...["2,,1906-12-09", "x3,Ida,19-1", "4,=1+1,never"],
    ]);
    expect(events.at(-1)).toEqual({ event: "done", rejects: 3 });
  });
});

describe("a place that is not there", () => {
  it.each([["rejects", "list"], ["why", "people", "1"], ["doctor"]])("is not created by %s", async (...args) => {
    const url = args[0] === "doctor" ? ["duckdb:typo.db"] : ["--to", "duckdb:typo.db"];
    const { code, stdout, stderr } = await place.millrace(...args, ...url);
    expect(code).toBe(1);
    expect(stdout + stderr).toContain("duckdb:typo.db is not there");
    expect(await readdir(place.folder)).not.toContain("typo.db");
  });
});

describe("millrace rejects show", () => {
  it("gives every reason and marks the failing values", async () => {
    const { stdout } = await rejects("show", "2");
    expect(stdout).toContain("people.csv:3");
    expect(stdout).toMatch(/\n {2}type +id: "x3"/);
    expect(stdout).toMatch(/\n {2}type +born: "19-1"/);
    expect(stdout).toContain("\n  x3,Ida,19-1\n  ^^     ^^^^\n");
  });

  it("marks a field that is missing", async () => {
    expect((await rejects("show", "1")).stdout).toContain("\n  2,,1906-12-09\n    ^\n");
  });

  it("--json gives the record and how it is read", async () => {
    expect(lastEvent(`${(await rejects("show", "1", "--json")).stdout}`)).toMatchObject({
      ...{ id: "1", source: "people.csv", line: 2, record: "2,,1906-12-09", state: "open", attempts: 1 },
      format: { format: "csv" },
    });
  });

  it.each([
    { id: "99", code: 1, says: "REJECT_UNKNOWN" },
    { id: "one", code: 2, says: "USAGE" },
  ])("$says for $id", async ({ id, code, says }) => {
    const answer = await rejects("show", id);
    expect(answer.code).toBe(code);
    expect(answer.stderr).toContain(`error ${says}`);
  });
});

describe("millrace rejects replay", () => {
  it("sends a corrected record, once", async () => {
    await place.write("fixed.txt", "2,Grace,1906-12-09\r\n");
    const first = await rejects("replay", "1", "--with", "fixed.txt");
    expect(first.stdout).toContain("replayed 1 = loaded 1 + merged 0 + filtered 0 + rejected 0");
    expect(await people()).toEqual([ada, grace]);
    const second = await rejects("replay", "1", "--with", "fixed.txt");
    expect(second.code).toBe(1);
    expect(second.stderr).toContain("replayed already");
    expect((await rejects("list")).stdout).not.toContain("#1 ");
    expect((await rejects("list", "--all")).stdout).toContain("#1 replayed");
  });

  it("sends many corrected records; what fails again stays open with its new reason", async () => {
    await place.write("fixed.ndjson", '{"id":1,"record":"2,Grace,1906-12-09"}\n{"id":"2","record":"3,Ida,soon"}\n');
    const { stdout } = await rejects("replay", "--with", "fixed.ndjson", "--json");
    expect(lastEvent(stdout)).toMatchObject({ read: 2, loaded: 1, rejected: 1 });
    expect((await rejects("show", "2")).stdout).toContain('"soon"');
  });

  it("sends all of a reason through another contract", async () => {
    const name = { type: "text", nullable: true };
    await place.write("loose.json", JSON.stringify({ ...contract, columns: { ...contract.columns, name } }));
    const strict = await rejects("replay", "--code", "missing");
    expect(strict.stdout).toContain("rejected 1");
    await place.millrace("load", "people.csv", "--no-header", "--contract", "loose.json", "--table", "loose", ...to);
    const loose = await rejects("replay", "--all", "--pipeline", "load:loose");
    expect(loose.stdout).toContain("replayed 2 = loaded 0 + merged 0 + filtered 0 + rejected 2");
  });

  it.each([
    { args: ["replay"], says: "Nothing says which rejects" },
    { args: ["replay", "1", "--with", "nothing.txt"], says: "nothing.txt" },
    { args: ["replay", "--with", "people.csv"], says: "people.csv:1" },
    { args: ["replay", "77"], says: "There is no reject 77" },
  ])("says what is wrong with $args", async ({ args, says }) => {
    const { code, stderr } = await rejects(...args);
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain(says);
  });
});

describe("millrace rejects export", () => {
  it("writes CSV whose cells no spreadsheet takes for a formula", async () => {
    await place.write("signs.csv", "9,a,=cmd()\n");
    await place.millrace("load", "signs.csv", "--no-header", "--contract", "people.json", ...to);
    expect((await rejects("export", "--out", "r.csv")).stdout).toContain("4 rejects written to r.csv");
    const text = await readFile(place.path("r.csv"), "utf8");
    expect(text).toContain(",'=cmd(),");
    expect(text).toContain(',"9,a,=cmd()"\n');
    expect((await rejects("export", "--out", "r.csv")).code).toBe(2);
  });
});
