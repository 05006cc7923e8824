import { beforeAll, describe, expect, it } from "vitest";
import { departmentsCsv, employeesCsv, jobsCsv } from "../../../scripts/sample-data.ts";
import { hiredLine } from "./hired.ts";
import { describeOnPlaces } from "./places.ts";
import type { Reply } from "./reply.ts";

interface Quarters {
  readonly department: string;
  readonly job: string;
  readonly q1: number;
  readonly q2: number;
  readonly q3: number;
  readonly q4: number;
}

interface Hired {
  readonly id: number;
  readonly department: string;
  readonly hired: number;
}

const byJob = "HIRES_DEPARTMENT_JOB";
const aboveMean = "DEPARTMENTS_HIRED_ABOVE_MEAN";

/** Departments nobody was hired for in 2021: they count for the mean. */
const quietDepartments = "901,Zzz Quiet\n902,Zzz Quieter\n";

/** Both sides of every border of a quarter, in UTC, and references that lead nowhere. */
const borders = [
  ...["2020-12-31T23:59:59Z", "2021-01-01T00:00:00Z", "2021-03-31T23:59:59Z", "2021-04-01T00:00:00Z"],
  ...["2021-06-30T23:59:59Z", "2021-07-01T00:00:00Z", "2021-09-30T23:59:59Z", "2021-10-01T00:00:00Z"],
  ...["2021-12-31T23:59:59Z", "2022-01-01T00:00:00Z", "2020-02-29T12:00:00Z", "2019-07-01T00:00:00Z"],
].map((datetime, index) => hiredLine(10_001 + index, { datetime, department_id: "3", job_id: "44" }));
const unknown = [
  hiredLine(10_100, { department_id: "77777" }),
  hiredLine(10_101, { job_id: "77777" }),
  hiredLine(10_102, { department_id: "77777", job_id: "77777" }),
];

const employees = `${employeesCsv({ rows: 900, bad: 45 })}${[...borders, ...unknown].join("\n")}\n`;
const departments = `${departmentsCsv()}${quietDepartments}`;

function namesOf(csv: string): Map<string, string> {
  return new Map(
    csv
      .trim()
      .split("\n")
      .map((line) => line.split(",") as [string, string]),
  );
}

interface Hire {
  readonly department: string;
  readonly job: string;
  readonly datetime: string;
}

/** The records that the contract takes, read without the code under test. */
function hires(): Hire[] {
  return employees
    .trim()
    .split("\n")
    .map((line) => line.split(","))
    .filter((fields) => fields.length === 5 && fields.every((field) => field !== ""))
    .filter(([, , datetime = "", , job = ""]) => /^\d+$/.test(job) && isRealDay(datetime))
    .map(([, , datetime = "", department = "", job = ""]) => ({ department, job, datetime }));
}

function isRealDay(datetime: string): boolean {
  const time = new Date(datetime);
  return !Number.isNaN(time.getTime()) && time.toISOString() === datetime.replace("Z", ".000Z");
}

const inOrder = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

function quartersOf(year: number): Quarters[] {
  const [departmentNames, jobNames] = [namesOf(departments), namesOf(jobsCsv())];
  const found = new Map<string, [string, string, number[]]>();
  for (const hire of hires()) {
    const [department, job] = [departmentNames.get(hire.department), jobNames.get(hire.job)];
    if (department === undefined || job === undefined || !hire.datetime.startsWith(`${year}-`)) continue;
    const key = `${department}|${job}`;
    const row = found.get(key) ?? [department, job, [0, 0, 0, 0]];
    const quarter = Math.floor((Number(hire.datetime.slice(5, 7)) - 1) / 3);
    row[2][quarter] = (row[2][quarter] ?? 0) + 1;
    found.set(key, row);
  }
  return [...found.values()]
    .map(([department, job, [q1 = 0, q2 = 0, q3 = 0, q4 = 0]]) => ({ department, job, q1, q2, q3, q4 }))
    .sort((a, b) => inOrder(a.department, b.department) || inOrder(a.job, b.job));
}

function hiredAboveMean(year: number): Hired[] {
  const all = [...namesOf(departments)].map(([id, department]) => {
    const hired = hires().filter((hire) => hire.department === id && hire.datetime.startsWith(`${year}-`)).length;
    return { id: Number(id), department, hired };
  });
  const mean = all.reduce((sum, { hired }) => sum + hired, 0) / all.length;
  return all.filter(({ hired }) => hired > mean).sort((a, b) => b.hired - a.hired || a.id - b.id);
}

/** Of departments that hired as many, any may come first. */
function tiesById(rows: readonly Hired[]): Hired[] {
  return [...rows].sort((a, b) => b.hired - a.hired || a.id - b.id);
}

const names = {
  departments: { name: "departments.csv", content: departments },
  jobs: { name: "jobs.csv", content: jobsCsv() },
  employees: { name: "hired_employees.csv", content: employees },
};

