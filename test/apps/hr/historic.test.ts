import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { departmentsCsv, employeesCsv, jobsCsv } from "../../../scripts/sample-data.ts";
import { eventsOf, lastEvent, Workplace } from "../../cli/cli.ts";
import { employeesFrom, hiredFields, hiredLine, hiredLines } from "./hired.ts";
import { describeOnPlaces } from "./places.ts";
import type { HrService } from "./service.ts";

/** A file appears in the watched folder whole, as a careful sender lets it. */
async function dropInto(hr: HrService, name: string, content: string): Promise<void> {
  const draft = hr.workplace.path(`draft of ${name}`);
  await writeFile(draft, content);
  await rename(draft, join(hr.inbox, name));
}

const hiredIn = (first: number, count: number): string => `id >= ${first} and id < ${first + count}`;

/** Resolves when the table has so many records. */
async function comesTo(hr: HrService, count: number, table: string, where: string): Promise<void> {
  await expect.poll(() => hr.count(table, where), { timeout: 20_000, interval: 100 }).toBe(count);
}

async function rejectsOf(hr: HrService): Promise<Readonly<Record<string, unknown>>[]> {
  const { code, stdout } = await hr.millrace("rejects", "list", "--to", hr.to, "--json", "--rows", "5000");
  expect(code).toBe(0);
  return eventsOf(stdout).filter(({ event }) => event === "reject");
}

