import { type Module, readModule } from "./module.ts";

// core ← ports ← {engine, adapters, formats, transforms, conformance} ← runtime ← {http, cli} ← apps
// An arrow points to what may be imported.

export interface Violation {
  readonly rule: Rule;
  readonly path: string;
  readonly message: string;
}

export type Rule =
  | "parse"
  | "unknown layer"
  | "layer"
  | "pure core"
  | "vendor"
  | "app"
  | "barrel"
  | "cycle"
  | "file length"
  | "function length"
  | "name";

export const FILE_LINES_MAX = 400;
export const FUNCTION_LINES_MAX = 70;

/** Node modules the core may use: none so far. One that computes and does no I/O could be listed. */
const PURE_NODE_MODULES: ReadonlySet<string> = new Set();

const MIDDLE = ["engine", "adapters", "formats", "transforms", "conformance"] as const;
const BELOW_RUNTIME = ["core", "ports", ...MIDDLE];

/** Layer → the layers it may import, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ports: ["core"],
  ...Object.fromEntries(MIDDLE.map((layer) => [layer, ["core", "ports"]])),
  runtime: BELOW_RUNTIME,
  http: [...BELOW_RUNTIME, "runtime"],
  cli: [...BELOW_RUNTIME, "runtime"],
  // src/index.ts, the public API.
  index: [...BELOW_RUNTIME, "runtime", "http"],
};

/** The one door from the command line to the server. */
const SERVER_ENTRY = "src/http/server.ts";
/** The one place that knows which applications there are, and their list. */
const COMPOSITION = "src/cli/applications.ts";
const APPLICATIONS = "apps/index.ts";
const PUBLIC_API = "src/index.ts";
const BARRELS = /^src\/(index|conformance\/index|adapters\/[^/]+\/index)\.ts$/;
const NAMES_THAT_SAY_NOTHING = new Set([
  ...["util", "utils", "helper", "helpers", "common", "misc", "base", "manager", "managers"],
]);

/** Checks the whole tree, given as path → text. No I/O, so that every rule is tested with an example. */
export function checkArchitecture(files: Readonly<Record<string, string>>): Violation[] {
  const violations: Violation[] = [];
  const modules: Module[] = [];
  for (const [path, text] of Object.entries(files)) {
    try {
      modules.push(readModule(path, text));
    } catch (error) {
      violations.push({ rule: "parse", path, message: String(error) });
    }
  }
  for (const module of modules) {
    violations.push(...checkName(module), ...checkSizes(module));
    if (isTest(module.path)) continue;
    if (module.path.startsWith("src/")) {
      violations.push(...checkLayer(module), ...checkPurity(module), ...checkVendors(module), ...checkBarrel(module));
    }
    if (module.path.startsWith("apps/")) violations.push(...checkApp(module));
  }
  return [...violations, ...checkCycles(modules)];
}

function isTest(path: string): boolean {
  return path.startsWith("test/") || path.endsWith(".test.ts");
}

/** "src/core/batch.ts" → "core"; "src/index.ts" → "index"; undefined outside src. */
function layerOf(path: string): string | undefined {
  const [top, second, third] = path.split("/");
  if (top !== "src" || second === undefined) return undefined;
  return third === undefined ? second.replace(/\.ts$/, "") : second;
}

function vendorOf(path: string): string | undefined {
  return /^src\/adapters\/([^/]+)\//.exec(path)?.[1];
}

function checkLayer(module: Module): Violation[] {
  const { path } = module;
  const layer = layerOf(path) ?? "";
  const allowed = MAY_IMPORT[layer];
  if (allowed === undefined) {
    const message = `src/${layer} is no layer: ${Object.keys(MAY_IMPORT).join(", ")} are`;
    return [{ rule: "unknown layer", path, message }];
  }
  return module.imports.flatMap((imported): Violation[] => {
    if (imported.specifier === "millrace" || imported.target === PUBLIC_API) {
      return [{ rule: "layer", path, message: "imports the public API; import the module itself" }];
    }
    if (imported.target === undefined || imported.target === "package.json") return [];
    const target = layerOf(imported.target) ?? imported.target;
    if (target === layer || allowed.includes(target)) return [];
    if (layer === "cli" && imported.target === SERVER_ENTRY) return [];
    if (path === COMPOSITION && imported.target === APPLICATIONS) return [];
    return [{ rule: "layer", path, message: `${layer} must not import ${imported.target}` }];
  });
}

