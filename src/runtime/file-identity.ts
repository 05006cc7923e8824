import type { Checkpoint } from "../core/checkpoint.ts";
import { MillraceError } from "../core/error.ts";
import { type FilePosition, filePosition, isDone, partsOf } from "../formats/position.ts";
import type { KnownLanes } from "../ports/source.ts";

/**
 * The id of a file's lane: `sha256:HASH` of its bytes, so that the same content under another name is the same lane;
 * `~2` for the second time the content is loaded on purpose; `#0` for a part of a split lane.
 */
export interface LaneIdentity {
  readonly hash: string;
  readonly generation: number;
  readonly part: number | undefined;
}

export function laneId({ hash, generation, part }: LaneIdentity): string {
  return `sha256:${hash}${generation > 1 ? `~${generation}` : ""}${part === undefined ? "" : `#${part}`}`;
}

export function parseLaneId(id: string): LaneIdentity | undefined {
  const match = /^sha256:([0-9a-f]{64})(?:~(\d+))?(?:#(\d+))?$/.exec(id);
  if (match === null) return undefined;
  const [, hash = "", generation = "1", part] = match;
  return { hash, generation: Number(generation), part: part === undefined ? undefined : Number(part) };
}

/** The id of a lane without its part: rows of a file are numbered through all parts of it. */
export const contentOf = (lane: string): string => lane.replace(/#\d+$/, "");

/** The path in a lane's source, which of a workbook names the sheet too: `users.xlsx!Sheet1`. */
export function pathOfSource(source: string): string {
  return /^(.*?[.]xls[xm])!.*$/i.exec(source)?.[1] ?? source;
}

/** Where a lane ended; undefined while it, or a part of it, is not read to its end. */
export async function endOf(checkpoint: Checkpoint, known: KnownLanes): Promise<FilePosition | undefined> {
  const position = filePosition(checkpoint.position);
  const parts = partsOf(position);
  if (parts === undefined) return isDone(position) ? position : undefined;
  let end: FilePosition | undefined;
  for (const part of parts.keys()) {
    const found = await known.get(`${checkpoint.lane}#${part}`);
    end = found === undefined ? undefined : filePosition(found.position);
    if (end === undefined || !isDone(end)) return undefined;
  }
  return end;
}

/**
 * The generation to read: the latest there is; with `again` the first that is not finished, which is a new one when
 * all are.
 */
export async function generationOf(hash: string, again: boolean, known: KnownLanes): Promise<number> {
  for (let generation = 1; ; generation += 1) {
    const found = await known.get(laneId({ hash, generation, part: undefined }));
    if (found === undefined) return again || generation === 1 ? generation : generation - 1;
    if (again && (await endOf(found, known)) === undefined) return generation;
  }
}

/** An earlier lane of the same name that may hold the beginning of this file's content. */
export interface Earlier {
  readonly hash: string;
  readonly sizeBytes: number;
  /** Of its latest generation. */
  readonly checkpoint: Checkpoint;
}

/** Earlier lanes of the source with less content than `sizeBytes`, the longest first. */
export async function earlierLanes(source: string, sizeBytes: number, known: KnownLanes): Promise<Earlier[]> {
  const latest = new Map<string, { generation: number; earlier: Earlier }>();
  for (const checkpoint of await known.of(source)) {
    const identity = parseLaneId(checkpoint.lane);
    const position = filePosition(checkpoint.position);
    if (identity === undefined || identity.part !== undefined) continue;
    if (position.sizeBytes === 0 || position.sizeBytes >= sizeBytes) continue;
    const { hash, generation } = identity;
    if ((latest.get(hash)?.generation ?? 0) > generation) continue;
    latest.set(hash, { generation, earlier: { hash, sizeBytes: position.sizeBytes, checkpoint } });
  }
  return [...latest.values()].map(({ earlier }) => earlier).sort((a, b) => b.sizeBytes - a.sizeBytes);
}

export function endedOpen(source: string, sizeBytes: number): MillraceError {
  return new MillraceError("FILE_CHANGED", `${source} grew, and what was read of it did not end with a line end`, {
    remedy: `Its last record was loaded as it stood at byte ${sizeBytes} and may now be a longer one. Put the new records into a file of their own, or load all of it again with --again.`,
    at: { source, byte: sizeBytes },
  });
}
