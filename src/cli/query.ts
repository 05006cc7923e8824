import { type Command, Option } from "commander";
import { jsonValue } from "../core/json-value.ts";
import { limit } from "../core/limit.ts";
import { csvLine, safeCell, safeValueCell } from "../formats/csv/safe-cell.ts";
import type { EngineRow } from "../ports/engine.ts";
import { Session } from "../runtime/session.ts";
import { countText } from "./figures.ts";
import { wholeNumber } from "./flags.ts";
import { rowLines } from "./grid.ts";
import { stderr, stdout } from "./screen.ts";

interface QueryFlags {
  readonly rows: number;
  readonly json?: boolean;
  readonly format?: "text" | "json" | "csv";
  readonly raw?: boolean;
}

/** Rows that are counted beyond those shown. */
const countedMax = 1_000_000;

const examples = `
Examples:
  $ millrace query duckdb:hr.db "select * from hired order by id"
  $ millrace query postgres://me@localhost/hr "select job, count(*) from hired group by job" --rows 100
  $ millrace query duckdb:hr.db "select * from hired" --json | jq length
  $ millrace query duckdb:hr.db "select * from hired" --format csv > hired.csv
  $ millrace query duckdb:hr.db "select source, sum(read) from millrace_ledger group by source"

The SQL is the place's own. Nothing is written.`;

export function define(command: Command): void {
  command
    .description("Read a place with SQL.")
    .argument("<url>", "duckdb:PATH, postgres://user@host/database, mysql://user@host/database or file:FOLDER")
    .argument("<sql>", "one query")
    .option("--rows <n>", "rows to show", wholeNumber(1, 1_000_000), limit.rowsShown)
    .option("--json", "all rows as one JSON array; whole numbers beyond 2^53 and decimals as text, bytes in base64")
    .addOption(new Option("--format <format>", "how rows are written; json is --json").choices(["text", "json", "csv"]))
    .option("--raw", "with csv, values as they are, also those that a spreadsheet would take for a formula")
    .addHelpText("after", examples)
    .action((url: string, sql: string, flags: QueryFlags) => query(url, sql, flags));
}

async function query(url: string, sql: string, flags: QueryFlags): Promise<void> {
  const session = await Session.open({ notice: (text) => stderr.line(text) });
  try {
    const sink = await session.sink(url);
    try {
      const rows = sink.query(sql);
      await print(rows, flags);
    } catch (error) {
      throw sink.explain(error);
    }
  } finally {
    await session.close();
  }
}

async function print(rows: AsyncIterable<readonly EngineRow[]>, flags: QueryFlags): Promise<void> {
  if (flags.format === "csv") return printCsv(rows, flags.raw ?? false);
  if (flags.json === true || flags.format === "json") return printJson(rows);
  return printRows(rows, flags.rows);
}

/** All rows, under a line of names. */
async function printCsv(rows: AsyncIterable<readonly EngineRow[]>, raw: boolean): Promise<void> {
  let isFirst = true;
  for await (const piece of rows) {
    if (stdout.isClosed) return;
    const [first] = piece;
    if (first === undefined) continue;
    const names = isFirst ? csvLine(Object.keys(first).map((name) => safeCell(name, { raw }))) : "";
    isFirst = false;
    const lines = piece.map((row) => csvLine(Object.values(row).map((value) => safeValueCell(value, { raw }))));
    await stdout.send(names + lines.join(""));
  }
}

async function printJson(rows: AsyncIterable<readonly EngineRow[]>): Promise<void> {
  let before = "[";
  for await (const piece of rows) {
    if (stdout.isClosed) return;
    const texts = piece.map((row) => JSON.stringify(jsonValue(row)));
    if (texts.length === 0) continue;
    await stdout.send(`${before}\n${texts.join(",\n")}`);
    before = ",";
  }
  await stdout.send(before === "[" ? "[]\n" : "\n]\n");
}

async function printRows(rows: AsyncIterable<readonly EngineRow[]>, rowsMax: number): Promise<void> {
  const shown: EngineRow[] = [];
  let count = 0;
  for await (const piece of rows) {
    shown.push(...piece.slice(0, rowsMax - shown.length));
    count += piece.length;
    if (count > rowsMax + countedMax) break;
  }
  for (const line of rowLines(shown, stdout)) if (line !== "") stdout.line(line);
  stdout.line(stdout.style("dim", countLine(shown.length, count, rowsMax)));
}

function countLine(shown: number, count: number, rowsMax: number): string {
  if (shown === count) return `(${countText(count)} ${count === 1 ? "row" : "rows"})`;
  const all = count > rowsMax + countedMax ? `more than ${countText(countedMax)}` : countText(count);
  return `(the first ${countText(shown)} of ${all} rows; --rows N shows more, --json gives all)`;
}
