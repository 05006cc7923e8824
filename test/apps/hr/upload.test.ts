import { readdir } from "node:fs/promises";
import { expect, it, describe } from "vitest";
import { departmentsCsv, jobsCsv } from "../../../scripts/sample-data.ts";
import { employeesFrom, hiredFields, hiredLine, hiredLines, idRanges, selectHired, storedOf } from "./hired.ts";
import { describeOnPlaces } from "./places.ts";
import { admin, fieldsOf, filePart, type Upload } from "./service.ts";

const allGood = "All the records have been uploaded";
const someBad = (good: number): string => `Errors founded on records failed, successfully uploaded ${good} registers`;
const lineCount = { error: "The number of lines should be between 1 and 1000" };
const unknownTable = { error: "The data table is not availabe for upload" };
const goodKeys = ["file", "type", "columns", "rows", "result", "nrows_inserted", "duration(s)"];
const badKeys = [...goodKeys.slice(0, 6), "rows_failed", "nrows_failed", "duration(s)", "errors"];

const bom = "\uFEFF";

function hired(content: string | Uint8Array, more: Partial<Upload> = {}): Upload {
  return { name: "hired_employees.csv", content, ...more };
}

describeOnPlaces("an upload", (hr) => {
  const take = idRanges();
  const stored = (first: number, count: number) =>
    hr().query(`${selectHired} where id >= ${first} and id < ${first + count} order by hired_employees.id`);

  describe("of a good file", () => {
    it("is answered with what was loaded, keys in the order of the contract", async () => {
      const first = take(7);
      const answer = await hr().uploaded(hired(hiredLines(first, 7)));
      expect(answer).toMatchObject({
        ...{ file: "hired_employees.csv", type: "text/csv", columns: 5, rows: 7 },
        ...{ result: allGood, nrows_inserted: 7, "duration(s)": expect.any(Number) },
      });
      expect(Object.keys(answer).slice(0, goodKeys.length)).toEqual(goodKeys);
      expect(answer).not.toHaveProperty("rows_failed");
      expect(answer).not.toHaveProperty("nrows_failed");
      expect(answer).not.toHaveProperty("nrows_merged");
      expect(answer["duration(s)"]).toBeGreaterThanOrEqual(0);
      expect(await stored(first, 7)).toEqual(
        Array.from({ length: 7 }, (_, index) => storedOf(hiredFields(first + index))),
      );
    });

    it.each([
      { table: "departments", content: departmentsCsv(), rows: 12 },
      { table: "jobs", content: jobsCsv(), rows: 183 },
    ])("goes into $table", async ({ table, content, rows }) => {
      const answer = await hr().uploaded({ name: `${table}.csv`, content });
      expect(answer).toMatchObject({ columns: 2, rows, result: allGood, nrows_inserted: rows });
      expect(await hr().count(table)).toBe(rows);
    });

    it.each(["text/csv", "application/vnd.ms-excel", "application/octet-stream", "text/plain"])(
      "says the content type of its file as it was sent: %s",
      async (type) => {
        expect((await hr().uploaded(hired(hiredLines(take(1), 1), { type }))).type).toBe(type);
      },
    );

    it("is what the form's format says when the file says no content type", async () => {
      // RFC 7578, 4.4: text/plain.
      expect((await hr().uploaded(hired(hiredLines(take(1), 1), { type: undefined }))).type).toBe("text/plain");
    });

    it("may come as fetch and browsers build forms", async () => {
      const form = new FormData();
      form.append("file", new Blob([hiredLines(take(3), 3)], { type: "text/csv" }), "hired_employees.csv");
      for (const { name, value } of fieldsOf(admin)) form.append(name, String(value));
      const { status, body } = await hr().request("/upload", { method: "POST", body: form });
      expect({ status, body }).toMatchObject({ status: 200, body: { rows: 3, nrows_inserted: 3 } });
    });

    it("takes references to departments and jobs that are not there yet", async () => {
      const id = take(1);
      const content = `${hiredLine(id, { department_id: "9999", job_id: "8888" })}\n`;
      expect(await hr().uploaded(hired(content))).toMatchObject({ result: allGood, nrows_inserted: 1 });
    });
  });

  describe("of a file with bad records", () => {
    it("loads the good ones and gives the bad ones back, keys in the order of the contract", async () => {
      const first = take(4);
      const content = [
        ...[hiredLine(first), hiredLine(first + 1, { job_id: "" })],
        ...[hiredLine(first + 2), hiredLine(first + 3, { department_id: "five" })],
      ];
      const answer = await hr().uploaded(hired(`${content.join("\n")}\n`));
      expect(answer).toMatchObject({ rows: 4, result: someBad(2), nrows_inserted: 2, nrows_failed: 2 });
      expect(Object.keys(answer).slice(0, badKeys.length)).toEqual(badKeys);
      expect(answer.rows_failed).toEqual([
        { ...hiredFields(first + 1), job_id: "" },
        { ...hiredFields(first + 3), department_id: "five" },
      ]);
      expect(answer.errors).toHaveLength(2);
      expect(answer.errors).toMatchObject([
        { line: 2, column: "job_id", reason: expect.stringMatching(/\w/) },
        { line: 4, column: "department_id", value: "five", reason: expect.stringMatching(/\w/) },
      ]);
    });

    it("is taken when no record is good", async () => {
      const content = `${hiredLine(take(1), { name: "" })}\nnothing of use\n`;
      const answer = await hr().uploaded(hired(content));
      expect(answer).toMatchObject({ rows: 2, result: someBad(0), nrows_inserted: 0, nrows_failed: 2 });
    });
  });

  describe("that comes again", () => {
    it("changes nothing, and says so", async () => {
      const first = take(5);
      const content = `${hiredLines(first, 4)}${hiredLine(first + 4, { datetime: "today" })}\n`;
      const before = await hr().uploaded(hired(content));
      const rows = await stored(first, 5);
      const again = await hr().uploaded(hired(content));
      expect(before).toMatchObject({ nrows_inserted: 4, nrows_failed: 1, result: someBad(4) });
      expect(again).toMatchObject({ rows: 5, nrows_inserted: 0, nrows_merged: 4, nrows_failed: 1, result: someBad(4) });
      expect(again.rows_failed).toEqual(before.rows_failed);
      expect(await stored(first, 5)).toEqual(rows);
    });

    it("changes the rows of the same id and adds the others", async () => {
      const first = take(3);
      await hr().uploaded(hired(hiredLines(first, 2)));
      const content = `${hiredLine(first + 1, { name: "Renamed" })}\n${hiredLine(first + 2)}\n`;
      const answer = await hr().uploaded(hired(content));
      expect(answer).toMatchObject({ rows: 2, result: allGood, nrows_inserted: 1, nrows_merged: 1 });
      expect((await stored(first, 3)).map(({ name }) => name)).toEqual([
        ...[hiredFields(first).name, "Renamed", hiredFields(first + 2).name],
      ]);
    });

    it("takes the last of two records of one id in one file", async () => {
      const id = take(1);
      const content = `${hiredLine(id, { name: "Earlier" })}\n${hiredLine(id, { name: "Later" })}\n`;
      const answer = await hr().uploaded(hired(content));
      expect(answer.nrows_inserted + (answer.nrows_merged ?? 0)).toBe(2);
      expect((await stored(id, 1)).map(({ name }) => name)).toEqual(["Later"]);
    });
  });

  describe("with ?mode=append", () => {
    it("refuses records whose id is there, each with a reason", async () => {
      const first = take(4);
      await hr().uploaded(hired(hiredLines(first + 1, 2)));
      const changed = [0, 1, 2, 3].map((more) => hiredLine(first + more, { name: `New ${more}` })).join("\n");
      const answer = await hr().uploaded(hired(changed, { query: "?mode=append" }));
      expect(answer).toMatchObject({ rows: 4, nrows_inserted: 2, nrows_failed: 2, result: someBad(2) });
      expect(answer.rows_failed?.map(({ name }) => name)).toEqual(["New 1", "New 2"]);
      expect(answer.errors).toMatchObject([
        { line: 2, reason: expect.stringMatching(/\w/) },
        { line: 3, reason: expect.stringMatching(/\w/) },
      ]);
      const names = (await stored(first, 4)).map(({ name }) => name);
      expect(names).toEqual(["New 0", hiredFields(first + 1).name, hiredFields(first + 2).name, "New 3"]);
    });

    it("takes one of two records of one id in one file", async () => {
      const id = take(1);
      const content = `${hiredLine(id)}\n${hiredLine(id, { name: "Twin" })}\n`;
      const answer = await hr().uploaded(hired(content, { query: "?mode=append" }));
      expect(answer).toMatchObject({ rows: 2, nrows_inserted: 1, nrows_failed: 1 });
      expect(await hr().count("hired_employees", `id = ${id}`)).toBe(1);
    });

    it("refuses all of a file that comes again", async () => {
      const upload = hired(hiredLines(take(3), 3), { query: "?mode=append" });
      expect(await hr().uploaded(upload)).toMatchObject({ nrows_inserted: 3, result: allGood });
      expect(await hr().uploaded(upload)).toMatchObject({ nrows_inserted: 0, nrows_failed: 3, result: someBad(0) });
    });

    it("an unknown mode is refused, an empty one is none", async () => {
      const content = hiredLines(take(1), 1);
      const { status, body } = await hr().upload(hired(content, { query: "?mode=sideways" }));
      expect({ status, body }).toMatchObject({ status: 422, body: { detail: expect.any(Array) } });
      expect(await hr().uploaded(hired(content, { query: "?mode=" }))).toMatchObject({ nrows_inserted: 1 });
    });
  });

  describe("counts lines", () => {
    it.each([
      { title: "no byte", content: "" },
      { title: "blank lines alone", content: "\n\r\n\n" },
      { title: "a byte order mark alone", content: bom },
    ])("and refuses $title", async ({ content }) => {
      const { status, body } = await hr().upload(hired(content));
      expect({ status, body }).toEqual({ status: 405, body: lineCount });
    });

    it.each([1, 1000])("and takes %i", async (count) => {
      const answer = await hr().uploaded(hired(hiredLines(take(count), count)));
      expect(answer).toMatchObject({ rows: count, nrows_inserted: count, result: allGood });
    });

    it.each([
      { title: "1001", end: "\n", cut: 0 },
      { title: "1001, CR LF", end: "\r\n", cut: 0 },
      { title: "1001, the last without an end", end: "\n", cut: 1 },
    ])("and refuses $title, of which nothing is loaded", async ({ end, cut }) => {
      const first = take(1001);
      const text = hiredLines(first, 1001, end);
      const { status, body } = await hr().upload(hired(text.slice(0, text.length - cut)));
      expect({ status, body }).toEqual({ status: 405, body: lineCount });
      expect(await hr().count("hired_employees", `id >= ${first} and id < ${first + 1001}`)).toBe(0);
    });

    it("but not those that are empty", async () => {
      const content = `\n${hiredLines(take(1000), 1000)}\n\r\n\n`;
      expect(await hr().uploaded(hired(content))).toMatchObject({ rows: 1000, nrows_inserted: 1000 });
    });

    it("of the file when it says where a bad record is", async () => {
      const content = `${hiredLine(take(1))}\n\n\n${hiredLine(take(1), { job_id: "x" })}\n`;
      const { rows, errors } = await hr().uploaded(hired(content));
      expect({ rows, lines: errors?.map(({ line }) => line) }).toEqual({ rows: 2, lines: [4] });
    });
  });

  describe("may end lines as it likes", () => {
    it.each([
      { title: "CR LF", make: (lines: string[]) => lines.map((line) => `${line}\r\n`).join("") },
      { title: "LF and CR LF in one file", make: ([one, ...rest]: string[]) => `${one}\r\n${rest.join("\n")}\n` },
      { title: "no final line end", make: (lines: string[]) => lines.join("\n") },
      { title: "CR LF, no final line end", make: (lines: string[]) => lines.join("\r\n") },
      { title: "a byte order mark", make: (lines: string[]) => `${bom}${lines.join("\n")}\n` },
      { title: "a byte order mark and CR LF", make: (lines: string[]) => `${bom}${lines.join("\r\n")}` },
    ])("$title", async ({ make }) => {
      const first = take(3);
      const lines = [0, 1, 2].map((more) => `${first + more},Department ${first + more}`);
      const answer = await hr().uploaded({ name: "departments_ends.csv", content: make(lines) });
      expect(answer).toMatchObject({ rows: 3, result: allGood });
      const names = await hr().query(
        `select department from departments where id >= ${first} and id < ${first + 3} order by id`,
      );
      expect(names.map(({ department }) => department)).toEqual([0, 1, 2].map((more) => `Department ${first + more}`));
    });
  });

  describe("goes by its name", () => {
    it.each([
      { name: "hired_employees.csv" },
      { name: "hired_employees_20221130.csv" },
      { name: "hired_employees copy.csv" },
      { name: "hired_employees_año_名.csv" },
    ])("into hired_employees: $name", async ({ name }) => {
      const answer = await hr().uploaded({ name, content: hiredLines(take(2), 2) });
      expect(answer).toMatchObject({ file: name, columns: 5, nrows_inserted: 2 });
    });

    it("into jobs: jobs_prod.csv", async () => {
      const answer = await hr().uploaded({ name: "jobs_prod.csv", content: "4001,Baker\n4002,Smith\n" });
      expect(answer).toMatchObject({ file: "jobs_prod.csv", columns: 2, nrows_inserted: 2 });
    });

    it.each([
      ...["20221120_hired_employees.csv", "myowntable.csv", "x", ".csv", "employees.csv"],
      ...["../../etc/passwd.csv", "hired_employees/../x.csv", "/etc/passwd", "millrace_ledger.csv", "users.csv"],
    ])("and is refused when no table is called so: %s", async (name) => {
      const { status, body } = await hr().upload({ name, content: hiredLines(take(1), 1) });
      expect({ status, body }).toEqual({ status: 405, body: unknownTable });
    });

    it.each([
      { title: "statements", name: "jobs'; drop table jobs; --.csv" },
      { title: "a folder of its own", name: "../hired_employees.csv" },
      { title: "thousands of characters", name: `hired_employees${"x".repeat(5000)}.csv` },
      { title: "escapes", name: "hired_employees%2e%2e%2fx\\..\\y.csv" },
    ])("which may hold $title and does no harm", async ({ name }) => {
      const { status } = await hr().upload({ name, content: "5001,Cooper\n" });
      expect([200, 405, 413, 422]).toContain(status);
      expect(await hr().count("jobs")).toBeGreaterThan(0);
    });

    it("and leaves no file of that name", async () => {
      const strays = (await readdir(hr().workplace.folder, { recursive: true })).filter((path) =>
        /(^|\/)(x|passwd|.*employees.*|jobs.*)\.csv$/.test(path),
      );
      expect(strays).toEqual([]);
    });
  });

  it("adds up every time: records read are those inserted, merged and failed", async () => {
    const first = take(999);
    const inserted: number[] = [];
    for (const seed of [1, 2, 1]) {
      const answer = await hr().uploaded(hired(employeesFrom(first, { rows: 999, bad: 600, seed })));
      const { nrows_inserted, nrows_merged = 0, errors } = answer;
      expect(answer).toMatchObject({ rows: 999, nrows_failed: 600, result: someBad(399) });
      expect(nrows_inserted + nrows_merged).toBe(399);
      expect(answer.rows_failed).toHaveLength(600);
      expect(new Set(errors?.map(({ line }) => line)).size).toBe(600);
      inserted.push(nrows_inserted);
    }
    expect(inserted).toEqual([399, 0, 0]);
    expect(await hr().count("hired_employees", `id >= ${first} and id < ${first + 999}`)).toBe(399);
  });

  it("takes credentials in the form and by Basic alike", async () => {
    const upload = hired(hiredLines(take(2), 2));
    const form = await hr().uploaded(upload);
    const { status, body } = await hr().send("/upload", [filePart(upload)], { who: admin });
    expect(form).toMatchObject({ nrows_inserted: 2 });
    expect({ status, body }).toMatchObject({ status: 200, body: { nrows_inserted: 0, nrows_merged: 2 } });
  });
});
