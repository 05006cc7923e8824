import type { Contract } from "../core/contract.ts";
import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import type { EngineConnection } from "../ports/engine.ts";
import type { RecordText } from "../ports/source.ts";
import { describeColumns } from "./described.ts";
import { doubleColumns, exactJson } from "./exact-json.ts";
import { jsonSql } from "./json-sql.ts";
import { faultColumn, numbered, textColumn } from "./own-columns.ts";
import { type Scratch, scratchFile } from "./scratch.ts";
import { timeAsText } from "./time-text.ts";

/** A batch's records as text, readable by SQL. */
export interface SourceSql {
  /**
   * A SELECT yielding, in record order, `rowColumn` (bigint from 0), one text column for each of the contract's
   * columns, and `faultColumn`: null, or what is wrong with the record as a whole.
   */
  readonly sql: string;
  dispose(): Promise<void>;
}

/** Puts the records where the engine reads them. The caller disposes of the result. */
export async function sourceSql(
  records: RecordText,
  contract: Contract,
  connection: EngineConnection,
): Promise<SourceSql> {
  const names = Object.keys(contract.columns);
  switch (records.kind) {
    case "delimited":
      return scratched(records.text, (path) => delimitedSql(records, names, path));
    case "json": {
      const { text, marked } = exactJson(records.text, doubleColumns(contract));
      const lines = await jsonLines(text);
      const { ignoreExtra = false, times = false } = records;
      const json = { lines: lines.sql, marked, ignoreExtra, times };
      return { ...lines, sql: jsonSql(contract, json) };
    }
    case "query":
      return { sql: await querySql(records.sql, contract, connection), dispose: async () => {} };
  }
}

async function scratched(text: Uint8Array, sql: (path: string) => string): Promise<SourceSql> {
  const scratch: Scratch = await scratchFile(text);
  return { sql: sql(scratch.path), dispose: () => scratch.dispose() };
}

function delimitedSql(
  records: Extract<RecordText, { kind: "delimited" }>,
  names: readonly string[],
  path: string,
): string {
  const fields = records.columns.map((_, field) => `${quoteLiteral(`f${field}`)}: 'VARCHAR'`).join(", ");
  const quote = records.quoted ? quoteLiteral(records.quote) : "''";
  const nulls = records.nullText === undefined ? "''" : `['', ${quoteLiteral(records.nullText)}]`;
  const read = `read_csv(${quoteLiteral(path)}, auto_detect = false, header = false, delim = ${quoteLiteral(records.delimiter)}, quote = ${quote}, escape = ${quote}, columns = {${fields}}, nullstr = ${nulls}, allow_quoted_nulls = false, new_line = '${lineEnd(records)}', ${sizes(records.text.byteLength)})`;
  const columns = names.map((name, index) => {
    const field = records.columns.indexOf(name);
    return `${field < 0 ? "null::varchar" : `f${field}`} as ${textColumn(index)}`;
  });
  return `select ${[numbered, ...columns, `null::varchar as ${faultColumn}`].join(", ")} from ${read}`;
}

/**
 * How the records end, as `read_csv` wants it said. DuckDB would take the first line end that it sees, also one within
 * quotes, and then fail at the records, which end in another.
 */
function lineEnd({ text, quoted, quote }: Extract<RecordText, { kind: "delimited" }>): "\\n" | "\\r\\n" {
  const mark = quoted ? quote.charCodeAt(0) : -1;
  let inQuotes = false;
  for (let at = 0; at < text.byteLength; at += 1) {
    if (text[at] === mark) inQuotes = !inQuotes;
    else if (text[at] === 10 && !inQuotes) return text[at - 1] === 13 ? "\\r\\n" : "\\n";
  }
  return "\\n";
}

/** DuckDB's bound on a line and its read buffer, made to fit the batch: a record may be as long as the batch. */
function sizes(textBytes: number): string {
  const lineBytes = textBytes + 16;
  return `max_line_size = ${lineBytes}, buffer_size = ${Math.max(lineBytes, 64 * 1024)}`;
}

/** A relation of one text column, `line`: the lines of the text, in order. The caller disposes of it. */
export function jsonLines(text: Uint8Array): Promise<SourceSql> {
  const separator = unusedByte(text);
  return scratched(text, (path) => readLines(path, separator, text.byteLength));
}

/** Whole lines as one text column. JSON texts hold no raw control character, so one of them can part nothing. */
function readLines(path: string, separator: string, textBytes: number): string {
  return `read_csv(${quoteLiteral(path)}, auto_detect = false, header = false, delim = ${quoteLiteral(separator)}, quote = '', escape = '', columns = {'line': 'VARCHAR'}, nullstr = 'no JSON text', ${sizes(textBytes)})`;
}

function unusedByte(text: Uint8Array): string {
  for (let byte = 1; byte < 32; byte += 1) {
    if (byte !== 9 && byte !== 10 && byte !== 13 && !text.includes(byte)) return String.fromCharCode(byte);
  }
  return "\u007f";
}

/** Typed columns as text, so that one set of rules serves. A whole number kept as a double is still a whole number. */
async function querySql(sql: string, contract: Contract, connection: EngineConnection): Promise<string> {
  const described = await describeColumns(connection, sql);
  const types = new Map(described.map(({ name, type }) => [name.toLowerCase(), type]));
  const columns = Object.entries(contract.columns).map(([name, { format }], index) => {
    return `${asText(name, types.get(name.toLowerCase()), format)} as ${textColumn(index)}`;
  });
  return `select ${[numbered, ...columns, `null::varchar as ${faultColumn}`].join(", ")} from (${sql})`;
}

function asText(name: string, type: string | undefined, format: string | undefined): string {
  if (type === undefined) return "null::varchar";
  const column = quoteIdentifier(name);
  if (format !== undefined && /^(DATE|TIMESTAMP(_S|_MS| WITH TIME ZONE)?)$/.test(type))
    return timeAsText(column, format);
  if (type === "DOUBLE" || type === "FLOAT") {
    return `case when ${column} = trunc(${column}) and abs(${column}) < 1e15 then cast(cast(${column} as bigint) as varchar) else cast(${column} as varchar) end`;
  }
  if (/^(STRUCT|MAP)|\[\d*\]$/.test(type)) return `cast(to_json(${column}) as varchar)`;
  return `cast(${column} as varchar)`;
}
