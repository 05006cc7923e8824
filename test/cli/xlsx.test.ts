import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cell, row, writeBook } from "../formats/xlsx/workbook.ts";
import { eventsOf, lastEvent, Workplace } from "./cli.ts";

let place: Workplace;

beforeAll(async () => {
  place = await Workplace.open();
});

afterAll(() => place[Symbol.asyncDispose]());

const contract = {
  table: "users",
  columns: { id: { type: "integer", key: true }, name: { type: "text" }, since: { type: "date" } },
};

describe("millrace with a workbook", { timeout: 120_000 }, () => {
  it("loads the sheet that is named, once, and names sheet, row and column of what it refuses", async () => {
    const header = row(3, cell.inline("B3", "id"), cell.inline("C3", "name"), cell.inline("D3", "since"));
    const rows = [
      row(4, cell.number("B4", 1), cell.inline("C4", "Ann"), cell.number("D4", 44197, 1)),
      row(6, cell.number("B6", 2), cell.inline("C6", "Bob"), cell.inline("D6", "soon")),
      row(7, cell.inline("B7", "three"), cell.inline("C7", "Cy"), cell.number("D7", 44198, 1)),
    ];
    const more = [row(1, cell.number("A1", 7), cell.inline("B1", "Di"), cell.number("C1", 44199, 1))];
    const sheets = [
      { name: "Cover", rows: [row(1, cell.inline("A1", "Users"))] },
      { name: "Users", rows: [header, ...rows] },
      { name: "More", rows: more },
    ];
    await writeBook(place.path("users.xlsx"), { sheets, formats: [14] });
    await place.write("users.json", JSON.stringify(contract));
    const load = async (...more_: string[]) =>
      place.millrace("load", "users.xlsx", "--contract", "users.json", "--to", "duckdb:u.db", "--json", ...more_);
    const first = await load("--sheet", "users");
    expect(lastEvent(first.stdout)).toMatchObject({ event: "done", read: 3, loaded: 1, rejected: 2, balanced: true });
    expect(eventsOf(first.stdout).find(({ event }) => event === "rejects")).toMatchObject({
      source: "users.xlsx!Users",
      rejects: [
        { line: 6, reasons: [{ code: "type", column: "since", value: "soon" }] },
        { line: 7, reasons: [{ code: "type", column: "id", value: "three" }] },
      ],
    });
    expect(lastEvent((await load("--sheet", "Users")).stdout)).toMatchObject({ read: 0, alreadyLoaded: 3 });
    // Another sheet of the same file is other content.
    expect(lastEvent((await load("--sheet", "More", "--no-header")).stdout)).toMatchObject({ read: 1, loaded: 1 });
    const found = await place.millrace("query", "duckdb:u.db", "select * from users order by id", "--json");
    expect(JSON.parse(found.stdout)).toEqual([
      { id: 1, name: "Ann", since: "2021-01-01" },
      { id: 7, name: "Di", since: "2021-01-03" },
    ]);
    const replayed = await place.millrace("rejects", "replay", "--to", "duckdb:u.db", "--all", "--json");
    expect(lastEvent(replayed.stdout)).toMatchObject({ event: "done", read: 2, rejected: 2 });
    const unknown = await load("--sheet", "Usrs");
    expect([unknown.code, lastEvent(unknown.stdout)]).toMatchObject([1, { code: "SHEET_UNKNOWN" }]);
  });

  it("finds 2544 rows of 38 columns in a sheet whose missing cells are the text NULL", async () => {
    const columns = Array.from({ length: 38 }, (_, n) => n);
    const header = row(1, ...columns.map((n) => cell.inline("", `c${n}`).replace(' r=""', "")));
    const rows = Array.from({ length: 2544 }, (_, n) => {
      const cells = columns.map((c) => ((n + c) % 9 === 0 ? `<c t="s"><v>0</v></c>` : `<c><v>${n * (c + 1)}</v></c>`));
      return row(n + 2, ...cells);
    });
    const texts = ["<si><t>NULL</t></si>"];
    await writeBook(place.path("wide.xlsx"), { sheets: [{ name: "Sheet1", rows: [header, ...rows] }], texts });
    const { stdout } = await place.millrace("profile", "wide.xlsx", "--null", "NULL", "--json");
    expect(lastEvent(stdout)).toMatchObject({ source: "wide.xlsx!Sheet1", rows: 2544, columns: 38, malformed: 0 });
    const types = eventsOf(stdout).filter(({ event, type }) => event === "column" && type === "integer");
    expect(types).toHaveLength(38);
    expect(types[0]).toMatchObject({ missing: 283, min: 1, max: 2543 });
  });
});
