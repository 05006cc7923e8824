import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Workplace } from "./cli.ts";

let place: Workplace;
beforeAll(async () => {
  place = await Workplace.open();
  await place.write("pairs.csv", Array.from({ length: 50 }, (_, n) => `${n},value ${n}\n`).join(""));
  await place.millrace("load", "pairs.csv", "--no-header", "--to", "duckdb:q.db");
});
afterAll(() => place[Symbol.asyncDispose]());

const query = (sql: string, ...more: string[]) => place.millrace("query", "duckdb:q.db", sql, ...more);

describe("millrace query --json", () => {
  it("gives one JSON array, of every type", async () => {
    const sql = `select 1 as i, 9007199254740993::bigint as b, 1.10::decimal(9,2) as d, 1.5::double as f, 'NaN'::double as n,
      true as t, null as z, 'a"\n' as s, date '2021-02-03' as day, timestamp '2021-02-03 04:05:06.5' as at,
      '{"a":[1]}'::json as j, 'ab'::blob as x, uuid '00000000-0000-0000-0000-000000000001' as u, [1, 2] as l`;
    const { code, stdout } = await query(sql, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual([
      {
        ...{ i: 1, b: "9007199254740993", d: "1.10", f: 1.5, n: "NaN", t: true, z: null, s: 'a"\n' },
        ...{ day: "2021-02-03", at: "2021-02-03T04:05:06.5", j: { a: [1] }, x: "YWI=" },
        ...{ u: "00000000-0000-0000-0000-000000000001", l: [1, 2] },
      },
    ]);
  });

  it("gives an empty array for no rows, and every row of many", async () => {
    expect((await query("select * from pairs where false", "--json")).stdout).toBe("[]\n");
    const { stdout } = await query("select range as n from range(100000)", "--json");
    expect((JSON.parse(stdout) as unknown[]).length).toBe(100_000);
  });
});

describe("millrace query --format csv", () => {
  const sql = `select -1 as "=n", '=1+1' as f, '@x,"y"' as q, -1.50::decimal(9,2) as d, null as z from range(2)`;

  it("gives all rows as a spreadsheet takes them for text", async () => {
    const row = `-1,'=1+1,"'@x,""y""",-1.50,\n`;
    expect((await query(sql, "--format", "csv")).stdout).toBe(`'=n,f,q,d,z\n${row}${row}`);
  });

  it("gives them as they are with --raw", async () => {
    const row = `-1,=1+1,"@x,""y""",-1.50,\n`;
    expect((await query(sql, "--format", "csv", "--raw")).stdout).toBe(`=n,f,q,d,z\n${row}${row}`);
  });
});

describe("millrace query for people", () => {
  it("shows an aligned table and counts its rows", async () => {
    const { stdout } = await query("select column0 as n, column1 as name from pairs order by n desc limit 2");
    expect(stdout).toBe(" n  name\n──  ────────\n49  value 49\n48  value 48\n(2 rows)\n");
  });

  it("shows the first rows of many and says how to see more", async () => {
    const { stdout } = await query("select * from pairs");
    expect(stdout).toContain("(the first 20 of 50 rows");
    expect((await query("select * from pairs", "--rows", "50")).stdout).toContain("(50 rows)");
  });

  it("says that there is no row", async () => {
    expect((await query("select * from pairs where false")).stdout).toContain("(0 rows)");
  });

  it("ends quietly when the reader leaves", async () => {
    const child = place.start(["query", "duckdb:q.db", "select range as n from range(3000000)", "--json"]);
    let stderr = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdout?.once("data", () => child.stdout?.destroy());
    const code = await new Promise((resolve) => child.once("close", resolve));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});

describe("what query refuses", () => {
  it.each([
    { sql: "selec 1", error: "SINK_REFUSED" },
    { sql: "drop table pairs", error: "SINK_REFUSED" },
    { sql: "select * from nothing", error: "SINK_REFUSED" },
  ])("$sql", async ({ sql, error }) => {
    const { code, stdout, stderr } = await query(sql, "--json");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`error ${error}`);
  });

  it("a place that is not there, and creates none", async () => {
    const { code, stderr } = await place.millrace("query", "duckdb:typo.db", "select 1");
    expect(code).toBe(1);
    expect(stderr).toContain("error FILE_MISSING: duckdb:typo.db is not there");
    expect(await readdir(place.folder)).not.toContain("typo.db");
  });
});
