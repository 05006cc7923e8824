import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { checkArchitecture, FILE_LINES_MAX, FUNCTION_LINES_MAX, type Rule } from "./layers.ts";

const root = join(import.meta.dirname, "..", "..");

function readTree(folders: readonly string[]): Record<string, string> {
  const files: Record<string, string> = {};
  for (const folder of folders) {
    let names: string[] = [];
    try {
      names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    for (const name of names) {
      if (!name.endsWith(".ts") || /(^|[\\/])(node_modules|fixtures)[\\/]/.test(name)) continue;
      const path = join(root, folder, name);
      files[relative(root, path).split(sep).join("/")] = readFileSync(path, "utf8");
    }
  }
  return files;
}

const lines = (count: number): string => "  void 0;\n".repeat(count);

interface Example {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  /** "rule: path" of each violation expected; none when the files are as they should be. */
  readonly expected: readonly `${Rule}: ${string}`[];
}

const importing = (specifier: string): string => `import { a } from "${specifier}";\nexport const b = a;\n`;

const examples: readonly Example[] = [
  {
    what: "the core imports the core and types of Node",
    files: { "src/core/a.ts": `import type { Readable } from "node:stream";\n${importing("./b.ts")}` },
    expected: [],
  },
  {
    what: "the core imports the ports",
    files: { "src/core/a.ts": importing("../ports/sink.ts") },
    expected: ["layer: src/core/a.ts"],
  },
  {
    what: "the core imports a type of the ports inline",
    files: { "src/core/a.ts": `export type A = import("../ports/sink.ts").Sink;\n` },
    expected: ["layer: src/core/a.ts"],
  },
  {
    what: "the core imports a Node module",
    files: { "src/core/a.ts": importing("node:fs") },
    expected: ["pure core: src/core/a.ts"],
  },
  {
    what: "the core imports a package, be it for a type",
    files: { "src/core/a.ts": `import type { Client } from "pg";\nexport type A = Client;\n` },
    expected: ["pure core: src/core/a.ts"],
  },
  {
    what: "the core reads the clock",
    files: { "src/core/a.ts": "export const a = new Date(0);\nexport const b = new Date();\n" },
    expected: ["pure core: src/core/a.ts"],
  },
  {
    what: "a port imports the engine",
    files: { "src/ports/a.ts": importing("../engine/stage.ts") },
    expected: ["layer: src/ports/a.ts"],
  },
  {
    what: "the engine re-exports from an adapter",
    files: { "src/engine/a.ts": `export { a } from "../adapters/duckdb/index.ts";\nexport const b = 1;\n` },
    expected: ["layer: src/engine/a.ts"],
  },
  {
    what: "a format imports the runtime with import()",
    files: { "src/formats/a.ts": `export const a = await import("../runtime/runner.ts");\n` },
    expected: ["layer: src/formats/a.ts"],
  },
  {
    what: "an adapter imports core, ports, its own folder and its vendor's package",
    files: {
      "src/adapters/kafka/sink.ts": `${importing("./client.ts")}export * from "../../core/batch.ts";\nimport "pg";\n`,
    },
    expected: [],
  },
  {
    what: "an adapter imports another vendor's",
    files: { "src/adapters/kafka/sink.ts": importing("../postgres/index.ts") },
    expected: ["vendor: src/adapters/kafka/sink.ts"],
  },
  {
    what: "the scheme table names every adapter",
    files: { "src/adapters/schemes.ts": `export const load = () => import("./kafka/index.ts");\n` },
    expected: [],
  },
  {
    what: "the runtime imports what is below it",
    files: {
      "src/runtime/a.ts": ["core", "ports", "engine", "adapters"].map((l) => importing(`../${l}/x.ts`)).join(""),
    },
    expected: [],
  },
  {
    what: "the runtime imports the command line",
    files: { "src/runtime/a.ts": importing("../cli/main.ts") },
    expected: ["layer: src/runtime/a.ts"],
  },
  {
    what: "the server imports the command line",
    files: { "src/http/a.ts": importing("../cli/main.ts") },
    expected: ["layer: src/http/a.ts"],
  },
  {
    what: "the command line imports the server's entry",
    files: { "src/cli/serve.ts": importing("../http/server.ts") },
    expected: [],
  },
  {
    what: "the command line knows the applications in one place alone",
    files: {
      "src/cli/applications.ts": `export const load = () => import("../../apps/index.ts");\n`,
      "src/cli/start.ts": importing("../../apps/index.ts"),
    },
    expected: ["layer: src/cli/start.ts"],
  },
  {
    what: "the command line imports a route",
    files: { "src/cli/serve.ts": importing("../http/routes/runs.ts") },
    expected: ["layer: src/cli/serve.ts"],
  },
  {
    what: "a module imports the public API",
    files: { "src/cli/run.ts": importing("../index.ts"), "src/engine/run.ts": importing("millrace") },
    expected: ["layer: src/cli/run.ts", "layer: src/engine/run.ts"],
  },
  {
    what: "a module of the source imports a test",
    files: { "src/engine/run.ts": importing("../../test/servers/postgres.ts") },
    expected: ["layer: src/engine/run.ts"],
  },
  {
    what: "a test beside its module imports anything",
    files: { "src/core/a.test.ts": importing("../runtime/runner.ts") + importing("vitest") },
    expected: [],
  },
  {
    what: "a folder is no layer",
    files: { "src/services/a.ts": "export const a = 1;\n", "src/settings.ts": "export const a = 1;\n" },
    expected: ["unknown layer: src/services/a.ts", "unknown layer: src/settings.ts"],
  },
  {
    what: "barrels where they belong",
    files: {
      "src/index.ts": `export * from "./core/a.ts";\n`,
      "src/conformance/index.ts": `export * from "./a.ts";\n`,
      "src/adapters/kafka/index.ts": `export * from "./a.ts";\n`,
    },
    expected: [],
  },
  {
    what: "barrels where they do not",
    files: { "src/engine/index.ts": "export const a = 1;\n", "src/engine/all.ts": `export { a } from "./stage.ts";\n` },
    expected: ["barrel: src/engine/index.ts", "barrel: src/engine/all.ts"],
  },
  {
    what: "an application uses the public API, Node and its own folder",
    files: {
      "apps/hr/main.ts": ["millrace", "../../src/index.ts", "node:path", "./tables.ts"].map(importing).join(""),
    },
    expected: [],
  },
  {
    what: "an application reaches into the source, into another one, or for a package",
    files: { "apps/hr/main.ts": ["../../src/core/batch.ts", "../geo/main.ts", "pg"].map(importing).join("") },
    expected: ["app: apps/hr/main.ts", "app: apps/hr/main.ts", "app: apps/hr/main.ts"],
  },
  {
    what: "a cycle",
    files: {
      "src/engine/a.ts": importing("./b.ts"),
      "src/engine/b.ts": `import type { b } from "./c.ts";\nexport type A = typeof b;\n`,
      "src/engine/c.ts": importing("./a.ts"),
      "src/engine/d.ts": importing("./a.ts"),
    },
    expected: ["cycle: src/engine/a.ts"],
  },
  {
    what: "a file of the length allowed",
    files: { "src/engine/a.ts": lines(FILE_LINES_MAX) },
    expected: [],
  },
  {
    what: "a file too long",
    files: { "test/engine/a.test.ts": lines(FILE_LINES_MAX + 1) },
    expected: ["file length: test/engine/a.test.ts"],
  },
  {
    what: "functions of the length allowed, one in the other",
    files: {
      "src/engine/a.ts": `function a() {\n${lines(FUNCTION_LINES_MAX - 3)}call(() => {\n${lines(FUNCTION_LINES_MAX - 2)}});\n}\n`,
    },
    expected: [],
  },
  {
    what: "functions too long",
    files: {
      "src/engine/a.ts": `export function a() {\n${lines(FUNCTION_LINES_MAX - 1)}}\n`,
      "src/engine/b.ts": `export const a = {\n b() {\n${lines(FUNCTION_LINES_MAX - 1)}},\n};\n`,
      "scripts/c.ts": `export const a = () => {\n${lines(FUNCTION_LINES_MAX - 1)}};\n`,
    },
    expected: ["function length: src/engine/a.ts", "function length: src/engine/b.ts", "function length: scripts/c.ts"],
  },
  {
    what: "names that say nothing",
    files: Object.fromEntries(
      ["src/engine/utils.ts", "src/core/common/a.ts", "src/engine/connection-manager.ts", "test/baseSuite.ts"].map(
        (path) => [path, "export const a = 1;\n"],
      ),
    ),
    expected: [
      "name: src/engine/utils.ts",
      "name: src/core/common/a.ts",
      "name: src/engine/connection-manager.ts",
      "name: test/baseSuite.ts",
    ],
  },
  {
    what: "names that only look so",
    files: { "src/formats/base64.ts": "export const a = 1;\n", "src/engine/database.ts": "export const a = 1;\n" },
    expected: [],
  },
  {
    what: "a file that cannot be parsed",
    files: { "src/core/a.ts": "export const = 1;\n" },
    expected: ["parse: src/core/a.ts"],
  },
];

describe("the checker", () => {
  it.each(examples)("$what", ({ files, expected }) => {
    const found = checkArchitecture(files).map(({ rule, path }) => `${rule}: ${path}`);
    expect(found).toEqual(expected);
  });
});

describe("the tree", () => {
  it("keeps to the layers, sizes and names", () => {
    const found = checkArchitecture(readTree(["src", "apps", "scripts", "bench", "test"]));
    expect(found.map(({ rule, path, message }) => `${path}: ${message} (${rule})`)).toEqual([]);
  }, 120_000);
});
