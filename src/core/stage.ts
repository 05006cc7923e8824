import type { Pipeline } from "./pipeline.ts";

/**
 * A pipeline that is cut by `.via` is as many stages, each a pipeline of its own with positions and a ledger of its own:
 * `orders:1` from the source into the first log, `orders:2` from there on. One that is not cut is itself.
 */
export function stageNames({ name, via }: Pick<Pipeline, "name" | "via">): readonly string[] {
  if (via === undefined || via.length === 0) return [name];
  return Array.from({ length: via.length + 1 }, (_, index) => stageName(name, index + 1));
}

function stageName(pipeline: string, number: number): string {
  return `${pipeline}:${number}`;
}

/** The stage that writes what the stage `name` reads; undefined for a first one, and for what is no stage. */
export function stageBefore(name: string): string | undefined {
  const { pipeline, number } = partsOf(name);
  return number > 1 ? stageName(pipeline, number - 1) : undefined;
}

/** The stage that would read what the stage `name` writes; undefined for what is no stage. */
export function stageAfter(name: string): string | undefined {
  const { pipeline, number } = partsOf(name);
  return number > 0 ? stageName(pipeline, number + 1) : undefined;
}

function partsOf(name: string): { readonly pipeline: string; readonly number: number } {
  const [, pipeline = "", number = "0"] = /^(.+):([1-9]\d{0,2})$/.exec(name) ?? [];
  return { pipeline, number: Number(number) };
}
