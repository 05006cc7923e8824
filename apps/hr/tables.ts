import { type Contract, integer, table, text, timestamp } from "../../src/index.ts";

// Whole numbers are digits and nothing else: a sign is refused, and with it what lies below zero.
const number = () => integer().min(0);

export const departments = table("departments", { id: number().key(), department: text() });

export const jobs = table("jobs", { id: number().key(), job: text() });

export const hiredEmployees = table("hired_employees", {
  id: number().key(),
  name: text(),
  datetime: timestamp("%Y-%m-%dT%H:%M:%SZ"),
  department_id: number(),
  job_id: number(),
});

export const tables: readonly Contract[] = [departments, jobs, hiredEmployees];

/** The table that a file is for: its name starts with the table's. */
export function tableOfFile(file: string): Contract | undefined {
  return tables.find((contract) => file.startsWith(contract.table));
}
