// npm start: the main job on what is built in. Generates a file of employees with bad rows among them, loads it into a
// DuckDB file, shows rows and rejects, and says what to try next. Run again, it shows that nothing is loaded twice.
// Then the service, with sample data that flows, until Ctrl-C; npm start -- --once ends before it.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { employeesContract, employeesCsv } from "./sample-data.ts";
import { serveSample } from "./sample-service.ts";

const root = join(import.meta.dirname, "..");
// npm start -- --once --folder DIR: where the sample is kept instead.
const { values: flags } = parseArgs({
  options: { once: { type: "boolean" }, folder: { type: "string", default: ".millrace-sample" } },
});
const folder = relative(root, resolve(root, flags.folder));
const file = `${folder}/hired_employees.csv`;
const contract = `${folder}/hired.json`;
const to = `duckdb:${folder}/hr.duckdb`;
const byDepartment =
  "select department_id, count(*) as hired, min(datetime) as first, max(datetime) as last from hired_employees group by all order by hired desc limit 5";

/** Runs the command line from source, as `npm -s run millrace --` would, so that what it proposes can be copied. */
function millrace(...args: readonly string[]): void {
  const shown = args.map((arg) => (/[^\w:./=-]/.test(arg) ? `"${arg}"` : arg)).join(" ");
  console.log(`\n$ npm -s run millrace -- ${shown}`);
  const env = { ...process.env, npm_lifecycle_event: "millrace" };
  const main = join(root, "src", "cli", "main.ts");
  const { status } = spawnSync(process.execPath, [main, ...args], { cwd: root, env, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

function writeSample(): void {
  mkdirSync(join(root, folder), { recursive: true });
  // A table in a folder of its own is nothing to commit.
  writeFileSync(join(root, folder, ".gitignore"), "*\n");
  writeFileSync(join(root, file), employeesCsv({ rows: 1999, bad: 70 }));
  writeFileSync(join(root, contract), `${JSON.stringify(employeesContract, undefined, 2)}\n`);
}

writeSample();
console.log(`1,999 generated records stand in ${file}; 70 of them are bad on purpose.`);
millrace("load", file, "--no-header", "--contract", contract, "--to", to, "--lineage");
millrace("query", to, "select * from hired_employees order by id limit 5");
millrace("query", to, byDepartment);
millrace("rejects", "list", "--to", to, "--rows", "3");

console.log(`
What to try next:
  npm -s run millrace -- why hired_employees 42 --to ${to}                where a row came from
  npm -s run millrace -- why ${file}:29 --to ${to}     what became of a line
  npm -s run millrace -- rejects show 1 --to ${to}
  npm -s run millrace -- preview ${file} --no-header      what would be inferred of it
  npm -s run millrace -- doctor ${to}
  npm -s run millrace -- init my-project                                            a project with a pipeline
  npm -s run millrace -- --help
Run npm start again: the same content loads nothing.`);

if (flags.once !== true) await serveSample(root, folder);
