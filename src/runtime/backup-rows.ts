import { join } from "node:path";
import type { Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { quoteIdentifier } from "../core/identifier.ts";
import { lineageColumn } from "../core/lineage.ts";
import type { Engine } from "../engine/engine.ts";
import { lineSql } from "../engine/row-lines.ts";
import { RowSpool, type Spooled, UnfitValue } from "../engine/row-spool.ts";
import { AvroWriter } from "../formats/avro/writer.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { Sink } from "../ports/sink.ts";
import { linePieces, oneAhead } from "./backup-lines.ts";
import { fileNames } from "./backup-name.ts";
import { interrupted } from "./interruption.ts";

/** A table to be written to local files. */
export interface TableReading {
  readonly engine: Engine;
  readonly sink: Sink;
  readonly table: string;
  readonly columns: readonly SinkColumn[];
  /** An empty local folder, for both files and what they are made of. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Called once the rows to be read are fixed: what is written from now on is not among them. */
  readonly onSnapshot: () => void;
}

/**
 * Reads the table with one statement, which is one consistent look, and writes `fileNames.parquet` and `fileNames.avro`
 * with the same rows. Rejects as the sink's `query` does; TABLE_MISMATCH for values that are not of their columns' types;
 * DISK, MEMORY, INTERRUPTED.
 */
export async function readTable(reading: TableReading): Promise<Spooled> {
  const { engine, columns, folder, table } = reading;
  const spool = await RowSpool.open({ engine, columns, folder, form: "database" });
  try {
    const avro = await AvroWriter.open(join(folder, fileNames.avro), table, columns);
    try {
      for await (const lines of oneAhead(linePieces(linesOf(reading)))) await keepLines(reading, spool, avro, lines);
      const spooled = await spool.finish(join(folder, fileNames.parquet));
      const rows = await avro.finish();
      if (rows !== spooled.rows) throw lost(spooled.rows, rows);
      return spooled;
    } finally {
      await avro.dispose();
    }
  } finally {
    await spool.dispose();
  }
}

async function keepLines(
  { table, signal }: TableReading,
  spool: RowSpool,
  avro: AvroWriter,
  lines: readonly string[],
): Promise<void> {
  try {
    await spool.add(lines);
    for await (const rows of spool.plainRows()) {
      if (signal.aborted) throw interrupted();
      await avro.append(rows);
    }
  } catch (error) {
    throw error instanceof UnfitValue ? unfit(table, error) : error;
  }
}

async function* linesOf({ sink, table, columns, onSnapshot }: TableReading): AsyncGenerator<string[]> {
  let told = false;
  const tell = (): void => {
    if (!told) onSnapshot();
    told = true;
  };
  for await (const rows of sink.query(readingSql(table, columns))) {
    tell();
    yield rows.map((row) => row["line"] as string);
  }
  tell();
}

/** In whatever order: to sort a table takes as much memory or disk as the table, and a table has no order. */
function readingSql(table: string, columns: readonly SinkColumn[]): string {
  return `select ${lineSql(columns.map(({ name }) => name))} as line from ${quoteIdentifier(table)}`;
}

/**
 * Whether the table has `_millrace`. Throws TABLE_MISMATCH for columns whose values a restore, which replaces rows, would
 * lose: those that the contract lacks, and the one that the table fills, which no row brings along.
 */
export async function findLineage(sink: Sink, { table, columns, serial }: Contract): Promise<boolean> {
  if (serial !== undefined) throw serialColumn(table, serial);
  for await (const rows of sink.query(`select * from ${quoteIdentifier(table)} limit 1`)) {
    const surplus = surplusOf(Object.keys(rows[0] ?? {}), [...Object.keys(columns), lineageColumn]);
    if (surplus.length > 0) throw surplusColumns(table, surplus);
  }
  return hasColumn(sink, table, lineageColumn);
}

/** Names that none of `wanted` stands for: itself, or where that is not there, one that differs in case. */
function surplusOf(names: readonly string[], wanted: readonly string[]): string[] {
  const others = wanted.filter((name) => !names.includes(name)).map((name) => name.toLowerCase());
  return names.filter((name) => !wanted.includes(name) && !others.includes(name.toLowerCase()));
}

/** A table without rows shows no columns, so it is asked for. */
async function hasColumn(sink: Sink, table: string, column: string): Promise<boolean> {
  try {
    const sql = `select ${quoteIdentifier(column)} from ${quoteIdentifier(table)} where 1 = 0`;
    for await (const _ of sink.query(sql)) break;
    return true;
  } catch (error) {
    const explained = sink.explain(error);
    if (explained instanceof MillraceError && explained.code === "SINK_REFUSED") return false;
    throw error;
  }
}

function surplusColumns(table: string, surplus: readonly string[]): MillraceError {
  const names = surplus.map((name) => JSON.stringify(name)).join(", ");
  return new MillraceError("TABLE_MISMATCH", `The table "${table}" has columns that the contract lacks: ${names}`, {
    remedy: "Add them to the contract: a restore replaces whole rows, and what stands in these columns would be lost.",
    at: { table },
  });
}

function serialColumn(table: string, serial: string): MillraceError {
  return new MillraceError("TABLE_MISMATCH", `The table "${table}" fills the column "${serial}" by itself`, {
    remedy: "Use the database's own tools for it: its numbers could not be restored as they were.",
    at: { table, column: serial },
  });
}

function unfit(table: string, { column, message }: UnfitValue): MillraceError {
  return new MillraceError("TABLE_MISMATCH", `The table "${table}" does not fit the contract: ${message}`, {
    remedy: "Correct the rows, or change the contract to what the table holds.",
    at: { table, column: column.name },
  });
}

function lost(rows: number, written: number): MillraceError {
  return new MillraceError("NOT_BALANCED", `Of ${rows} rows ${written} were written to the Avro file`, {
    remedy: "This is a fault in Millrace: please report it.",
  });
}
