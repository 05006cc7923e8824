import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Command } from "commander";
import { MillraceError } from "../core/error.ts";
import { jsonValue, type RowValue } from "../core/json-value.ts";
import { profileFiles, type ProfileResult } from "../runtime/profile.ts";
import { Session } from "../runtime/session.ts";
import {
  type ColumnProfile,
  constantColumns,
  duplicatedColumns,
  missingColumns,
} from "../transforms/profile/profile.ts";
import { bytesText, countOf, countText, durationText, percentText } from "./figures.ts";
import { addMemoryFlag, addSourceFlags, given, type SourceFlags, sourceOptionsOf } from "./flags.ts";
import { gridLines } from "./grid.ts";
import { distinctText } from "./profile/distinct-text.ts";
import { profilePage } from "./profile/page.ts";
import { rejectJson } from "../runtime/reject-json.ts";
import { rejectLines } from "./reject-lines.ts";
import { stderr, stdout } from "./screen.ts";
import { clip, safeText, valueText } from "./shown.ts";
import { asInterruption, stopOnSignal } from "./stop.ts";

interface ProfileFlags extends SourceFlags {
  readonly html?: string;
  readonly memory?: number;
  readonly json?: boolean;
}

const examples = `
Examples:
  $ millrace profile sales.csv                       types, missing, constant and duplicated columns, examples
  $ millrace profile sales.parquet --html sales.html     a page to show: one file, no outside resources
  $ millrace profile 'in/2024-*.csv.gz' --json       many files as one; an object a line

Looks at every record, whatever the size: what does not fit into the memory budget lies in a temporary folder meanwhile.
An estimated number of different values is marked ≈. Nothing is written but the page asked for.`;

export function define(command: Command): void {
  command
    .description(
      "Show what is in a file: types, what is missing, constant or double, and what it could take less room in.",
    )
    .argument("<from>", "path, glob or file: URL of CSV, TSV, JSON, NDJSON, Parquet or XLSX; gzip and zstd too")
    .option("--html <file>", "write the profile as a page; a file that is there is replaced");
  addMemoryFlag(addSourceFlags(command))
    .option("--json", "one JSON object a line on standard output")
    .addHelpText("after", examples)
    .action((from: string, flags: ProfileFlags) => profile(from, flags));
}

async function profile(from: string, flags: ProfileFlags): Promise<void> {
  const stop = stopOnSignal();
  const startedMs = performance.now();
  const session = await Session.open({ notice: (text) => stderr.line(text), ...given({ memoryBytes: flags.memory }) });
  try {
    const request = { from, options: sourceOptionsOf(flags), charts: flags.html !== undefined, signal: stop.signal };
    const found = await profileFiles(request, session);
    const ms = performance.now() - startedMs;
    if (flags.html !== undefined) await writePage(flags.html, profilePage(found, basename(found.source)));
    if (flags.json === true) printJson(found, ms);
    else printText(found, ms, flags.html);
  } catch (error) {
    throw asInterruption(error, stop);
  } finally {
    await session.close();
    stop.dispose();
  }
}

async function writePage(file: string, page: string): Promise<void> {
  try {
    await writeFile(file, page);
  } catch (cause) {
    throw new MillraceError("DISK", `The page cannot be written to ${file}: ${(cause as Error).message}`, {
      remedy: "Check the path and its rights.",
      at: { source: file },
      cause,
    });
  }
}

const exampleChars = 24;

function printText(found: ProfileResult, ms: number, html: string | undefined): void {
  const { rows, columns, source, files, malformed } = found;
  const more = files > 1 ? ` and ${countOf(files - 1, "more file")}` : "";
  stdout.line(stdout.style("bold", `${safeText(source)}${more}`));
  const [read, narrow] = [sumOf(columns, "sizeBytes"), sumOf(columns, "narrowBytes")];
  stdout.line(`  ${countOf(rows, "row")}, ${countOf(columns.length, "column")}; ${durationText(ms)}`);
  stdout.line(`  ${bytesText(read)} as read, ${bytesText(narrow)} in the narrowest types`);
  stdout.line();
  for (const line of gridLines(headings, columns.map(cellsOf), stdout.columns)) stdout.line(line);
  printFindings(found);
  if (malformed > 0) printMalformed(found);
  if (html !== undefined) stdout.line(`\npage written to ${safeText(html)}`);
}

