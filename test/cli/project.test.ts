import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ended, eventsOf, lastEvent, lineWith, Workplace } from "./cli.ts";

const api = join(import.meta.dirname, "..", "..", "src", "index.ts");

/** What `npm install` would do: the package under its name, here from source. */
async function installMillrace(folder: string): Promise<void> {
  const store = join(folder, "millrace-from-source");
  await mkdir(store, { recursive: true });
  await writeFile(join(store, "package.json"), '{"name":"millrace","type":"module","exports":"./index.ts"}');
  await writeFile(join(store, "index.ts"), `export * from ${JSON.stringify(api)};\n`);
  await mkdir(join(folder, "node_modules"));
  await symlink(store, join(folder, "node_modules", "millrace"));
}

const files = [
  ...["package.json", "millrace.config.ts", "contracts/hired-employees.ts", "pipelines/hired-employees.ts"],
  ...["inbox/hired_employees.csv", ".gitignore"],
];

let place: Workplace;
beforeAll(async () => {
  place = await Workplace.open();
  await installMillrace(place.folder);
});
afterAll(() => place[Symbol.asyncDispose]());

const rowCount = async (): Promise<unknown> => {
  const { stdout } = await place.millrace(
    "query",
    "duckdb:hr.duckdb",
    "select count(*) as n, min(year) as year from hired_employees",
    "--json",
  );
  return (JSON.parse(stdout) as unknown[])[0];
};

// One story, in order: the project is made, checked, previewed, run and followed.
describe("a project", () => {
  it("init writes it and says what to run next", async () => {
    const { code, stdout } = await place.millrace("init");
    expect(code).toBe(0);
    for (const file of files) expect(stdout).toContain(`wrote  ${file}`);
    expect(stdout).toContain("npx millrace run --once");
  });

  it("init overwrites nothing", async () => {
    await place.write("millrace.config.ts", "export default {};\n");
    const { code, stdout } = await place.millrace("init", ".");
    expect(code).toBe(0);
    for (const file of files) expect(stdout).toContain(`kept   ${file}`);
    expect(await readFile(place.path("millrace.config.ts"), "utf8")).toBe("export default {};\n");
  });

  it("check tells the guarantee and the DDL, and creates nothing", async () => {
    const { code, stdout, stderr } = await place.millrace("check");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("exactly once: Rows, rejects, ledger and position commit in one transaction");
    expect(stdout).toContain("of its first 100 records 4 would be rejected");
    expect(stdout).toMatch(/CREATE TABLE [^]*"year" INTEGER/);
    expect((await place.millrace("query", "duckdb:hr.duckdb", "select 1")).code).toBe(1);
  });

  it("preview shows rows behind the steps, rejects and DDL", async () => {
    const { code, stdout } = await place.millrace("preview", "hired-employees", "--rows", "3");
    expect(code).toBe(0);
    expect(stdout).toMatch(/id +name +datetime +department_id +job_id +year\n/);
    expect(stdout).toContain("4 rejects among them");
    expect(stdout).toContain("hired_employees.csv:35  department_id is missing\n      35,Ada Silva");
    expect(stdout).toContain("CREATE TABLE");
    const json = await place.millrace("preview", "pipelines/hired-employees.ts", "--rows", "3", "--json");
    expect(eventsOf(json.stdout).filter(({ event }) => event === "row").length).toBe(3);
    expect(lastEvent(json.stdout)).toMatchObject({ event: "done", read: 100, rejected: 4 });
  });

  it("run --once loads what is there, once", async () => {
    const first = await place.millrace("run", "--once", "--json");
    expect(first.code).toBe(0);
    expect(lastEvent(first.stdout)).toMatchObject({
      ...{ event: "done", pipeline: "hired-employees", read: 100, loaded: 96, rejected: 4, balanced: true },
    });
    const second = await place.millrace("run", "hired-employees", "--once");
    expect(second.stdout).toContain("done: read 0 = loaded 0, already loaded 100");
    expect(await rowCount()).toEqual({ n: 96, year: 2021 });
  });

  it("why names the line and the steps of a row", async () => {
    const { stdout } = await place.millrace("why", "hired_employees", "40", "--to", "duckdb:hr.duckdb");
    expect(stdout).toContain("hired_employees.csv:40");
    expect(stdout).toContain("step 1    sql select *, year(datetime)");
    expect(stdout).toContain("step 2    map");
  });

  it("rejects replay takes the pipeline from the project, functions and all", async () => {
    await place.write("fixed.txt", "35,Ada Silva,2021-04-02T08:30:00Z,4,7");
    const list = await place.millrace("rejects", "list", "--json", "--to", "duckdb:hr.duckdb");
    const reject = eventsOf(list.stdout).find(({ line }) => line === 35);
    const replay = await place.millrace(
      "rejects",
      "replay",
      String(reject?.["id"]),
      "--with",
      "fixed.txt",
      "--to",
      "duckdb:hr.duckdb",
    );
    expect(replay.stdout).toContain("replayed 1 = loaded 1");
    expect(await rowCount()).toEqual({ n: 97, year: 2021 });
  });

  it("run follows the folder until it is stopped", async () => {
    const child = place.start(["run"]);
    const answer = ended(child);
    await lineWith(child, "following hired-employees");
    const isLoaded = lineWith(child, "hired_employees_2.csv: read 1 = loaded 1");
    await place.write("inbox/hired_employees_2.csv", "1001,Ada Okafor,2021-01-01T00:00:00Z,1,1\n");
    await isLoaded;
    child.kill("SIGINT");
    expect((await answer).code).toBe(130);
    expect(await rowCount()).toEqual({ n: 98, year: 2021 });
  });

  it("doctor finds machine and place well, and open rejects", async () => {
    const { code, stdout } = await place.millrace("doctor", "duckdb:hr.duckdb");
    expect(code).toBe(0);
    for (const check of ["node", "memory", "temporary folder", "engine", "clock", "connection", "ledger", "lanes"]) {
      expect(stdout).toMatch(new RegExp(`^  (ok  |warn)  ${check} `, "m"));
    }
    expect(stdout).toMatch(/warn {2}rejects +3 are open\n +→ /);
  });
});

