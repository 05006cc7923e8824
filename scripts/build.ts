// Compiles src and apps into dist, with what lies beside them and is no code: JavaScript and declarations, file by file.
//
//   npm run build      checks types and fails on the first error
//   npm run prepare    (also part of `npm ci`) emits without checking: an error of types is the business of
//                      `npm test`, not a reason why an installation fails
//
// The new output replaces the old one by a rename, so that a process reading dist never sees half of it.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
const target = join(root, "dist");
const checkTypes = !process.argv.includes("--no-check");

function compile(outDir: string): boolean {
  const options = ["-p", join(root, "tsconfig.build.json"), "--outDir", outDir];
  if (!checkTypes) options.push("--noCheck");
  const run = spawnSync(process.execPath, [compiler, ...options], { cwd: root, stdio: "inherit" });
  return run.status === 0;
}

/** SQL of insights, and the files of the console. */
function copyAssets(outDir: string): void {
  const isAsset = (path: string): boolean => statSync(path).isDirectory() || /\.(sql|html|css|js)$/.test(path);
  for (const folder of ["apps", "console"]) {
    const from = join(root, folder);
    if (existsSync(from)) cpSync(from, join(outDir, folder), { recursive: true, filter: isAsset });
  }
}

function replace(fresh: string): void {
  const old = `${target}.old-${process.pid}`;
  if (existsSync(target)) renameSync(target, old);
  renameSync(fresh, target);
  rmSync(old, { recursive: true, force: true });
}

function build(): number {
  if (!existsSync(compiler)) {
    console.error("build: TypeScript is not installed (production install?); dist is left as it is");
    return checkTypes ? 1 : 0;
  }
  if (!existsSync(join(root, "src", "index.ts"))) {
    console.error("build: src/index.ts does not exist; nothing to build");
    return checkTypes ? 1 : 0;
  }
  const fresh = `${target}.new-${process.pid}`;
  try {
    if (!compile(fresh)) return 1;
    copyAssets(fresh);
    const entry = join(fresh, "src", "cli", "main.js");
    if (existsSync(entry)) chmodSync(entry, 0o755);
    replace(fresh);
    return 0;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

process.exitCode = build();
