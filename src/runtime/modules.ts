import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Contract } from "../core/contract.ts";
import { validateContract } from "../core/contract.ts";
import { contractFromJson } from "../core/contract-json.ts";
import { type ErrorCode, MillraceError } from "../core/error.ts";
import { isPipeline, type Pipeline } from "../core/pipeline.ts";

/** The exports of a user's TypeScript or JavaScript module. Errors in it are errors of `code`, with its own text. */
export async function importModule(path: string, code: ErrorCode): Promise<Readonly<Record<string, unknown>>> {
  const file = resolve(path);
  await requireFile(file, path);
  try {
    // The time makes a changed file load anew in a process that goes on.
    const { mtimeMs } = await stat(file);
    return (await import(`${pathToFileURL(file).href}?${mtimeMs}`)) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError(code, `${path} cannot be loaded: ${(cause as Error).message}`, {
      remedy: loadRemedy(cause, path),
      at: { source: path },
      cause,
    });
  }
}

function loadRemedy(cause: unknown, path: string): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  const name = code === "ERR_MODULE_NOT_FOUND" ? /^Cannot find package '([^']+)'/.exec(message)?.[1] : undefined;
  if (name !== undefined) return `Run npm install ${name} in the folder ${dirname(path)}.`;
  return "Mend the module; it runs on Node as it is, with types stripped (no enum, no namespace), and imports name their .ts ending.";
}

/** A contract from a `.json` file or from a module that exports a `table(…)`. Throws USAGE when the file is not there. */
export async function loadContract(path: string): Promise<Contract> {
  if (/\.[mc]?[jt]s$/.test(path)) {
    await requireFile(resolve(path), path, "USAGE");
    const found = Object.values(await importModule(path, "CONTRACT_INVALID")).filter(isContract);
    const [contract, ...others] = found;
    if (contract !== undefined && others.length === 0) return validateContract(contract);
    throw new MillraceError("CONTRACT_INVALID", `${path} exports ${found.length} contracts where one is needed`, {
      remedy: "Export one table(…) from it.",
      at: { source: path },
    });
  }
  await requireFile(resolve(path), path, "USAGE");
  const text = await readFile(path, "utf8");
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new MillraceError("CONTRACT_INVALID", `${path} is not JSON: ${(cause as Error).message}`, {
      remedy: "Mend the JSON, or give a .ts module that exports a table(…).",
      at: { source: path },
      cause,
    });
  }
  return contractFromJson(value, path);
}

/** The pipelines that a module exports, default or named. */
export async function loadPipelines(path: string): Promise<Pipeline[]> {
  const exports = Object.values(await importModule(path, "PIPELINE_INVALID"));
  const values = exports.flatMap((value): unknown[] => (Array.isArray(value) ? value : [value]));
  // One that is exported by name and as default is one.
  return [...new Set(values)].filter(isPipeline);
}

function isContract(value: unknown): value is Contract {
  return typeof value === "object" && value !== null && "table" in value && "columns" in value && "checks" in value;
}

async function requireFile(file: string, shown: string, code: ErrorCode = "FILE_MISSING"): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() === true) return;
  throw new MillraceError(code, `${shown} is not there`, {
    remedy: "Check the path; it is relative to the folder that the command runs in.",
    at: { source: shown },
  });
}
