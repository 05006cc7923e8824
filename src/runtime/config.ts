import { glob, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { MillraceError } from "../core/error.ts";
import { isPipeline, type Pipeline } from "../core/pipeline.ts";
import { bytesOf } from "../core/setting.ts";
import { stageNames } from "../core/stage.ts";
import { importModule, loadPipelines } from "./modules.ts";

/** What `millrace.config.ts` says. Everything has a default; options of the command line win. */
export interface Config {
  /** Pipelines, or globs of the modules that export them, relative to the configuration file. Default `pipelines/*.ts`. */
  readonly pipelines?: readonly (Pipeline | string)[];
  /** Memory budget of the whole process: `"512MB"`, `"2GB"`, or bytes. */
  readonly memory?: string | number;
  /** Schema of the tables that Millrace keeps in a database. */
  readonly stateSchema?: string;
  /** Settings of applications and of the server, by group: `hr: { to: "postgres://…" }`, `http: { port: 8080 }`. */
  readonly [group: string]: unknown;
}

type GroupSettings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Types the configuration: `export default config({ … })`. */
export function config(settings: Config): Config {
  return settings;
}

export interface LoadedConfig extends Pick<Config, "pipelines" | "memory" | "stateSchema"> {
  readonly settings?: GroupSettings;
  /** The configuration file, or undefined when there is none and defaults hold. */
  readonly file: string | undefined;
  readonly folder: string;
}

const names = ["millrace.config.ts", "millrace.config.mts", "millrace.config.js", "millrace.config.mjs"];
const fields = ["pipelines", "memory", "stateSchema"] as const;

/** Finds and loads the configuration: `path`, else a `millrace.config.*` in `folder`. */
export async function loadConfig(folder: string, path?: string): Promise<LoadedConfig> {
  const file = path === undefined ? await findConfig(folder) : resolve(folder, path);
  if (file === undefined) return { file: undefined, folder };
  const { default: settings } = await importModule(file, "CONFIG_INVALID");
  return { ...parseConfig(settings, file), file, folder: dirname(file) };
}

async function findConfig(folder: string): Promise<string | undefined> {
  for (const name of names) {
    const file = join(folder, name);
    if ((await stat(file).catch(() => undefined))?.isFile() === true) return file;
  }
  return undefined;
}

function parseConfig(value: unknown, file: string): Omit<LoadedConfig, "file" | "folder"> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw mistake(file, "it has no default export of settings");
  }
  const { pipelines, memory, stateSchema, ...groups } = value as Record<string, unknown>;
  const unknown = Object.keys(groups).find((name) => !isGroup(groups[name]));
  if (unknown !== undefined) {
    throw mistake(
      file,
      `it has the unknown setting "${unknown}"; settings are ${fields.join(", ")}, and groups such as http: { … }`,
    );
  }
  const isEntry = (entry: unknown): boolean => typeof entry === "string" || isPipeline(entry);
  if (pipelines !== undefined && !(Array.isArray(pipelines) && pipelines.every(isEntry))) {
    throw mistake(file, '"pipelines" is not a list of pipelines and globs');
  }
  if (memory !== undefined && typeof memory !== "string" && typeof memory !== "number") {
    throw mistake(file, '"memory" is neither a number of bytes nor text such as "512MB"');
  }
  if (stateSchema !== undefined && typeof stateSchema !== "string") throw mistake(file, '"stateSchema" is not text');
  const settings = groups as GroupSettings;
  return { ...(value as Pick<LoadedConfig, (typeof fields)[number]>), settings };
}

function isGroup(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isPipeline(value);
}

/**
 * All pipelines of a configuration; modules that export none are told to `notice`. Throws PIPELINE_INVALID when two have
 * one name, as they would share positions.
 */
export async function pipelinesOf(
  loaded: LoadedConfig,
  notice: (text: string) => void = () => undefined,
): Promise<Pipeline[]> {
  const found: Pipeline[] = [];
  for (const entry of loaded.pipelines ?? ["pipelines/*.{ts,mts,js,mjs}"]) {
    if (typeof entry !== "string") found.push(entry);
    else for (const path of await matching(entry, loaded.folder)) found.push(...(await modulePipelines(path, notice)));
  }
  const stateSchema = loaded.stateSchema;
  const all = stateSchema === undefined ? found : found.map((one) => ({ ...one, sink: { stateSchema, ...one.sink } }));
  const allNames = all.flatMap((one) => stageNames(one));
  const twin = allNames.find((one, index) => allNames.indexOf(one) !== index);
  if (twin === undefined) return all;
  throw new MillraceError("PIPELINE_INVALID", `Two pipelines have the name "${twin}"`, {
    remedy: "Positions are kept by name: give each its own.",
  });
}

async function modulePipelines(path: string, notice: (text: string) => void): Promise<Pipeline[]> {
  const pipelines = await loadPipelines(path);
  if (pipelines.length === 0) notice(`${relative(process.cwd(), path)} exports no pipeline, so nothing of it is run`);
  return pipelines;
}

async function matching(pattern: string, folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const path of glob(pattern, { cwd: folder })) paths.push(join(folder, path));
  return paths.sort();
}

function mistake(file: string, what: string): MillraceError {
  return new MillraceError("CONFIG_INVALID", `The configuration has a mistake: ${what}`, {
    remedy: 'It looks like: import { config } from "millrace"; export default config({ memory: "512MB" });',
    at: { source: file },
  });
}

/** Bytes of `"512MB"`, `"2GB"`, `"1000000"` or a number; 1 MB is 2^20 bytes. */
export function parseBytes(value: string | number): number {
  const bytes = typeof value === "number" ? value : bytesOf(value);
  if (bytes !== undefined) return bytes;
  throw new MillraceError("USAGE", `${JSON.stringify(value)} is not an amount of memory`, {
    remedy: "Write it as 512MB or 2GB.",
  });
}
