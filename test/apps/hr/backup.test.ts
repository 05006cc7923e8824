import { readFile, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { employeesCsv } from "../../../scripts/sample-data.ts";
import { backUp, backupsOf, hiredRows, inFolder, keptFiles, restore, uploadHired } from "./backups.ts";
import { hiredLine, hiredLines } from "./hired.ts";
import { readAvro, readParquet } from "./kept-rows.ts";
import { describeOnPlaces } from "./places.ts";
import { admin } from "./service.ts";

describeOnPlaces(
  "a backup",
  (hr) => {
    it("of a table that was never filled, and its restore, are answered", async () => {
      expect(await backUp(hr(), "jobs")).toMatchObject({ table: "jobs", rows: 0 });
      expect((await restore(hr(), "jobs")).status).toBe(200);
      expect(await hr().count("jobs")).toBe(0);
    });

    it("that is not there cannot be restored, and changes nothing", async () => {
      await hr().uploaded({ name: "departments.csv", content: "1,Sales\n2,Bakery\n" });
      const { status } = await restore(hr(), "departments");
      expect(status).toBeGreaterThanOrEqual(400);
      expect(await hr().count("departments")).toBe(2);
    });

    it("is answered at once and listed", async () => {
      await uploadHired(hr(), employeesCsv({ rows: 1000, bad: 20 }));
      const asked = Date.now();
      const first = await hr().request("/backup?table=hired_employees", { method: "POST", who: admin });
      expect(first.status).toBe(200);
      expect(first.body).toEqual({
        result: "Backup process for hired_employees started.",
        "duration(s)": expect.any(Number),
      });
      expect(Object.keys(first.body as object)).toEqual(["result", "duration(s)"]);
      const entry = await backUp(hr(), "hired_employees");
      expect(entry).toMatchObject({ table: "hired_employees", rows: 980, state: expect.stringMatching(/\w/) });
      expect(new Date(entry.createdAt).getTime()).toBeGreaterThan(asked - 60_000);
      const all = await backupsOf(hr());
      const times = all.map(({ createdAt }) => createdAt);
      expect(times).toEqual([...times].sort().reverse());
      expect(all.filter(({ table }) => table === "hired_employees")).toHaveLength(2);
      expect(new Set(all.map(({ table, version }) => `${table} ${version}`)).size).toBe(all.length);
    });

    it("brings back identical rows, whatever happened to the table", async () => {
      const before = await hiredRows(hr());
      await backUp(hr(), "hired_employees");
      const renamed = hiredLines(1, 400).replaceAll("Vimi", "Renamed");
      await uploadHired(hr(), `${renamed}${hiredLines(5000, 50)}`);
      expect(await hiredRows(hr())).not.toEqual(before);
      const { status, body } = await restore(hr(), "hired_employees");
      expect({ status, body }).toEqual({
        status: 200,
        body: { result: "Table hired_employees restored from backup.", "duration(s)": expect.any(Number) },
      });
      expect(Object.keys(body as object)).toEqual(["result", "duration(s)"]);
      expect(await hiredRows(hr())).toEqual(before);
    });

    it("brings back values of every kind as they were", async () => {
      const content = [
        hiredLine(7001, { name: '""', datetime: "1969-12-31T23:59:59Z", department_id: "2147483647", job_id: "0" }),
        hiredLine(7002, { name: "NA", datetime: "9999-12-31T23:59:59Z" }),
        hiredLine(7003, { name: '"名前, ""Zoë"" 🚀\nand a second line"', datetime: "2000-02-29T00:00:00Z" }),
        hiredLine(7004, { name: "  \\N  ", datetime: "0001-01-01T00:00:00Z" }),
      ].join("\n");
      await uploadHired(hr(), content);
      const before = (await hiredRows(hr())).filter(({ id }) => Number(id) > 7000);
      expect(before).toHaveLength(4);
      await backUp(hr(), "hired_employees");
      await uploadHired(hr(), hiredLines(7001, 4));
      expect((await restore(hr(), "hired_employees")).status).toBe(200);
      expect((await hiredRows(hr())).filter(({ id }) => Number(id) > 7000)).toEqual(before);
    });

    it("restores the table asked for and no other", async () => {
      await backUp(hr(), "departments");
      await hr().uploaded({ name: "departments.csv", content: "3,Mill\n" });
      await hr().uploaded({ name: "jobs.csv", content: "1,Miller\n" });
      const hired = await hiredRows(hr());
      expect((await restore(hr(), "departments")).body).toMatchObject({
        result: "Table departments restored from backup.",
      });
      expect(await hr().query("select id, department from departments order by id")).toEqual([
        { id: 1, department: "Sales" },
        { id: 2, department: "Bakery" },
      ]);
      expect(await hr().count("jobs")).toBe(1);
      expect(await hiredRows(hr())).toEqual(hired);
    });

    it("of an older version is restored when it is asked for; without a version it is the newest", async () => {
      const older = await backUp(hr(), "jobs");
      await hr().uploaded({ name: "jobs.csv", content: "1,Miller\n2,Baker\n" });
      const newer = await backUp(hr(), "jobs");
      expect([older.rows, newer.rows]).toEqual([1, 2]);
      expect((await restore(hr(), "jobs", older.version)).status).toBe(200);
      expect(await hr().count("jobs")).toBe(1);
      expect((await restore(hr(), "jobs")).status).toBe(200);
      expect(await hr().count("jobs")).toBe(2);
      expect((await restore(hr(), "jobs", "")).status).toBe(200);
      // A version is one of its own table.
      expect((await restore(hr(), "departments", newer.version)).status).toBeGreaterThanOrEqual(400);
    });

    it("lets a file be loaded again that was loaded after it", async () => {
      const content = hiredLines(8000, 30);
      await backUp(hr(), "hired_employees");
      await uploadHired(hr(), content);
      await restore(hr(), "hired_employees");
      expect(await hr().uploaded({ name: "hired_employees.csv", content })).toMatchObject({ nrows_inserted: 30 });
    });

    it("is Parquet and Avro with the rows, and a manifest", async () => {
      const paths = await keptFiles(hr());
      const manifests = paths.filter((path) => path.endsWith(".json"));
      expect(manifests.length).toBeGreaterThan(0);
      for (const ending of [".parquet", ".avro"]) expect(paths.filter((path) => path.endsWith(ending))).not.toEqual([]);
      const text = (await Promise.all(manifests.map((path) => readFile(path, "utf8")))).join("\n");
      for (const told of [/"rows": *\d/, /"departments"/, /checksum|sha256/, /columns|schema/])
        expect(text).toMatch(told);
      const expected = await hr().query("select id, department from departments order by id");
      const ofDepartments = paths.filter((path) => path.includes("departments"));
      const newest = (ending: string) =>
        ofDepartments
          .filter((path) => path.endsWith(ending))
          .sort()
          .at(-1) ?? "";
      expect(await readParquet(newest(".parquet"))).toMatchObject(expected);
      expect(await readAvro(newest(".avro"))).toMatchObject(expected);
    });

    it("that is damaged changes nothing", async () => {
      await backUp(hr(), "hired_employees");
      await uploadHired(hr(), hiredLines(8500, 10));
      const rows = await hiredRows(hr());
      for (const path of await keptFiles(hr())) {
        if (!/\.(parquet|avro)$/.test(path)) continue;
        const bytes = await readFile(path);
        const middle = Math.floor(bytes.length / 2);
        bytes.writeUInt8((bytes.at(middle) ?? 0) ^ 1, middle);
        await writeFile(path, bytes);
      }
      expect((await restore(hr(), "hired_employees")).status).toBeGreaterThanOrEqual(400);
      expect(await hiredRows(hr())).toEqual(rows);
    });

    it("is asked for with a query, JSON, a form, or a body that starts with ?", async () => {
      const ask = async (path: string, body: string, type: string) => {
        const headers = { "content-type": type };
        const { status, body: said } = await hr().request(path, { method: "POST", body, headers, who: admin });
        expect({ status, said }).toMatchObject({ status: 200, said: { result: "Backup process for jobs started." } });
      };
      const form = "application/x-www-form-urlencoded";
      await ask("/backup?table=jobs", "", form);
      await ask("/backup?table=jobs&table=nothing", "", form);
      await ask("/backup", '{"table":"jobs"}', "application/json");
      await ask("/backup", "table=jobs", form);
      await ask("/backup", "?table=jobs", form);
      await ask("/backup?table=", "table=jobs", form);
    });

    it.each(["/backup", "/restore"])("of an unknown table is refused by %s", async (path) => {
      for (const table of ["nothing", "millrace_ledger", "Jobs", "jobs;", "../jobs"]) {
        const query = `?table=${encodeURIComponent(table)}`;
        const { status, body } = await hr().request(`${path}${query}`, { method: "POST", who: admin });
        expect({ status, body }).toEqual({ status: 405, body: { error: `The table ${table} is not supported` } });
      }
      const { status, body } = await hr().request(path, { method: "POST", who: admin });
      expect({ status, body }).toMatchObject({ status: 422, body: { detail: [{ loc: ["query", "table"] }] } });
    });

    it.each([
      ...["0", "999999", "-1", "newest", "../1", "20211107T024842Z"].map((version) => ({ title: version, version })),
      { title: "of thousands of characters", version: "x".repeat(3000) },
    ])("of the unknown version $title is refused", async ({ version }) => {
      const rows = await hiredRows(hr());
      const { status } = await restore(hr(), "hired_employees", version);
      expect([400, 404, 405, 422]).toContain(status);
      expect(await hiredRows(hr())).toEqual(rows);
    });
  },
  inFolder,
);
