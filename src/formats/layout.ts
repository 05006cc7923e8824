import type { JsonObject } from "../core/json.ts";
import { isLineFormat, type LineFormat } from "../core/line-format.ts";
import type { FormatOptions } from "../core/pipeline.ts";
import { csvFormat, frameCsv } from "./csv/frame.ts";
import { type Columns, columnsByHeader } from "./csv/header.ts";
import { csvLayout } from "./csv/layout.ts";
import { frameLines } from "./json/lines.ts";
import { frameValues, jsonStart } from "./json/values.ts";
import { frameOwn, keptLineFormat } from "./lines/frame.ts";
import type { Coding } from "./decode.ts";
import type { Frame, ReadBounds } from "./frame.ts";
import type { Sniffed } from "./sniff.ts";
import type { Cut } from "./split.ts";

/** How the text of a file is read. */
export interface TextLayout {
  readonly coding: Coding;
  /** Where the first record starts: byte of the decoded file, 1-based line. */
  readonly byte: number;
  readonly line: number;
  /** What was guessed and how to say it, for people; undefined when the file shows it. */
  readonly guess?: string;
  /** How to read one of its records again. */
  readonly format: JsonObject;
  /** What tells where a record starts in the middle of the file; undefined when it is read from its start only. */
  readonly cut: Omit<Cut, "recordBytesMax"> | undefined;
  frame(bounds: ReadBounds): Frame;
}

/** The layout of a sniffed text file. Throws HEADER_MISMATCH, COLUMNS_MISMATCH. */
export function textLayout(
  sniffed: Sniffed,
  options: FormatOptions,
  columns: Columns | undefined,
  source: string,
): TextLayout {
  const { coding } = sniffed;
  const ignoreExtra = options.ignoreExtra === true;
  if (isLineFormat(options.format)) return ownLayout(sniffed, options.format, ignoreExtra, columns, source);
  if (sniffed.format === "ndjson") {
    return {
      coding,
      byte: sniffed.headByte,
      line: 1,
      format: jsonFormat("ndjson", ignoreExtra),
      cut: { dialect: undefined, blankIsRecord: false },
      frame: (bounds) => frameLines(ignoreExtra, bounds),
    };
  }
  if (sniffed.format === "json") {
    const { inArray, skip, lines } = jsonStart(sniffed.head);
    return {
      coding,
      byte: sniffed.headByte + skip,
      line: 1 + lines,
      format: jsonFormat("json", ignoreExtra),
      cut: undefined,
      frame: (bounds) => frameValues(inArray, ignoreExtra, bounds),
    };
  }
  const { shape, byte, line, guess } = csvLayout(sniffed, options, columns, source);
  return {
    coding,
    byte,
    line,
    ...(guess === undefined ? {} : { guess }),
    format: csvFormat(shape),
    cut: { dialect: shape, blankIsRecord: shape.columns.length === 1 },
    frame: (bounds) => frameCsv(shape, bounds),
  };
}

/** A record is found from the one before it, so that such a file is read from its start only. */
function ownLayout(
  { coding, headByte }: Sniffed,
  format: LineFormat,
  ignoreExtra: boolean,
  columns: Columns | undefined,
  source: string,
): TextLayout {
  const names = columns === undefined ? format.columns : columnsByHeader(format.columns, columns, ignoreExtra, source);
  const shape = { format, columns: names, file: source.split(/[\\/]/).at(-1) ?? source };
  return {
    coding,
    byte: headByte,
    line: 1,
    format: keptLineFormat(shape),
    cut: undefined,
    frame: (bounds) => frameOwn(shape, bounds),
  };
}

const jsonFormat = (format: string, ignoreExtra: boolean): JsonObject =>
  ignoreExtra ? { format, ignoreExtra } : { format };
