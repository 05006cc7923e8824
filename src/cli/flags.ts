import { type Command, InvalidArgumentError, Option } from "commander";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { type Mode, modes, type SourceOptions } from "../core/pipeline.ts";
import { parseBytes } from "../runtime/config.ts";

/** An object without the fields that are undefined, as options want it. */
type Given<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

export function given<Fields extends object>(fields: Fields): Given<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<Fields>;
}

export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
  };

export const list = (text: string): string[] =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

const encodings: Readonly<Record<string, NonNullable<SourceOptions["encoding"]>>> = {
  "utf-8": "utf-8",
  utf8: "utf-8",
  latin1: "latin1",
  "iso-8859-1": "latin1",
  "utf-16le": "utf-16le",
  utf16le: "utf-16le",
  "utf-16be": "utf-16be",
  utf16be: "utf-16be",
};

function encoding(text: string): NonNullable<SourceOptions["encoding"]> {
  const found = encodings[text.toLowerCase()];
  if (found !== undefined) return found;
  throw new InvalidArgumentError("Encodings are utf-8, latin1, utf-16le and utf-16be.");
}

/** One character, or `tab` or `\t` for the one that shells make hard to write. */
function delimiter(text: string): string {
  const char = text === "tab" || text === "\\t" ? "\t" : text;
  if (char.length === 1) return char;
  throw new InvalidArgumentError("It is one character; write a tab as tab.");
}

/** One character, or none where no field is quoted. */
function quote(text: string): string {
  if (text.length <= 1) return text;
  throw new InvalidArgumentError("It is one character, or '' when no field is quoted.");
}

/** Flags that say how to read a source. */
export interface SourceFlags {
  readonly header?: boolean;
  readonly delimiter?: string;
  readonly quote?: string;
  readonly encoding?: SourceOptions["encoding"];
  readonly format?: SourceOptions["format"];
  readonly sheet?: string;
  readonly null?: string;
  readonly ignoreExtra?: boolean;
  readonly registry?: string;
}

export function addSourceFlags(command: Command): Command {
  return command
    .option("--header", "the first record of a CSV names the columns (found out when not said)")
    .option("--no-header", "the first record of a CSV is data; columns are the contract's, in order")
    .option("--delimiter <char>", "what parts the fields of a CSV; tab for a tab", delimiter)
    .option("--quote <char>", "what quotes the fields of a CSV; '' for nothing", quote)
    .option("--encoding <name>", "utf-8, latin1, utf-16le or utf-16be", encoding)
    .addOption(
      new Option("--format <name>", "the format, when the name does not tell").choices([
        "csv",
        "json",
        "ndjson",
        "parquet",
        "xlsx",
        "avro",
      ]),
    )
    .option("--sheet <name>", "the sheet of a workbook; its first visible one when not said")
    .option("--registry <url>", "the schema registry of a log of Avro: http://host:8081")
    .option("--null <text>", "unquoted text that means missing, besides the empty field")
    .option("--ignore-extra", "drop columns that the contract lacks instead of refusing the file");
}

export function sourceOptionsOf(flags: SourceFlags): SourceOptions {
  const {
    header,
    delimiter: fields,
    quote: quotes,
    encoding,
    format,
    sheet,
    null: nullText,
    ignoreExtra,
    registry,
  } = flags;
  const text = { header, delimiter: fields, quote: quotes, encoding, nullText };
  return given({ ...text, format, sheet, ignoreExtra, registry });
}

/** Flags that say where rows go and how they meet the table. */
export interface TargetFlags {
  readonly table?: string;
  readonly contract?: string;
  readonly key?: readonly string[];
  readonly mode?: Mode;
  readonly lineage?: boolean;
  readonly stateSchema?: string;
  readonly state?: string;
}

export function addTargetFlags(command: Command): Command {
  return command
    .option("--table <name>", "the table; named after the file when neither this nor the contract says")
    .option(
      "--contract <file>",
      "contract: a .json file, a .ts module that exports a table(…), or hr.jobs and the like; inferred when absent",
    )
    .option("--key <columns>", "key columns, parted by commas: rows are merged by them", list)
    .addOption(
      new Option("--mode <mode>", "how rows meet the table; merge when there is a key, else append").choices(modes),
    )
    .option("--lineage", "give a table that is created the column _millrace, which `why` resolves to file and line")
    .option("--state-schema <name>", "schema of the tables that Millrace keeps")
    .option("--state <url>", "where position, rejects and ledger are kept when rows go into a log");
}

export function addToFlag(command: Command): Command {
  return command.option(
    "--to <url>",
    "where rows are: duckdb:PATH, postgres://user@host/database, mysql://…, file:FOLDER, log:FOLDER, kafka://… (needed)",
  );
}

/** Asked for here and not by the parser, which would say so before it names a misspelt option. */
export function needed(to: string | undefined): string {
  if (to !== undefined) return to;
  throw new MillraceError("USAGE", "--to URL is missing: it says where rows are, or go", {
    remedy: "Give --to duckdb:PATH, --to postgres://user@host/database or --to file:FOLDER.",
  });
}

export function addMemoryFlag(command: Command): Command {
  const standard = `${limit.memoryBytes / 2 ** 20}MB`;
  return command.option(
    "--memory <bytes>",
    `memory budget of the whole process, such as 2GB (standard ${standard})`,
    memoryBytes,
  );
}

function memoryBytes(text: string): number {
  const bytes = parseBytes(text);
  if (bytes >= limit.memoryBytesMin) return bytes;
  throw new MillraceError("USAGE", `--memory ${text} is too small`, {
    remedy: `Give at least ${limit.memoryBytesMin / 2 ** 20}MB.`,
  });
}

/** A flag that may be given several times. */
export function gather(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
