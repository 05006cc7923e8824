import { type EmployeesOptions, employeesCsv } from "../../../scripts/sample-data.ts";

/** Columns of `hired_employees`, in the order of a file. */
export const hiredColumns = ["id", "name", "datetime", "department_id", "job_id"] as const;

export type HiredColumn = (typeof hiredColumns)[number];
export type HiredFields = Readonly<Record<HiredColumn, string>>;

/** A good record. */
export function hiredFields(id: number): HiredFields {
  return {
    id: String(id),
    name: `Vimi Tasel ${id}`,
    datetime: "2021-03-04T05:06:07Z",
    department_id: String(1 + (id % 12)),
    job_id: String(1 + (id % 183)),
  };
}

export function hiredLine(id: number, changes: Partial<HiredFields> = {}): string {
  const fields = { ...hiredFields(id), ...changes };
  return hiredColumns.map((column) => fields[column]).join(",");
}

/** `count` good records from the id `first` on, each line with its end. */
export function hiredLines(first: number, count: number, end = "\n"): string {
  return Array.from({ length: count }, (_, index) => `${hiredLine(first + index)}${end}`).join("");
}

/** All columns as text, the same on every kind of place. */
export const selectHired =
  "select cast(id as varchar) as id, name, cast(datetime as varchar) as datetime, " +
  "cast(department_id as varchar) as department_id, cast(job_id as varchar) as job_id from hired_employees";

/** How `selectHired` shows a record that was good. */
export function storedOf(fields: HiredFields): HiredFields {
  return {
    ...fields,
    datetime: fields.datetime.replace("T", " ").replace("Z", ""),
    department_id: String(Number(fields.department_id)),
    job_id: String(Number(fields.job_id)),
  };
}

/** Hands out ids that no other test of the file uses. */
export function idRanges(start = 1): (count: number) => number {
  let next = start;
  return (count) => {
    const first = next;
    next += count;
    return first;
  };
}

/** `employeesCsv` with ids from `first` on. */
export function employeesFrom(first: number, options: EmployeesOptions): string {
  return employeesCsv(options).replaceAll(/^\d+/gm, (id) => String(Number(id) + first - 1));
}