const headings = [
  { name: "column" },
  { name: "type" },
  { name: "narrowest" },
  { name: "saves", right: true },
  { name: "missing", right: true },
  { name: "distinct", right: true },
  { name: "min" },
  { name: "max" },
  { name: "examples" },
];

function cellsOf(column: ColumnProfile): string[] {
  const { name, type, format, narrowest, sizeBytes, narrowBytes, missing, min, max, examples: shown } = column;
  return [
    safeText(name),
    format === undefined ? type : `${type} ${safeText(format)}`,
    narrowest.toLowerCase(),
    bytesText(sizeBytes - narrowBytes),
    countText(missing),
    distinctText(column),
    shortText(min),
    shortText(max),
    shown.map(shortText).join(", "),
  ];
}

const shortText = (value: RowValue): string => (value === null ? "" : clip(valueText(value), exampleChars));

const sumOf = (columns: readonly ColumnProfile[], field: "sizeBytes" | "narrowBytes"): number =>
  columns.reduce((sum, column) => sum + column[field], 0);

function printFindings(found: ProfileResult): void {
  const missing = missingColumns(found).map(
    ({ name, missing: count }) => `${safeText(name)} ${countText(count)} (${percentText(count, found.rows)})`,
  );
  const constant = constantColumns(found).map(({ name, constant: value }) => {
    return `${safeText(name)} = ${shortText(value ?? null)}`;
  });
  const duplicated = [...duplicatedColumns(found)].map(
    ([name, twins]) => `${safeText(name)} = ${twins.map(safeText).join(" = ")}`,
  );
  stdout.line();
  stdout.line(`missing     ${listText(missing)}`);
  stdout.line(`constant    ${listText(constant)}`);
  stdout.line(`duplicated  ${listText(duplicated)}`);
}

const listText = (items: readonly string[]): string => (items.length === 0 ? "none" : items.join(", "));

function printMalformed({ malformed, rejects }: ProfileResult): void {
  stdout.line();
  stdout.line(stdout.style("yellow", `${countOf(malformed, "record")} could not be read; the first:`));
  for (const { source, reject } of rejects) {
    for (const line of rejectLines(source, reject, stdout.columns)) stdout.line(line);
  }
}

function printJson(found: ProfileResult, ms: number): void {
  const { rows, columns, source, files, malformed, rejects } = found;
  for (const column of columns) stdout.line(JSON.stringify({ event: "column", ...columnJson(column) }));
  for (const { source: of, reject } of rejects) {
    stdout.line(JSON.stringify({ event: "reject", source: of, ...rejectJson(reject) }));
  }
  const done = {
    ...{ event: "done", source, files, rows, columns: columns.length, malformed },
    missing: Object.fromEntries(missingColumns(found).map(({ name, missing }) => [name, missing])),
    constant: Object.fromEntries(
      constantColumns(found).map(({ name, constant }) => [name, jsonValue(constant ?? null)]),
    ),
    duplicated: Object.fromEntries(duplicatedColumns(found)),
    sizeBytes: sumOf(columns, "sizeBytes"),
    narrowBytes: sumOf(columns, "narrowBytes"),
    ms: Math.round(ms),
  };
  stdout.line(JSON.stringify(done));
}

function columnJson({ min, max, constant, examples: shown, ...others }: ColumnProfile): object {
  return {
    ...others,
    min: jsonValue(min),
    max: jsonValue(max),
    ...(constant === undefined ? {} : { constant: jsonValue(constant) }),
    examples: shown.map(jsonValue),
  };
}