describeOnPlaces("a historic load", (hr) => {
  const load = async (file: string, contract: string) => {
    const args = ["load", file, "--contract", contract, "--to", hr().to, "--no-header", "--json"];
    const { code, stdout } = await hr().millrace(...args);
    expect(code).toBe(0);
    return lastEvent(stdout);
  };

  describe("by the command line, while the service runs", () => {
    it("takes a file of any size, and bad records as an upload does", async () => {
      await hr().workplace.write("history.csv", employeesCsv({ rows: 4_000, bad: 140 }));
      expect(await load("history.csv", "hr.hired_employees")).toMatchObject({
        ...{ table: "hired_employees", read: 4_000, loaded: 3_860, rejected: 140, balanced: true },
      });
      const counted = await hr().millrace("query", hr().to, "select count(*) as n from hired_employees", "--json");
      expect(JSON.parse(counted.stdout)).toEqual([{ n: 3_860 }]);
    });

    it("goes into the other tables", async () => {
      await hr().workplace.write("d.csv", departmentsCsv());
      await hr().workplace.write("j.csv", jobsCsv());
      const loads = await Promise.all([load("d.csv", "hr.departments"), load("j.csv", "hr.jobs")]);
      expect(loads).toMatchObject([
        { loaded: 12, rejected: 0 },
        { loaded: 183, rejected: 0 },
      ]);
    });

    it("is seen by insights and uploads at once", async () => {
      const { body } = await hr().request("/insights?table=HIRES_DEPARTMENT_JOB&limit=100000");
      const rows = body as Record<"q1" | "q2" | "q3" | "q4", number>[];
      expect(rows.reduce((sum, { q1, q2, q3, q4 }) => sum + q1 + q2 + q3 + q4, 0)).toBe(3_860);
      const answer = await hr().uploaded({ name: "hired_employees.csv", content: hiredLines(3_990, 20) });
      expect(answer.nrows_inserted + (answer.nrows_merged ?? 0)).toBe(20);
      expect(answer.nrows_inserted).toBeLessThan(20);
    });

    it("loads nothing the second time", async () => {
      expect(await load("history.csv", "hr.hired_employees")).toMatchObject({ loaded: 0, alreadyLoaded: 4_000 });
    });

    it("runs beside uploads, and both tell the truth", async () => {
      const count = 5_000;
      await hr().workplace.write("beside.csv", employeesFrom(100_001, { rows: count, bad: 0 }));
      const [loaded, ...uploads] = await Promise.all([
        load("beside.csv", "hr.hired_employees"),
        ...Array.from({ length: 10 }, (_, index) =>
          hr().uploaded({ name: "hired_employees.csv", content: hiredLines(200_001 + 100 * index, 100) }),
        ),
      ]);
      expect(loaded).toMatchObject({ read: count, loaded: count });
      for (const answer of uploads) expect(answer).toMatchObject({ nrows_inserted: 100 });
      expect(await hr().count("hired_employees", "id > 100000")).toBe(count + 1_000);
    });
  });

  describe("by the watched folder", () => {
    it("takes files of more than 1000 lines", async () => {
      await dropInto(hr(), "hired_employees_2019.csv", employeesFrom(300_001, { rows: 6_000, bad: 60 }));
      await comesTo(hr(), 5_940, "hired_employees", hiredIn(300_001, 6_000));
    });

    it("takes several files at once, each into its table", async () => {
      const names = (kind: string): string =>
        Array.from({ length: 1_500 }, (_, n) => `${1_001 + n},${kind} ${n}\r\n`).join("");
      await Promise.all([
        dropInto(hr(), "jobs_old.csv", names("Job")),
        dropInto(hr(), "departments old.csv", names("Department")),
        dropInto(hr(), "hired_employees.csv", employeesFrom(400_001, { rows: 1_500, bad: 0 })),
      ]);
      await comesTo(hr(), 1_500, "jobs", "id > 1000");
      await comesTo(hr(), 1_500, "departments", "id > 1000");
      await comesTo(hr(), 1_500, "hired_employees", hiredIn(400_001, 1_500));
      expect(await hr().query("select job from jobs where id = 1001")).toEqual([{ job: "Job 0" }]);
    });

    it("passes over files of other names, and goes on", async () => {
      await dropInto(hr(), "20221120_hired_employees.csv", hiredLines(500_001, 10));
      await dropInto(hr(), "notes.txt", "nothing to load\n");
      await dropInto(hr(), "hired_employees_next.csv", hiredLines(500_101, 10));
      await comesTo(hr(), 10, "hired_employees", hiredIn(500_101, 10));
      expect(await hr().count("hired_employees", hiredIn(500_001, 10))).toBe(0);
    });

    it("takes a file of nothing but bad records, and goes on", async () => {
      await dropInto(hr(), "jobs_bad.csv", "a;b;c\nd;e;f\n");
      await dropInto(hr(), "jobs_good.csv", "9001,Cooper\n");
      await comesTo(hr(), 1, "jobs", "id = 9001");
    });
  });

  describe("and uploads leave rejects", () => {
    const bad = [hiredLine(600_001, { job_id: "" }), hiredLine(600_002, { datetime: "someday" })];
    const again = hiredLine(600_011, { job_id: "" });
    let rejects: Readonly<Record<string, unknown>>[];
    const having = (line: string) => rejects.filter(({ record }) => String(record).trim() === line);
    beforeAll(async () => {
      await hr().uploaded({ name: "hired_employees_oops.csv", content: bad.join("\n") });
      for (let time = 0; time < 3; time += 1) {
        await hr().uploaded({ name: "hired_employees_again.csv", content: again });
      }
      rejects = await rejectsOf(hr());
    });

    it("that are listed through the service", () => {
      expect(bad.map((line) => having(line).length)).toEqual([1, 1]);
      expect(rejects.length).toBeGreaterThanOrEqual(140 + 60 + 2);
    });

    it("that are corrected and replayed through the service", async () => {
      const id = having(bad[0] ?? "")[0]?.["id"];
      await hr().workplace.write("fixed.csv", `${hiredLine(600_001)}\n`);
      const args = ["rejects", "replay", String(id), "--with", "fixed.csv", "--to", hr().to, "--json"];
      const { code, stdout } = await hr().millrace(...args);
      expect(code).toBe(0);
      expect(lastEvent(stdout)).toMatchObject({ read: 1, loaded: 1, rejected: 0 });
      const rows = await hr().query("select name, job_id from hired_employees where id = 600001");
      expect(rows).toEqual([{ name: hiredFields(600_001).name, job_id: Number(hiredFields(600_001).job_id) }]);
      expect((await rejectsOf(hr())).map((reject) => reject["id"])).not.toContain(id);
    });
  });
});

describe("a contract that no application has", () => {
  it("is refused by name", async () => {
    await using place = await Workplace.open();
    await place.write("d.csv", departmentsCsv());
    const { code, stderr } = await place.millrace(
      "load",
      "d.csv",
      "--contract",
      "hr.nothing",
      "--to",
      "duckdb:x.duckdb",
    );
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain("hr.nothing");
  });
});
