import type { Column } from "../core/contract.ts";
import { limit } from "../core/limit.ts";
import type { SourceOptions } from "../core/pipeline.ts";
import { decodeFrom, isSeekable } from "../formats/decode.ts";
import type { ReadBounds } from "../formats/frame.ts";
import { textLayout, type TextLayout } from "../formats/layout.ts";
import { type FilePosition, splitOf } from "../formats/position.ts";
import { framedReader } from "../formats/reader.ts";
import { sniff } from "../formats/sniff.ts";
import { BoundaryFinder } from "../formats/split.ts";
import { ByteWindow } from "../formats/window.ts";
import type { Files, OpenFile } from "../ports/files.ts";
import type { LaneReader } from "../ports/source.ts";
import { type Survey, SurveyedFile, surveyFile } from "./file-survey.ts";

/** What it takes to read the files of a source. */
export interface FileSettings {
  readonly files: Files;
  readonly options: SourceOptions;
  readonly columns: Readonly<Record<string, Column>> | undefined;
  readonly bounds: ReadBounds;
  readonly notice: (text: string) => void;
}

/** A file looked at and hashed. */
export interface Inspected {
  readonly path: string;
  readonly survey: Survey;
  readonly layout: TextLayout;
  /** Where its first record starts, and how it is split. */
  readonly initial: FilePosition;
}

/** Looks at the file's head, then hashes all of it; `prefixSizes` as in `surveyFile`. */
export async function inspectFile(
  path: string,
  prefixSizesOf: (sizeBytes: number) => Promise<readonly number[]>,
  settings: FileSettings,
): Promise<Inspected> {
  const file = await settings.files.open(path);
  try {
    const { sizeBytes } = file;
    const sniffed = await sniff((start) => file.read(start, sizeBytes), path, settings.options);
    const layout = textLayout(sniffed, settings.options, settings.columns, path);
    const finder = boundaryFinder(layout, file, settings);
    let skip = layout.byte;
    const survey = await surveyFile(file, await prefixSizesOf(sizeBytes), (bytes) => {
      if (skip < bytes.length) finder?.look(bytes.subarray(skip));
      skip = Math.max(0, skip - bytes.length);
    });
    return { path, survey, layout, initial: initialPosition(layout, sizeBytes, finder) };
  } finally {
    await file.close();
  }
}

/** Only a file of several batches is worth splitting. */
function boundaryFinder(
  layout: TextLayout,
  { sizeBytes }: OpenFile,
  settings: FileSettings,
): BoundaryFinder | undefined {
  const { cut, coding, byte, line } = layout;
  const { bounds } = settings;
  const parts = Math.min(settings.options.parallel ?? 1, limit.parallel);
  const size = sizeBytes - byte;
  if (cut === undefined || !isSeekable(coding) || coding.loneReturns || parts < 2 || size < 2 * bounds.batchBytes)
    return undefined;
  const targets = Array.from({ length: parts - 1 }, (_, index) => byte + Math.floor((size * (index + 1)) / parts));
  return new BoundaryFinder({ ...cut, recordBytesMax: bounds.recordBytes }, { byte, line }, targets);
}

function initialPosition(layout: TextLayout, sizeBytes: number, finder: BoundaryFinder | undefined): FilePosition {
  const { byte, line, coding } = layout;
  const start = { row: 0, byte, line, sizeBytes, ...(isSeekable(coding) ? { end: sizeBytes } : {}) };
  return finder === undefined || finder.found.length === 0 ? start : { ...start, split: splitOf(finder.found) };
}

/** Opens the file for reading its records from a position on. */
export async function openReader(
  inspected: Inspected,
  position: FilePosition,
  settings: FileSettings,
): Promise<LaneReader> {
  const { path, survey, layout } = inspected;
  const { bounds, notice } = settings;
  const file = new SurveyedFile(await settings.files.open(path), survey, notice);
  const end = isSeekable(layout.coding) ? (position.end ?? survey.sizeBytes) : survey.sizeBytes;
  const { bytes, drop } = decodeFrom((start) => file.read(start, end), layout.coding, position.byte, path);
  const window = new ByteWindow(bytes);
  try {
    await window.skip(drop);
  } catch (error) {
    await window.close();
    await file.close();
    throw error;
  }
  const { split: _, ...start } = position;
  return framedReader({
    window,
    frame: layout.frame(bounds),
    format: layout.format,
    start,
    bounds,
    close: () => file.close(),
  });
}
