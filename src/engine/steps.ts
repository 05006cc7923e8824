import { type DuckDBDataChunk as Chunk, DuckDBDataChunk, BIGINT, VARCHAR } from "@duckdb/node-api";
import type { Column, Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { quoteIdentifier } from "../core/identifier.ts";
import { lineageColumn } from "../core/lineage.ts";
import { limit } from "../core/limit.ts";
import type { MapStep, SqlStep, Step } from "../core/pipeline.ts";
import { shortenValue } from "../core/reject.ts";
import type { EngineRow, EngineValue } from "../ports/engine.ts";
import type { SinkColumn } from "../ports/rows.ts";
import { badRecords, compileCheck } from "./checked.ts";
import type { Connection } from "./connection.ts";
import type { Engine } from "./engine.ts";
import type { Flow, StepFailure, StepPlace, StepResult } from "./flow.ts";
import { faultColumn, rowColumn, textColumn } from "./own-columns.ts";
import { applyTransform } from "./transform.ts";
import { columnFromEngineType, describeColumns } from "./described.ts";

/** The record of a row that a step has handed on without `_millrace`. */
const untraced = -1n;

/** Applies one step to `before`, whose table stays. Throws STEP_FAILED when it is the step and not a record that fails. */
export function applyStep(
  step: Step,
  before: Flow,
  engine: Engine,
  connection: Connection,
  place: StepPlace,
): Promise<StepResult> {
  switch (step.kind) {
    case "sql":
      return applySql(step, before, engine, connection);
    case "map":
      return applyMap(step, before, engine, connection);
    case "transform":
      return applyTransform(step, before, engine, connection, place);
  }
}

async function applySql(step: SqlStep, before: Flow, engine: Engine, connection: Connection): Promise<StepResult> {
  const table = engine.tableName("step");
  try {
    return await sqlFlow(step, before, table, connection);
  } catch (error) {
    await connection.run(`drop table if exists ${table}`);
    throw error;
  }
}

async function sqlFlow(step: SqlStep, before: Flow, table: string, connection: Connection): Promise<StepResult> {
  try {
    // In one turn of the connection: another batch on it means another relation by that name.
    await connection.run(
      `create or replace temp view batch as select * from ${before.table}; create table ${table} as ${step.sql}`,
    );
  } catch (cause) {
    throw stepFailed(`The SQL step failed: ${userWords(cause as Error, before.table)}`, step.sql, cause);
  }
  const columns = await describeTable(connection, table, { ...columnsByName(before.columns), ...step.columns });
  const count = await countRows(connection, table);
  if (count > before.count) {
    throw stepFailed(`The SQL step made ${count} rows of ${before.count} records`, step.sql, undefined);
  }
  if (columns.some((column) => column.name === lineageColumn)) await checkOneEach(step, table, connection);
  else await connection.run(`alter table ${table} add column ${lineageColumn} bigint`);
  return { flow: { table, columns: columns.filter((column) => column.name !== lineageColumn), count }, failures: [] };
}

/** The engine's message in one line, without the statement it repeats and the names that only Millrace knows. */
function userWords({ message }: Error, table: string): string {
  const [text = message] = message.split(/\n\s*\n|\nLINE /);
  const lines = text
    .replaceAll(table, "batch")
    .replaceAll(/"_millrace"(, )?/g, "")
    .split("\n");
  return lines.filter((line) => !/^(Candidate bindings: *)?$/.test(line)).join("; ");
}

/** Of as many rows as records, or fewer, some may still be a record's second one, in the place of another's only one. */
async function checkOneEach(step: SqlStep, table: string, connection: Connection): Promise<void> {
  const twins = `select ${lineageColumn} from ${table} where ${lineageColumn} is not null group by 1 having count(*) > 1`;
  const [row] = await connection.all(`select count(*) as count from (${twins})`);
  const count = Number(row?.["count"]);
  if (count > 0) throw stepFailed(`The SQL step made several rows of one record, ${count} times`, step.sql, undefined);
}

function stepFailed(message: string, sql: string, cause: unknown): MillraceError {
  return new MillraceError("STEP_FAILED", message, {
    remedy: `Mend the step (${shortenValue(sql.trim(), limit.reasonValueChars)}): it is a SELECT over the relation batch, use try_cast and the like where a record may fail, and give at most one row for a record.`,
    cause,
  });
}

async function applyMap(step: MapStep, before: Flow, engine: Engine, connection: Connection): Promise<StepResult> {
  const columns = { ...columnsByName(before.columns), ...step.columns };
  const contract: Contract = { table: "batch", columns: withoutFormats(columns), checks: [] };
  const mapped = engine.tableName("mapped");
  const names = Object.keys(columns);
  const texts = names.map((_, index) => `${textColumn(index)} varchar`);
  await connection.run(
    `create table ${mapped} (${[`${rowColumn} bigint`, ...texts, `${faultColumn} varchar`].join(", ")})`,
  );
  try {
    const failures = await mapRows(step, before, names, mapped, connection);
    const retyped = await retype(contract, mapped, engine, connection);
    return { flow: retyped.flow, failures: [...failures, ...retyped.failures] };
  } finally {
    await connection.run(`drop table if exists ${mapped}`);
  }
}

/** Runs the function over all rows and appends what it returns as text; returns the records that it threw on. */
async function mapRows(
  step: MapStep,
  before: Flow,
  names: readonly string[],
  mapped: string,
  connection: Connection,
): Promise<StepFailure[]> {
  const failures: StepFailure[] = [];
  const reader = connection.scan(`select * from ${before.table}`);
  const pieces: EngineValue[][][] = [];
  for await (const piece of reader) {
    pieces.push(piece.flatMap((row) => mapRow(step, row, names, failures)));
  }
  const appender = await connection.duckdb.createAppender(mapped.split(".").at(-1) ?? mapped, "main", "memory");
  try {
    for (const rows of pieces) if (rows.length > 0) appender.appendDataChunk(textChunk(rows, names.length));
  } finally {
    appender.closeSync();
  }
  return failures;
}

function mapRow(step: MapStep, row: EngineRow, names: readonly string[], failures: StepFailure[]): EngineValue[][] {
  const { [lineageColumn]: record, ...given } = row;
  try {
    const out = (step.map as (row: unknown) => unknown)(given);
    if (out === undefined || out === null) return [];
    return [[record ?? untraced, ...textsOf(out, names), null]];
  } catch (error) {
    const message = shortenValue(error instanceof Error ? error.message : String(error), limit.reasonValueChars);
    failures.push({
      record: Number(record ?? untraced),
      reasons: [{ code: "step", message: `the map step failed: ${message}` }],
    });
    return [];
  }
}

function textsOf(out: unknown, names: readonly string[]): (string | null)[] {
  if (typeof out !== "object" || out === null || Array.isArray(out) || out instanceof Promise) {
    throw new TypeError("it must return a row, or undefined to filter the row out; a promise is neither");
  }
  const surplus = Object.keys(out).find((name) => !names.includes(name));
  if (surplus !== undefined) {
    throw new TypeError(`it returned the undeclared column "${surplus}"; declare it: .map({ ${surplus}: text() }, fn)`);
  }
  return names.map((name) => textOf((out as Record<string, unknown>)[name]));
}

function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (value instanceof Date) return value.toISOString();
  return JSON.stringify(value);
}

