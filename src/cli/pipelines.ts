import { MillraceError } from "../core/error.ts";
import type { Pipeline } from "../core/pipeline.ts";
import { type LoadedConfig, loadConfig, pipelinesOf } from "../runtime/config.ts";
import { loadPipelines } from "../runtime/modules.ts";
import { nearestName } from "../formats/nearest.ts";
import { stderr } from "./screen.ts";
import { safeText } from "./shown.ts";

export interface Project {
  readonly config: LoadedConfig;
  readonly pipelines: readonly Pipeline[];
}

/** Whether an argument is the path of a module that exports pipelines, and not a pipeline's name. */
export function isModulePath(text: string): boolean {
  return /\.[mc]?[jt]s$/.test(text);
}

/**
 * The pipelines named, by name or by the path of their module; all of the project when none is. Modules of the project
 * that export none are told on standard error. Throws PIPELINE_UNKNOWN.
 */
export async function chooseProject(wanted: readonly string[], configPath?: string): Promise<Project> {
  const config = await loadConfig(process.cwd(), configPath);
  const paths = wanted.filter(isModulePath);
  const names = wanted.filter((text) => !isModulePath(text));
  const fromPaths = (await Promise.all(paths.map(modulePipelines))).flat();
  if (paths.length > 0 && names.length === 0) return { config, pipelines: fromPaths };
  const all = await pipelinesOf(config, (text) => stderr.line(safeText(text)));
  if (names.length > 0) return { config, pipelines: [...fromPaths, ...names.map((name) => named(all, name))] };
  if (all.length > 0) return { config, pipelines: all };
  throw new MillraceError("PIPELINE_UNKNOWN", "There is no pipeline here", {
    remedy: "Start a project with millrace init, run this in a project's folder, or name a pipeline's module.",
    at: { source: config.file ?? config.folder },
  });
}

async function modulePipelines(path: string): Promise<Pipeline[]> {
  const pipelines = await loadPipelines(path);
  if (pipelines.length > 0) return pipelines;
  throw new MillraceError("PIPELINE_UNKNOWN", `${path} exports no pipeline`, {
    remedy: "Export one: export default pipeline(NAME).from(URL).check(table(…)).to(URL).",
    at: { source: path },
  });
}

function named(all: readonly Pipeline[], name: string): Pipeline {
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = all.map((one) => one.name);
  const near = nearestName(name, names);
  throw new MillraceError("PIPELINE_UNKNOWN", `There is no pipeline "${name}"`, {
    remedy: `${near === undefined ? "" : `Did you mean ${near}? `}Pipelines are ${names.join(", ") || "none here"}.`,
  });
}
