import type { Position } from "../core/checkpoint.ts";
import type { Json } from "../core/json.ts";
import type { Boundary } from "./split.ts";

/** How far in a file, as a checkpoint keeps it. */
export interface FilePosition extends Position {
  /** Byte of the decoded file at which the next record starts. */
  readonly byte: number;
  /** Records of the file before it. */
  readonly row: number;
  /** 1-based line of that byte. */
  readonly line: number;
  /** Bytes of the file as it was hashed. */
  readonly sizeBytes: number;
  /** Byte at which the lane ends, where bytes of the decoded file are those of the file. */
  readonly end?: number;
  /** The lane was read to its end. */
  readonly done?: boolean;
  /** The last record has no line end: what is appended to the file may belong to it. */
  readonly open?: boolean;
  /** `[byte, row, line]` of the start of each part but the first, when the lane was split. */
  readonly split?: readonly (readonly [number, number, number])[];
}

/** Reads a position back from a checkpoint. What is missing or of another form counts as absent. */
export function filePosition(position: Position): FilePosition {
  const { byte, line, sizeBytes, end, done, open, split } = position as Readonly<Record<string, Json>>;
  return {
    row: position.row,
    byte: typeof byte === "number" ? byte : 0,
    line: typeof line === "number" ? line : 1,
    sizeBytes: typeof sizeBytes === "number" ? sizeBytes : 0,
    ...(typeof end === "number" ? { end } : {}),
    ...(done === true ? { done } : {}),
    ...(open === true ? { open } : {}),
    ...(Array.isArray(split) ? { split: split as [number, number, number][] } : {}),
  };
}

export function isDone({ byte, end, done }: FilePosition): boolean {
  return done === true || (end !== undefined && byte >= end);
}

export const splitOf = (boundaries: readonly Boundary[]): [number, number, number][] =>
  boundaries.map(({ byte, row, line }) => [byte, row, line]);

/** Starts of the parts of a split lane; undefined when it is read whole. */
export function partsOf(position: FilePosition): readonly FilePosition[] | undefined {
  const { split, row, line, byte, sizeBytes, end = sizeBytes } = position;
  if (split === undefined || split.length === 0) return undefined;
  const starts = [[byte, row, line] as const, ...split];
  return starts.map(([at, rows, lines], index) => ({
    byte: at,
    row: rows,
    line: lines,
    sizeBytes,
    end: starts[index + 1]?.[0] ?? end,
  }));
}