describeOnPlaces(
  "insights",
  (hr) => {
    const ask = (query: string): Promise<Reply> => hr().request(`/insights?${query}`);
    const rowsOf = async <Row>(query: string): Promise<Row[]> => {
      const { status, body, text } = await ask(query);
      expect({ status, text }).toMatchObject({ status: 200 });
      return body as Row[];
    };

    it("over empty tables are empty", async () => {
      expect(await rowsOf(`table=${byJob}`)).toEqual([]);
      expect(await rowsOf(`table=${aboveMean}`)).toEqual([]);
    });

    describe("of what was uploaded", () => {
      beforeAll(async () => {
        await hr().uploaded(names.departments);
        await hr().uploaded(names.jobs);
        expect(await hr().uploaded(names.employees)).toMatchObject({ nrows_inserted: hires().length });
      });

      it("count hires per department and job in each quarter of 2021", async () => {
        const rows = await rowsOf<Quarters>(`table=${byJob}&limit=100000`);
        expect(rows).toEqual(quartersOf(2021));
        expect(Object.keys(rows[0] ?? {})).toEqual(["department", "job", "q1", "q2", "q3", "q4"]);
      });

      it("list the departments that hired more than the mean of all departments, most first", async () => {
        const rows = await rowsOf<Hired>(`table=${aboveMean}`);
        expect(rows.map(({ hired }) => hired)).toEqual(rows.map(({ hired }) => hired).sort((a, b) => b - a));
        expect(tiesById(rows)).toEqual(hiredAboveMean(2021));
        expect(Object.keys(rows[0] ?? {})).toEqual(["id", "department", "hired"]);
        expect(rows.length).toBeGreaterThan(0);
      });

      it.each([2019, 2020, 2022, 2023])("of the year %i are asked for with year", async (year) => {
        expect(await rowsOf(`table=${byJob}&year=${year}&limit=1000`)).toEqual(quartersOf(year));
        expect(tiesById(await rowsOf<Hired>(`table=${aboveMean}&year=${year}`))).toEqual(hiredAboveMean(year));
      });

      it("are 2021's when the year is empty", async () => {
        expect(await rowsOf(`table=${byJob}&year=&limit=100000`)).toEqual(quartersOf(2021));
      });

      it("are a hundred rows at most unless limit says otherwise", async () => {
        const all = quartersOf(2021);
        expect(await rowsOf(`table=${byJob}`)).toEqual(all.slice(0, 100));
        expect(await rowsOf(`table=${byJob}&limit=`)).toEqual(all.slice(0, 100));
        for (const count of [0, 1, 7, 101]) {
          expect(await rowsOf(`table=${byJob}&limit=${count}`)).toEqual(all.slice(0, count));
        }
        expect(await rowsOf(`table=${byJob}&limit=3&limit=5`)).toEqual(all.slice(0, 3));
        expect(await rowsOf(`table=${aboveMean}&limit=1`)).toHaveLength(1);
      });

      it("are had with a slash before the query too", async () => {
        const { status, body } = await hr().request(`/insights/?table=${byJob}&limit=2`);
        expect({ status, body }).toEqual({ status: 200, body: quartersOf(2021).slice(0, 2) });
      });

      it("are had by a route of their own too", async () => {
        const { status, body } = await hr().request(`/insights/${byJob}?limit=3&year=2021`);
        expect({ status, body }).toEqual({ status: 200, body: quartersOf(2021).slice(0, 3) });
      });

      it("tell of an upload as soon as it was answered", async () => {
        const [before] = await rowsOf<Quarters>(`table=${byJob}&limit=1`);
        const [department, job] = quartersOf(2021).map((row) => [row.department, row.job])[0] ?? [];
        const idOf = (csv: string, name = ""): string => [...namesOf(csv)].find(([, one]) => one === name)?.[0] ?? "";
        const ids = { department_id: idOf(departments, department), job_id: idOf(jobsCsv(), job) };
        const lines = [1, 2, 3].map((more) => hiredLine(20_000 + more, { ...ids, datetime: "2021-12-24T18:00:00Z" }));
        await hr().uploaded({ name: "hired_employees_late.csv", content: lines.join("\n") });
        const [after] = await rowsOf<Quarters>(`table=${byJob}&limit=1`);
        expect(after).toEqual({ ...before, q4: (before?.q4 ?? 0) + 3 });
      });
    });

    it.each([
      ...["limit=ten", "limit=-1", "limit=1.5", "limit=1e3", "limit=0x10", "limit=5;", "limit=null"],
      ...["year=last", "year=2021.5", "year=1e3"],
    ])("%s is refused, and the field is named", async (wrong) => {
      const { status, body } = await ask(`table=${byJob}&${wrong}`);
      expect(status).toBe(422);
      const field = wrong.split("=")[0];
      expect(body).toMatchObject({
        detail: [{ loc: ["query", field], msg: expect.stringMatching(/\w/), type: expect.stringMatching(/\w/) }],
      });
    });

    it.each([
      "limit=%20",
      "year=-2021",
      "limit=99999999999999999999",
      "year=99999999999999999999",
      "year=0",
      "year=999999",
      `limit=${2 ** 53}`,
    ])("%s is answered", async (odd) => {
      expect([200, 422]).toContain((await ask(`table=${byJob}&${odd}`)).status);
    });

    it.each(["NOTHING", "hires_department_job", "hired_employees", "../jobs", "<b>"])(
      "there is none called %s",
      async (name) => {
        const { status, body } = await ask(`table=${encodeURIComponent(name)}`);
        expect({ status, body }).toEqual({ status: 405, body: { error: `The insight ${name} is not supported` } });
      },
    );

    it.each(["", "table=", "limit=3"])("need to be named: %j", async (query) => {
      const { status, body } = await ask(query);
      expect({ status, body }).toMatchObject({ status: 422, body: { detail: [{ loc: ["query", "table"] }] } });
    });
  },
  // Far from UTC, and with a change of clocks: times are UTC all the same.
  { environment: { TZ: "Pacific/Auckland" } },
);
