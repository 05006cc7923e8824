import { createHash } from "node:crypto";
import { catalogFolder } from "./catalog.ts";

export const partFormats = ["parquet", "csv", "ndjson"] as const;
export type PartFormat = (typeof partFormats)[number];

/** 16 hex digits for a lane of a pipeline: two pipelines may read the same file into one table. */
export function laneHash(pipeline: string, lane: string): string {
  return createHash("sha256").update(pipeline).update("\0").update(lane).digest("hex").slice(0, 16);
}

/**
 * `part-<lane>-<row at the start, 12 digits>.parquet`. The name comes from the position, so a batch done again after
 * a crash overwrites what the first attempt left. `again` counts parts of that name which are committed already: a lane
 * that was forgotten and read anew.
 */
export function partName(hash: string, startRow: number, again: number, format: PartFormat): string {
  const suffix = again === 0 ? "" : `-${again}`;
  return `part-${hash}-${String(startRow).padStart(12, "0")}${suffix}.${format}`;
}

/** The name of a part while it is written: no reader's pattern matches it, and its lane and epoch tell when it is dead. */
export function unfinishedName(hash: string, epoch: number, unique: string): string {
  return `.part-${hash}-${epoch}-${unique}.tmp`;
}

export function isPartName(file: string): boolean {
  return /^part-[0-9a-f]{16}-\d{12,}(-\d+)?\.(parquet|csv|ndjson)$/.test(file);
}

/** Lane and epoch of an unfinished part, the engine's own intermediate files included. */
export function parseUnfinishedName(file: string): { readonly hash: string; readonly epoch: number } | undefined {
  const match = /^(?:tmp_)?\.part-([0-9a-f]{16})-(\d+)-[0-9a-f-]+\.tmp(?:\.tmp)?$/.exec(file);
  return match?.[1] === undefined ? undefined : { hash: match[1], epoch: Number(match[2]) };
}

export function partFormatOf(file: string): PartFormat {
  const ending = file.slice(file.lastIndexOf(".") + 1);
  const format = partFormats.find((known) => known === ending);
  if (format === undefined) throw new Error(`The catalog is damaged: ${file} is no part`);
  return format;
}

const folderBytesMax = 200;

/**
 * A folder for a table of any name: letters, digits, `_` and `-` stay, every other byte becomes `%XX`, so that no name
 * leads elsewhere. A name that grows too long is cut and told apart by a hash.
 */
export function tableFolder(table: string): string {
  const safe = table.normalize("NFC").replace(/[^\p{L}\p{M}\p{N}_-]/gu, encodeBytes);
  const free = safe.toLowerCase().startsWith(catalogFolder) ? `%5F${safe.slice(1)}` : safe;
  if (Buffer.byteLength(free) <= folderBytesMax) return free;
  const hash = createHash("sha256").update(table).digest("hex").slice(0, 16);
  return `${cutBytes(free, folderBytesMax - hash.length - 1)}-${hash}`;
}

function encodeBytes(char: string): string {
  return [...Buffer.from(char)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

/** The longest beginning of whole characters within `bytesMax`. */
function cutBytes(text: string, bytesMax: number): string {
  let kept = "";
  for (const char of text) {
    if (Buffer.byteLength(kept) + Buffer.byteLength(char) > bytesMax) break;
    kept += char;
  }
  return kept;
}
