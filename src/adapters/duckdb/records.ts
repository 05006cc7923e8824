import { MillraceError } from "../../core/error.ts";
import { quoteIdentifier } from "../../core/identifier.ts";
import { lineageColumn } from "../../core/lineage.ts";
import type { EngineConnection, EngineParameter, EngineRow } from "../../ports/engine.ts";
import type { SinkRecords } from "../../ports/sink.ts";
import { numberCell, optionalText, textCell } from "./cells.ts";
import { readCheckpoints, readDefinition } from "./checkpoints.ts";
import { readLedger } from "./ledger-records.ts";
import type { Names } from "./location.ts";
import { countRejects, readRejects } from "./reject-records.ts";
import { sameName } from "./same-name.ts";
import { readTableFacts, type TableColumn } from "./table-facts.ts";

/** Runs work on a connection that reads committed data; without the tables that Millrace keeps it gives `nothing`. */
export interface Reader {
  read<Result>(work: (connection: EngineConnection, names: Names) => Promise<Result>): Promise<Result>;
  readState<Result>(
    nothing: Result,
    work: (connection: EngineConnection, names: Names) => Promise<Result>,
  ): Promise<Result>;
}

export function duckdbRecords(reader: Reader): SinkRecords {
  return {
    rejects: (filter) => reader.readState([], (connection, names) => readRejects(connection, names, filter)),
    countRejects: (choice) => reader.readState(0, (connection, names) => countRejects(connection, names, choice)),
    rejectSummary: (pipeline) => reader.readState([], (connection, names) => readSummary(connection, names, pipeline)),
    ledger: (filter) => reader.readState([], (connection, names) => readLedger(connection, names, filter)),
    checkpoints: (pipeline, source) =>
      reader.readState([], (connection, names) => readCheckpoints(connection, names, pipeline, source)),
    definition: (pipeline, version) =>
      reader.readState(undefined, (connection, names) => readDefinition(connection, names, pipeline, version)),
    lineageOf: (table, key) => reader.read((connection, names) => readLineage(connection, names, table, key)),
    rowsByLineage: (table, from, to, limit) =>
      reader.read((connection, names) => readRowsByLineage(connection, names, table, [from, to, limit])),
  };
}

type Summary = Awaited<ReturnType<SinkRecords["rejectSummary"]>>;

async function readSummary(connection: EngineConnection, names: Names, pipeline: string | undefined): Promise<Summary> {
  const rows = await connection.all(
    `with reason as (
       select id, pipeline, unnest(from_json(reasons, '[{"code": "VARCHAR", "column": "VARCHAR"}]'), recursive := true)
       from ${names.reject} where state = 'open' and ($1::varchar is null or pipeline = $1))
     select pipeline, code, "column", count(distinct id) as n from reason
     group by all order by n desc, pipeline, code, "column"`,
    [pipeline ?? null],
  );
  return rows.map((row) => ({
    pipeline: textCell(row, "pipeline"),
    code: textCell(row, "code"),
    column: optionalText(row, "column"),
    count: numberCell(row, "n"),
  }));
}

async function readLineage(
  connection: EngineConnection,
  names: Names,
  table: string,
  key: Readonly<Record<string, string>>,
): Promise<(bigint | undefined)[]> {
  const columns = await columnsOf(connection, names, table);
  const conditions = Object.keys(key).map((name, index) => {
    const column = columns.find((one) => sameName(one.name, name));
    if (column === undefined) throw unknownColumn(table, name);
    // A text that is no value of the column's type finds nothing.
    return `${quoteIdentifier(column.name)} = try_cast($${index + 1} as ${column.type})`;
  });
  const value = hasLineage(columns) ? quoteIdentifier(lineageColumn) : "null";
  const where = conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`;
  const rows = await connection.all(
    `select ${value} as lineage from ${names.table(table)} ${where}`,
    Object.values(key),
  );
  return rows.map(({ lineage }) => (typeof lineage === "bigint" ? lineage : undefined));
}

async function readRowsByLineage(
  connection: EngineConnection,
  names: Names,
  table: string,
  parameters: readonly EngineParameter[],
): Promise<EngineRow[]> {
  if (!hasLineage(await columnsOf(connection, names, table))) return [];
  const name = quoteIdentifier(lineageColumn);
  return connection.all(
    `select * from ${names.table(table)} where ${name} between $1 and $2 order by ${name} limit $3`,
    parameters,
  );
}

function hasLineage(columns: readonly TableColumn[]): boolean {
  return columns.some(({ name, type }) => sameName(name, lineageColumn) && type === "BIGINT");
}

async function columnsOf(connection: EngineConnection, names: Names, table: string): Promise<readonly TableColumn[]> {
  const facts = await readTableFacts(connection, names, table);
  if (facts === undefined) {
    throw new MillraceError("TABLE_MISMATCH", `There is no table "${table}"`, {
      remedy: "Check the table's name and schema.",
      at: { table },
    });
  }
  return facts.columns;
}

function unknownColumn(table: string, column: string): MillraceError {
  return new MillraceError("TABLE_MISMATCH", `The table "${table}" has no column "${column}"`, {
    remedy: "Name the key columns as the table has them.",
    at: { table, column },
  });
}
