import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lastEvent, Workplace } from "./cli.ts";

const to = ["--to", "duckdb:w.db"];
let place: Workplace;
beforeAll(async () => {
  place = await Workplace.open();
  const key = { type: "integer", key: true };
  await place.write("one.json", JSON.stringify({ table: "one", columns: { id: key, name: { type: "text" } } }));
  await place.write("two.json", JSON.stringify({ table: "two", columns: { shop: key, id: key } }));
  await place.write("one.csv", "id,name\n7,a\nx,b\n8,c\n");
  await place.write("two.csv", "shop,id\n1,10\n2,10\n");
  await place.millrace("load", "one.csv", "--header", "--contract", "one.json", "--lineage", ...to);
  await place.millrace("load", "two.csv", "--header", "--contract", "two.json", "--lineage", ...to);
  await place.millrace("load", "one.csv", "--header", "--contract", "one.json", "--table", "bare", ...to);
  await place.write("long.csv", 'id,name\n1,"a\nb"\n2,c\n');
  await place.millrace("load", "long.csv", "--header", "--contract", "one.json", "--lineage", ...to);
});
afterAll(() => place[Symbol.asyncDispose]());

const why = (...args: string[]) => place.millrace("why", ...args, ...to);

describe("millrace why TABLE KEY", () => {
  it("names file and line, batch, time, pipeline and steps", async () => {
    const { code, stdout } = await why("one", "8");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^one\.csv:4\n/);
    for (const text of ["batch ", "committed 20", "pipeline  load:one, version ", "steps     none"])
      expect(stdout).toContain(text);
  });

  it("takes a key of several columns", async () => {
    expect((await why("two", "shop=2,id=10")).stdout).toMatch(/^two\.csv:3\n/);
    const vague = await why("two", "2");
    expect(vague.code).toBe(2);
    expect(vague.stderr).toContain("shop=…,id=…");
  });

  it("--json gives the same to machines", async () => {
    expect(lastEvent((await why("one", "id=7", "--json")).stdout)).toMatchObject({
      ...{ event: "row", source: "one.csv", line: 2, exact: true, record: 0, pipeline: "load:one", table: "one" },
      definition: { steps: [] },
    });
  });

  it.each([
    { args: ["one", "99"], says: "no row with id = 99" },
    { args: ["bare", "7"], says: "carries no lineage" },
  ])("says $says", async ({ args, says }) => {
    const { code, stderr } = await why(...args);
    expect(code).toBe(1);
    expect(stderr).toContain("error ROW_UNKNOWN");
    expect(stderr).toContain(says);
  });
});

describe("millrace why FILE:LINE", () => {
  it("finds the row that a line became", async () => {
    const { stdout } = await why("one.csv:4");
    expect(stdout).toContain("became    a row of one");
    expect(stdout).toMatch(/8 {2}c/);
  });

  it("finds the reject that a line became", async () => {
    const { stdout } = await why("one.csv:3");
    expect(stdout).toMatch(/became {4}reject \d+ \(open\): id: "x"/);
  });

  it("names no row where records span several lines, rather than another one", async () => {
    const { stdout } = await why("long.csv:3");
    expect(stdout).toContain("which row is not known, as records of this batch span several lines");
    expect(stdout).not.toContain("a row of one");
  });

  it("says when no batch holds the line", async () => {
    const { code, stderr } = await why("one.csv:400");
    expect(code).toBe(1);
    expect(stderr).toContain("No committed batch holds line 400 of one.csv");
  });
});