/** Core and ports use no package, and of Node only its types; the core has no clock. */
function checkPurity(module: Module): Violation[] {
  const { path } = module;
  const layer = layerOf(path);
  if (layer !== "core" && layer !== "ports") return [];
  const impure = module.imports.filter(({ specifier, target, typeOnly }) => {
    if (target !== undefined || specifier === "millrace" || PURE_NODE_MODULES.has(specifier)) return false;
    return !(typeOnly && specifier.startsWith("node:"));
  });
  const clocks = layer === "core" ? module.clockReads : [];
  return [
    ...impure.map(({ specifier }): Violation => {
      return { rule: "pure core", path, message: `${layer} must not import ${specifier}` };
    }),
    ...clocks.map((line): Violation => {
      return {
        rule: "pure core",
        path,
        message: `line ${line}: new Date() reads the clock; take the time as an argument`,
      };
    }),
  ];
}

function checkVendors(module: Module): Violation[] {
  const { path } = module;
  const vendor = vendorOf(path);
  if (vendor === undefined) return [];
  return module.imports.flatMap(({ target }): Violation[] => {
    const inAdapters = target?.startsWith("src/adapters/") === true;
    if (!inAdapters || vendorOf(target) === vendor) return [];
    return [{ rule: "vendor", path, message: `the adapter ${vendor} must not import ${target}` }];
  });
}

function checkBarrel(module: Module): Violation[] {
  const { path } = module;
  if (BARRELS.test(path) || (!module.barrel && !path.endsWith("/index.ts"))) return [];
  return [{ rule: "barrel", path, message: "is a barrel; import from where the thing is" }];
}

/** An application uses the public API, Node and its own folder. */
function checkApp(module: Module): Violation[] {
  const { path } = module;
  const folder = /^apps\/[^/]+\//.exec(path)?.[0] ?? "apps/";
  return module.imports.flatMap(({ specifier, target }): Violation[] => {
    const allowed =
      target === undefined
        ? specifier === "millrace" || specifier.startsWith("node:")
        : target === PUBLIC_API || target.startsWith(folder);
    return allowed
      ? []
      : [{ rule: "app", path, message: `imports ${specifier}; an application has only the public API` }];
  });
}

function checkSizes(module: Module): Violation[] {
  const { path, lines } = module;
  const violations: Violation[] = [];
  if (lines > FILE_LINES_MAX) {
    violations.push({ rule: "file length", path, message: `${lines} lines; ${FILE_LINES_MAX} are allowed` });
  }
  for (const found of module.functions) {
    if (found.lines <= FUNCTION_LINES_MAX) continue;
    const message = `line ${found.line}: ${found.name} has ${found.lines} lines; ${FUNCTION_LINES_MAX} are allowed`;
    violations.push({ rule: "function length", path, message });
  }
  return violations;
}

function checkName({ path }: Module): Violation[] {
  const words = path
    .replace(/\.ts$/, "")
    .split(/[/.\-_]|(?<=[a-z])(?=[A-Z])/)
    .map((word) => word.toLowerCase());
  return words
    .filter((word) => NAMES_THAT_SAY_NOTHING.has(word))
    .map((word) => ({ rule: "name", path, message: `"${word}" says nothing; name the concept` }));
}

/** One violation per cycle, types included: two files that need each other's types are one concept. */
function checkCycles(modules: readonly Module[]): Violation[] {
  const targets = new Map<string, string[]>();
  for (const { path, imports } of modules) {
    targets.set(path, [...new Set(imports.flatMap(({ target }) => target ?? []))]);
  }
  const state = new Map<string, "open" | "done">();
  const trail: string[] = [];
  const violations: Violation[] = [];
  const visit = (path: string): void => {
    state.set(path, "open");
    trail.push(path);
    for (const target of targets.get(path) ?? []) {
      if (state.get(target) === "open") {
        const cycle = [...trail.slice(trail.indexOf(target)), target];
        violations.push({ rule: "cycle", path: target, message: cycle.join(" → ") });
      } else if (!state.has(target) && targets.has(target)) {
        visit(target);
      }
    }
    trail.pop();
    state.set(path, "done");
  };
  for (const path of targets.keys()) if (!state.has(path)) visit(path);
  return violations;
}
