// Synthetic sample data: the same for the same seed, on every machine. Names are made up of parts.

/** Numbers in [0, 1) that look random: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const syllables = [
  "ka",
  "lo",
  "mi",
  "ren",
  "tas",
  "vi",
  "dor",
  "el",
  "su",
  "nim",
  "bra",
  "jo",
  "ha",
  "pel",
  "qui",
  "zan",
];

function word(random: () => number): string {
  const count = 2 + Math.floor(random() * 2);
  const text = Array.from({ length: count }, () => syllables[Math.floor(random() * syllables.length)] ?? "").join("");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export interface EmployeesOptions {
  readonly rows: number;
  /** Records that the contract refuses, spread evenly. */
  readonly bad: number;
  readonly seed?: number;
  readonly firstId?: number;
}

/** What can be wrong with a record of a hired employee, in turn. */
const mistakes: readonly ((fields: readonly string[]) => string)[] = [
  ([id, name, datetime, department]) => [id, name, datetime, department, ""].join(","),
  ([id, name, datetime, , job]) => [id, name, datetime, "", job].join(","),
  ([id, , datetime, department, job]) => [id, "", datetime, department, job].join(","),
  ([id, name, , department, job]) => [id, name, "", department, job].join(","),
  ([id, name, , department, job]) => [id, name, "2021-02-30T10:00:00Z", department, job].join(","),
  ([id, name, datetime, department]) => [id, name, datetime, department, "n/a"].join(","),
];

/** The CSV text of `hired_employees` without header: id, name, datetime, department_id, job_id. */
export function employeesCsv({ rows, bad, seed = 1, firstId = 1 }: EmployeesOptions): string {
  const random = randomNumbers(seed);
  const lines: string[] = [];
  for (let id = 1; id <= rows; id += 1) {
    const fields = employee(firstId - 1 + id, random);
    // The bad ones lie where the line from (0, 0) to (rows, bad) passes a whole number.
    const before = Math.floor(((id - 1) * bad) / rows);
    const isBad = Math.floor((id * bad) / rows) > before;
    const mistake = isBad ? mistakes[before % mistakes.length] : undefined;
    lines.push(mistake === undefined ? fields.join(",") : mistake(fields));
  }
  return lines.map((line) => `${line}\n`).join("");
}

function employee(id: number, random: () => number): string[] {
  const hired = new Date(Date.UTC(2021, 0, 1) + Math.floor(random() * 365 * 86_400) * 1000);
  const name = `${word(random)} ${word(random)}`;
  const department = 1 + Math.floor(random() * 12);
  const job = 1 + Math.floor(random() * 183);
  return [String(id), name, `${hired.toISOString().slice(0, 19)}Z`, String(department), String(job)];
}

/** The contract of `hired_employees`, as `millrace load --contract` takes it. */
export const employeesContract = {
  table: "hired_employees",
  columns: {
    id: { type: "integer", key: true },
    name: { type: "text" },
    datetime: { type: "timestamp", format: "%Y-%m-%dT%H:%M:%SZ" },
    department_id: { type: "integer" },
    job_id: { type: "integer" },
  },
};

/** The ids that `employeesCsv` refers to: departments 1 to 12, jobs 1 to 183. */
export const sampleDepartments = 12;
export const sampleJobs = 183;

/** The CSV text of `departments` without header: id, department. No two have one name. */
export function departmentsCsv({ seed = 2 }: { readonly seed?: number } = {}): string {
  return namedLines(sampleDepartments, seed, (random) => word(random));
}

/** The CSV text of `jobs` without header: id, job. No two have one name. */
export function jobsCsv({ seed = 3 }: { readonly seed?: number } = {}): string {
  return namedLines(sampleJobs, seed, (random) => `${word(random)} ${grades[Math.floor(random() * grades.length)]}`);
}

const grades = ["Assistant", "Clerk", "Engineer", "Manager", "I", "II", "III", "IV"];

function namedLines(count: number, seed: number, makeName: (random: () => number) => string): string {
  const random = randomNumbers(seed);
  const names = new Set<string>();
  while (names.size < count) names.add(makeName(random));
  return [...names].map((name, index) => `${index + 1},${name}\n`).join("");
}
