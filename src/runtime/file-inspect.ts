import { createHash } from "node:crypto";
import type { Column } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { SourceOptions } from "../core/pipeline.ts";
import { decodeFrom, isSeekable } from "../formats/decode.ts";
import type { ReadBounds } from "../formats/frame.ts";
import { type TextLayout, textLayout } from "../formats/layout.ts";
import { type ParquetLayout, parquetLayout } from "../formats/parquet/layout.ts";
import { parquetReader } from "../formats/parquet/reader.ts";
import { type FilePosition, splitOf } from "../formats/position.ts";
import { framedReader } from "../formats/reader.ts";
import { type Sniffed, sniff } from "../formats/sniff.ts";
import { BoundaryFinder } from "../formats/split.ts";
import { ByteWindow } from "../formats/window.ts";
import { type SheetLayout, sheetLayout } from "../formats/xlsx/layout.ts";
import { sheetReader } from "../formats/xlsx/reader.ts";
import type { EngineHost } from "../ports/engine.ts";
import type { Files, OpenFile } from "../ports/files.ts";
import type { LaneReader } from "../ports/source.ts";
import { type Survey, SurveyedFile, surveyFile } from "./file-survey.ts";

/** What it takes to read the files of a source. */
export interface FileSettings {
  readonly files: Files;
  readonly options: SourceOptions;
  readonly columns: Readonly<Record<string, Column>> | undefined;
  readonly bounds: ReadBounds;
  readonly engine: EngineHost;
  readonly notice: (text: string) => void;
}

/** A file looked at and hashed. */
export interface Inspected {
  readonly path: string;
  readonly survey: Survey;
  readonly layout: Layout;
  /** What people call it: the path, with the sheet behind it where it is one of a workbook. */
  readonly source: string;
  /** Tells what is read of the content from any other: its hash, with the sheet where it is not the first. */
  readonly hash: string;
  /** Where its first record starts, and how it is split. */
  readonly initial: FilePosition;
}

type Layout = { readonly text: TextLayout } | { readonly parquet: ParquetLayout } | { readonly sheet: SheetLayout };

/** Looks at the file's head, then hashes all of it; `prefixSizesOf` gives those of `surveyFile`. */
export async function inspectFile(
  path: string,
  prefixSizesOf: (sizeBytes: number) => Promise<readonly number[]>,
  settings: FileSettings,
): Promise<Inspected> {
  const file = await settings.files.open(path);
  try {
    const sniffed = await sniff((start) => file.read(start, file.sizeBytes), path, settings.options);
    const prefixSizes = await prefixSizesOf(file.sizeBytes);
    if (sniffed.format === "xlsx") return await inspectSheet(file, prefixSizes, settings);
    if (sniffed.format === "parquet") return await inspectParquet(file, prefixSizes, settings);
    return await inspectText(file, sniffed, prefixSizes, settings);
  } finally {
    await file.close();
  }
}

async function inspectText(
  file: OpenFile,
  sniffed: Sniffed,
  prefixSizes: readonly number[],
  settings: FileSettings,
): Promise<Inspected> {
  const { path, sizeBytes } = file;
  const layout = textLayout(sniffed, settings.options, settings.columns, path);
  const finder = boundaryFinder(layout, file, settings);
  let skip = layout.byte;
  const survey = await surveyFile(file, prefixSizes, (bytes) => {
    if (skip < bytes.length) finder?.look(bytes.subarray(skip));
    skip = Math.max(0, skip - bytes.length);
  });
  const initial = initialPosition(layout, sizeBytes, finder);
  return { path, survey, layout: { text: layout }, source: path, hash: survey.hash, initial };
}

async function inspectParquet(
  file: OpenFile,
  prefixSizes: readonly number[],
  { files, options, columns, engine }: FileSettings,
): Promise<Inspected> {
  const { path, sizeBytes } = file;
  const magic: Uint8Array[] = [];
  for await (const bytes of file.read(Math.max(0, sizeBytes - 4), sizeBytes)) magic.push(bytes);
  if (Buffer.concat(magic).toString("latin1") !== "PAR1") {
    throw new MillraceError("FILE_TRUNCATED", `${path} ends too early: a Parquet file ends with PAR1`, {
      remedy: "Write or fetch the file again, then run again.",
      at: { source: path },
    });
  }
  const survey = await surveyFile(file, prefixSizes, () => {});
  const parquet = await parquetLayout(await files.local(path), path, options, columns, engine);
  const done = parquet.rows === 0 ? { done: true } : {};
  const initial = { row: 0, byte: 0, line: 1, sizeBytes, ...done };
  return { path, survey, layout: { parquet }, source: path, hash: survey.hash, initial };
}

async function inspectSheet(
  file: OpenFile,
  prefixSizes: readonly number[],
  { options, columns }: FileSettings,
): Promise<Inspected> {
  const { path, sizeBytes } = file;
  const survey = await surveyFile(file, prefixSizes, () => {});
  const sheet = await sheetLayout((start, end) => file.read(start, end), sizeBytes, path, options, columns);
  const initial = { row: 0, byte: 0, line: sheet.headerRow + 1, sizeBytes };
  const named = createHash("sha256").update(`${survey.hash}\0${sheet.sheet}`).digest("hex");
  const hash = sheet.isFirst ? survey.hash : named;
  return { path, survey, layout: { sheet }, source: `${path}!${sheet.sheet}`, hash, initial };
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

/** What was guessed or chosen of the file, for people. */
export function noticesOf({ layout }: Inspected): readonly string[] {
  if ("sheet" in layout) return layout.sheet.notices;
  return "text" in layout && layout.text.guess !== undefined ? [layout.text.guess] : [];
}

/** Opens the file for reading its records from a position on. */
export async function openReader(
  { path, survey, layout }: Inspected,
  position: FilePosition,
  settings: FileSettings,
): Promise<LaneReader> {
  const { bounds, notice, engine } = settings;
  const file = new SurveyedFile(await settings.files.open(path), survey, notice);
  const close = (): Promise<void> => file.close();
  const { split: _, ...start } = position;
  if ("parquet" in layout) {
    const check = (): Promise<void> => file.check();
    return parquetReader({ layout: layout.parquet, source: path, start, bounds, engine, check, close });
  }
  if ("sheet" in layout) {
    const read = (from: number, to: number): AsyncIterable<Uint8Array> =>
      file.read(from, Math.min(to, survey.sizeBytes));
    return sheetReader({ read, sizeBytes: survey.sizeBytes, layout: layout.sheet, source: path, start, bounds, close });
  }
  const { coding, format } = layout.text;
  const end = isSeekable(coding) ? (position.end ?? survey.sizeBytes) : survey.sizeBytes;
  const { bytes, drop } = decodeFrom((from) => file.read(from, end), coding, position.byte, path);
  const window = new ByteWindow(bytes);
  try {
    await window.skip(drop);
  } catch (error) {
    await window.close();
    await file.close();
    throw error;
  }
  return framedReader({ window, frame: layout.text.frame(bounds), format, start, bounds, close });
}