function textChunk(rows: readonly EngineValue[][], columns: number): Chunk {
  const types = [BIGINT, ...Array.from({ length: columns + 1 }, () => VARCHAR)];
  const chunk = DuckDBDataChunk.create(types, rows.length);
  chunk.setRows(rows as Parameters<Chunk["setRows"]>[0]);
  return chunk;
}

/** What a function returned is checked against the declared columns like everything that comes in. */
async function retype(contract: Contract, mapped: string, engine: Engine, connection: Connection): Promise<StepResult> {
  const check = compileCheck(contract);
  const checked = engine.tableName("checked");
  const table = engine.tableName("step");
  const names = Object.keys(contract.columns).map(quoteIdentifier).join(", ");
  try {
    await connection.run(`create table ${checked} as ${check.checkedSql(`select * from ${mapped}`)}`);
    const bad = await badRecords(connection, check, checked);
    await connection.run(
      `create table ${table} as select ${names}, nullif(${rowColumn}, ${untraced}) as ${lineageColumn} from ${checked} where ${check.goodSql}`,
    );
    const count = await countRows(connection, table);
    const columns = Object.entries(contract.columns).map(([name, column]) => ({ name, ...column }));
    return { flow: { table, columns, count }, failures: bad.map(({ index, reasons }) => ({ record: index, reasons })) };
  } finally {
    await connection.run(`drop table if exists ${checked}`);
  }
}

function columnsByName(columns: readonly SinkColumn[]): Record<string, Column> {
  return Object.fromEntries(columns.map(({ name, ...column }) => [name, column]));
}

/** Past the source, dates and timestamps are ISO 8601 whatever they looked like there. */
function withoutFormats(columns: Readonly<Record<string, Column>>): Record<string, Column> {
  return Object.fromEntries(Object.entries(columns).map(([name, { format: _, ...column }]) => [name, column]));
}

async function countRows(connection: Connection, table: string): Promise<number> {
  const [row] = await connection.all(`select count(*) as count from ${table}`);
  return Number(row?.["count"]);
}

async function describeTable(
  connection: Connection,
  table: string,
  known: Readonly<Record<string, Column>>,
): Promise<SinkColumn[]> {
  const columns = await describeColumns(connection, table);
  return columns.map(({ name, type }) => ({ name, ...columnFromEngineType(type, known[name]) }));
}
