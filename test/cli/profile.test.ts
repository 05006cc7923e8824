import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventsOf, lastEvent, Workplace } from "./cli.ts";

const csv = [
  "id,code,city,price,key,kpp,fixed,late,when",
  ...Array.from({ length: 3000 }, (_, index) => {
    const city = index % 3 === 0 ? "" : `"Lee's ""Summit"", ${index % 7}"`;
    const late = index < 2990 ? index : "12 boxes";
    const when = new Date(Date.UTC(2024, 0, 1 + (index % 30))).toISOString().slice(0, 10);
    return [index, String(index).padStart(5, "0"), city, index / 4, index % 5, index % 5, "x", late, when].join();
  }),
].join("\n");

let place: Workplace;

beforeAll(async () => {
  place = await Workplace.open();
  await place.write("data.csv", `${csv}\n`);
});

afterAll(() => place[Symbol.asyncDispose]());

const columnsOf = (stdout: string): Record<string, Record<string, unknown>> =>
  Object.fromEntries(
    eventsOf(stdout)
      .filter(({ event }) => event === "column")
      .map((column) => [String(column["name"]), column]),
  );

describe("millrace profile", { timeout: 120_000 }, () => {
  it("says of every column its type, what is missing, constant and double, though a sample would mislead", async () => {
    const { code, stdout } = await place.millrace("profile", "data.csv", "--json");
    expect(code).toBe(0);
    expect(columnsOf(stdout)).toMatchObject({
      id: { type: "integer", narrowest: "SMALLINT", missing: 0, distinct: 3000, min: 0, max: 2999 },
      code: { type: "text", narrowest: "VARCHAR", min: "00000", max: "02999" },
      city: {
        type: "text",
        missing: 1000,
        distinct: 7,
        examples: [`Lee's "Summit", 1`, `Lee's "Summit", 2`, `Lee's "Summit", 4`],
      },
      price: { type: "double", narrowest: "FLOAT", max: 749.75 },
      key: { narrowest: "TINYINT", distinct: 5 },
      kpp: { duplicateOf: "key" },
      fixed: { constant: "x", distinct: 1 },
      // Whole numbers but for the last ten rows, which are none.
      late: { type: "text", max: "999" },
      when: { type: "date", narrowest: "DATE", min: "2024-01-01", max: "2024-01-30", distinct: 30 },
    });
    expect(lastEvent(stdout)).toMatchObject({
      rows: 3000,
      columns: 9,
      malformed: 0,
      missing: { city: 1000 },
      constant: { fixed: "x" },
      duplicated: { key: ["kpp"] },
    });
  });

  it("says the same of the same rows in Parquet, and of a stray record that it could not be read", async () => {
    await place.millrace("load", "data.csv", "--to", "file:out", "--table", "t");
    const { stdout } = await place.millrace("profile", "out/t/*.parquet", "--json");
    expect(columnsOf(stdout)).toMatchObject({
      id: { type: "integer", narrowest: "SMALLINT", distinct: 3000 },
      city: { missing: 1000, distinct: 7 },
      kpp: { duplicateOf: "key" },
      fixed: { constant: "x" },
      when: { type: "date", min: "2024-01-01" },
    });
    await place.write("stray.csv", `a,b\n1,2\n3\n5,6\n`);
    const stray = await place.millrace("profile", "stray.csv", "--json");
    expect(eventsOf(stray.stdout).at(-2)).toMatchObject({ event: "reject", source: "stray.csv", line: 3 });
    expect(lastEvent(stray.stdout)).toMatchObject({ rows: 2, malformed: 1 });
  });

  it("writes a page in which what comes from the data is text, and which loads nothing", async () => {
    await place.write("evil.csv", `"<img src=x>",n\n"<script>alert(1)</script>",1\nb,2\n`);
    const { code } = await place.millrace("profile", "evil.csv", "--header", "--html", "page.html");
    const page = await readFile(place.path("page.html"), "utf8");
    expect(code).toBe(0);
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(page).toContain("&lt;img src=x&gt;");
    expect(page).not.toMatch(/<script|<img|https?:\/\/|url\(/);
    expect(page).toContain("default-src 'none'");
  });

  it("says what is wrong with a file that is not there, and with a place that is none", async () => {
    const missing = await place.millrace("profile", "dat.csv", "--json");
    expect([missing.code, lastEvent(missing.stdout)]).toMatchObject([1, { code: "FILE_MISSING" }]);
    const log = await place.millrace("profile", "kafka://localhost/a", "--json");
    expect([log.code, lastEvent(log.stdout)]).toMatchObject([2, { code: "SCHEME_UNKNOWN" }]);
  });
});
