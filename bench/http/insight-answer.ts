import { departmentsCsv, employeesCsv, jobsCsv } from "../../scripts/sample-data.ts";

/** The files that are loaded before insights are asked for. */
export const insightFiles: readonly (readonly [string, string])[] = [
  ["departments.csv", departmentsCsv()],
  ["jobs.csv", jobsCsv()],
  ["hired_employees.csv", employeesCsv({ rows: 1000, bad: 33 })],
];

export const insightPath = "/insights?table=HIRES_DEPARTMENT_JOB&limit=100";
const limit = 100;

interface Hires {
  readonly department: string;
  readonly job: string;
  q1: number;
  q2: number;
  q3: number;
  q4: number;
}

const quarters = ["q1", "q2", "q3", "q4"] as const;

/** What the insight must answer, from the files alone. All samples are of 2021, and names are ASCII. */
export function expectedInsight(): readonly Hires[] {
  const [departments, jobs, employees] = insightFiles.map(([, csv]) =>
    csv
      .trimEnd()
      .split("\n")
      .map((it) => it.split(",")),
  );
  const nameOf = (rows: readonly string[][] | undefined, id: string | undefined): string | undefined =>
    rows?.find((row) => row[0] === id)?.[1];
  const found = new Map<string, Hires>();
  for (const [, name, time = "", departmentId, jobId] of employees ?? []) {
    const department = nameOf(departments, departmentId);
    const job = nameOf(jobs, jobId);
    const quarter = quarters[Math.floor((Number(time.slice(5, 7)) - 1) / 3)];
    if (name === "" || time.startsWith("2021-02-30")) continue;
    if (department === undefined || job === undefined || quarter === undefined) continue;
    const key = `${department}\0${job}`;
    const hires = found.get(key) ?? { department, job, q1: 0, q2: 0, q3: 0, q4: 0 };
    hires[quarter] += 1;
    found.set(key, hires);
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, hires]) => hires)
    .slice(0, limit);
}