describe("pipelines side by side", () => {
  const module = (name: string, from: string): string => `import { pipeline, table, integer } from "millrace";
export default pipeline("${name}").from("${from}", { header: false }).check(table("${name}", { id: integer() })).to("duckdb:side.duckdb");
`;

  it("go on when a file of theirs does not fit: it is left as it is, and that is said", async () => {
    await place.write("well.ts", module("well", "well*.txt"));
    await place.write("well.txt", "1\n2\n");
    const child = place.start(["run", "well.ts"]);
    const answer = ended(child);
    await lineWith(child, "well.txt: read 2");
    await place.write("well-not.txt", "1,2,3\n4,5,6\n");
    await place.write("well-too.txt", "5\n");
    await lineWith(child, "well-too.txt: read 1");
    child.kill("SIGINT");
    const { code, stderr } = await answer;
    expect(code).toBe(130);
    expect(stderr).toContain("well-not.txt is left as it is");
  });

  it("run in one process; when one fails the others end after their batch, and the exit code is its own", async () => {
    await place.write(
      "ill.ts",
      module("ill", "ill*.txt").replace('table("ill", {', 'table("well", { name: integer(),'),
    );
    const { code, stdout } = await ended(place.start(["run", "well.ts", "ill.ts", "--json"]));
    const events = eventsOf(stdout);
    expect(events).toContainEqual(expect.objectContaining({ event: "error", code: "TABLE_MISMATCH" }));
    expect(code).toBeGreaterThan(0);
    expect(code).not.toBe(130);
  });

  it("end in order when the reader of their log leaves", async () => {
    const child = place.start(["run", "well.ts"]);
    const closed = new Promise((resolve) => child.once("close", resolve));
    await lineWith(child, "following well");
    child.stdout?.destroy();
    await place.write("well2.txt", "3\n");
    await place.write("well3.txt", "4\n");
    expect(await closed).toBe(130);
  });
});

const astray = `import { pipeline, table, integer } from "millrace";
export default pipeline("astray").from("well*.txt", { header: false }).check(table("astray", { id: integer() }))
  .sql\`select *, nme as name from batch\`.to("duckdb:side.duckdb");
`;

describe("what is wrong with a project", () => {
  it.each([["check"], ["run", "--once"]])("%s names a module that exports no pipeline", async (...args) => {
    await using other = await Workplace.open();
    await mkdir(other.path("pipelines"));
    await other.write("pipelines/idle.ts", "export const name = 1;\n");
    const { code, stderr } = await other.millrace(...args);
    expect(code).toBe(2);
    expect(stderr).toContain("pipelines/idle.ts exports no pipeline, so nothing of it is run\n");
  });

  it("check names the step that cannot be, once, and nothing of the engine's own", async () => {
    await place.write("astray.ts", astray);
    const { code, stdout } = await place.millrace("check", "astray.ts");
    expect(code).toBe(1);
    const failures = stdout.split("\n").filter((line) => line.includes("fail  "));
    expect(failures).toEqual([expect.stringMatching(/^ {2}fail {2}step +STEP_FAILED: .*"?nme"? not found/)]);
    expect(stdout).not.toMatch(/\\n|millrace_|LINE 1/);
  });

  it("a package that is not installed is named with the command that installs it", async () => {
    await using other = await Workplace.open();
    await mkdir(other.path("pipelines"));
    await other.write("pipelines/p.ts", astray);
    const { code, stderr } = await other.millrace("run", "pipelines/p.ts");
    expect(code).toBe(2);
    expect(stderr).toContain("→ Run npm install millrace in the folder pipelines.");
  });

  it.each([
    { args: ["run", "hired-employes"], code: 2, says: "Did you mean hired-employees?" },
    { args: ["run", "nothing.ts"], code: 1, says: "FILE_MISSING" },
    { args: ["run", "broken.ts"], code: 2, says: "PIPELINE_INVALID" },
    { args: ["run", "contracts/hired-employees.ts"], code: 2, says: "exports no pipeline" },
    { args: ["run", "--config", "broken.ts"], code: 2, says: "CONFIG_INVALID" },
    {
      args: ["check", "hired.csv", "--to", "duckdb:hr.duckdb", "--table", "hired_employees"],
      code: 1,
      says: "TABLE_MISMATCH",
    },
    { args: ["check", "lost.csv", "--contract", "c.json", "--to", "duckdb:new.db"], code: 1, says: "FILE_MISSING" },
    { args: ["doctor", "duckdb:nowhere.db"], code: 1, says: "FILE_MISSING" },
    { args: ["doctor", "what://x"], code: 1, says: "SCHEME_UNKNOWN" },
  ])("$args: $says", async ({ args, code, says }) => {
    await place.write("broken.ts", "export default 1 +;\n");
    await place.write("hired.csv", "id,other\n1,2\n");
    await place.write("c.json", '{"table":"c","columns":{"id":{"type":"integer"}}}');
    const answer = await place.millrace(...args);
    expect(answer.stdout + answer.stderr).toContain(says);
    expect(answer.code).toBe(code);
  });
});
