import { basename, resolve } from "node:path";
import { ownVersion } from "./version.ts";

/** The files of a new project, by path within it. */
export function projectFiles(folder: string): Readonly<Record<string, string>> {
  return {
    "package.json": manifest(folder),
    "millrace.config.ts": configFile,
    "contracts/hired-employees.ts": contractFile,
    "pipelines/hired-employees.ts": pipelineFile,
    "inbox/hired_employees.csv": sampleFile(),
    ".gitignore": "node_modules/\n.millrace/\n*.duckdb\n*.duckdb.wal\n",
  };
}

function manifest(folder: string): string {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  const content = {
    name: name === "" ? "my-project" : name,
    private: true,
    type: "module",
    scripts: { start: "millrace run", check: "millrace check" },
    dependencies: { millrace: `^${ownVersion()}` },
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

const configFile = `import { config } from "millrace";

export default config({
  // Modules that export pipelines.
  pipelines: ["pipelines/*.ts"],
  // For the whole process: batches, queues and the engine.
  memory: "512MB",
});
`;

const contractFile = `import { integer, table, text, timestamp } from "millrace";

/** What every record must be. TypeScript types, checks and DDL all come from here. */
export const hiredEmployees = table("hired_employees", {
  id: integer().key(),
  name: text().minLength(1),
  datetime: timestamp("%Y-%m-%dT%H:%M:%SZ"),
  department_id: integer().min(1),
  job_id: integer(),
});
`;

const pipelineFile = `import { pipeline } from "millrace";
import { hiredEmployees } from "../contracts/hired-employees.ts";

export default pipeline("hired-employees")
  .from("file:./inbox/hired_employees*.csv", { header: false })
  .check(hiredEmployees)
  // SQL where SQL says it best; the columns it adds are declared, so that later steps know them.
  .sql<{ year: number }>\`select *, year(datetime)::integer as year from batch\`
  // TypeScript where it says it better; undefined drops the row, a throw makes it a reject.
  .map((row) => ({ ...row, name: row.name.trim() }))
  .to("duckdb:./hr.duckdb", { lineage: true });
`;

const firstNames = ["Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia", "Leslie", "Frances", "Tony", "Margaret"];
const lastNames = ["Okafor", "Lindqvist", "Moreau", "Tanaka", "Silva", "Novak", "Haddad", "Brandt"];

/** A hundred records, four of them bad. */
function sampleFile(): string {
  const bad: Readonly<Record<number, string>> = {
    12: "12,Tony Novak,2021-13-40T09:00:00Z,3,12",
    35: "35,Ada Silva,2021-04-02T08:30:00Z,,7",
    61: "x61,Grace Haddad,2021-07-19T10:15:00Z,2,31",
    88: "88,Radia Brandt,2021-10-05T11:45:00Z,0,5",
  };
  return Array.from({ length: 100 }, (_, index) => `${bad[index + 1] ?? sampleRecord(index + 1)}\n`).join("");
}

function sampleRecord(id: number): string {
  const name = `${firstNames[id % firstNames.length] ?? ""} ${lastNames[(id * 3) % lastNames.length] ?? ""}`;
  const day = new Date(Date.UTC(2021, 0, 1 + ((id * 37) % 365), 8 + (id % 9), (id * 13) % 60));
  return `${id},${name},${day.toISOString().slice(0, 19)}Z,${1 + (id % 12)},${1 + (id % 183)}`;
}
