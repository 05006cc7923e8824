import { problem } from "../problem.ts";

export const mediaTypes = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv",
  parquet: "application/vnd.apache.parquet",
} as const;

export type Media = keyof typeof mediaTypes;

const names: readonly (readonly [string, Media])[] = [
  ["application/json", "json"],
  ["application/x-ndjson", "ndjson"],
  ["application/ndjson", "ndjson"],
  ["application/jsonl", "ndjson"],
  ["text/csv", "csv"],
  ["application/vnd.apache.parquet", "parquet"],
  ["application/parquet", "parquet"],
];

interface Range {
  readonly type: string;
  readonly weight: number;
}

/** The form of the answer that the caller likes best; JSON where it has no wish. Throws 406. */
export function mediaOf(accept: string | undefined): Media {
  if (accept === undefined || accept === "*/*") return "json";
  const ranges = accept.split(",").map(rangeOf);
  let best: { readonly media: Media; readonly weight: number } | undefined;
  for (const [name, media] of names) {
    const weight = weightOf(name, ranges);
    if (weight > (best?.weight ?? 0)) best = { media, weight };
  }
  if (best !== undefined) return best.media;
  const remedy = `Accept one of ${Object.values(mediaTypes).join(", ")}.`;
  throw problem(406, "REQUEST_INVALID", "The rows cannot be had in that form", remedy);
}

function rangeOf(text: string): Range {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const quality = parameters.find((one) => one.startsWith("q="));
  const weight = quality === undefined ? 1 : Number(quality.slice(2));
  return { type, weight: Number.isFinite(weight) ? weight : 0 };
}

/** Of the ranges that a type is in, the narrowest counts. */
function weightOf(name: string, ranges: readonly Range[]): number {
  for (const type of [name, `${name.split("/")[0]}/*`, "*/*"]) {
    const found = ranges.find((range) => range.type === type);
    if (found !== undefined) return found.weight;
  }
  return 0;
}
