import type { LedgerEntry } from "../../core/ledger.ts";
import type { EngineConnection, EngineRow } from "../../ports/engine.ts";
import type { LedgerFilter } from "../../ports/sink.ts";
import { bigintCell, jsonCell, numberCell, textCell } from "./cells.ts";
import { Conditions, isoTime } from "./conditions.ts";
import type { Names } from "./location.ts";

export async function readLedger(
  connection: EngineConnection,
  names: Names,
  filter: LedgerFilter,
): Promise<LedgerEntry[]> {
  const conditions = new Conditions();
  conditions.add("pipeline = ?", filter.pipeline);
  conditions.add("batch = ?", filter.batch);
  conditions.add("source = ?", filter.source);
  conditions.add("run = ?", filter.run);
  conditions.add("table_name = ?", filter.table);
  const rows = await connection.all(
    `select batch, pipeline, lane, epoch, run, version, source, table_name,
       cast(start_position as varchar) as start_position, cast(end_position as varchar) as end_position,
       "read", loaded, merged, filtered, rejected,
       ${isoTime("started_at")} as started_at, ${isoTime("committed_at")} as committed_at
     from ${names.ledger} ${conditions.where} order by batch desc limit ${conditions.bind(filter.limit)}`,
    conditions.parameters,
  );
  return rows.map(entryOf);
}

/** Whether the batch is committed. */
export async function hasLedgerEntry(connection: EngineConnection, names: Names, batch: bigint): Promise<boolean> {
  return (await connection.all(`select 1 from ${names.ledger} where batch = $1`, [batch])).length > 0;
}

function entryOf(row: EngineRow): LedgerEntry {
  return {
    batch: bigintCell(row, "batch"),
    pipeline: textCell(row, "pipeline"),
    lane: textCell(row, "lane"),
    epoch: numberCell(row, "epoch"),
    run: textCell(row, "run"),
    version: textCell(row, "version"),
    source: textCell(row, "source"),
    table: textCell(row, "table_name"),
    start: jsonCell(row, "start_position"),
    end: jsonCell(row, "end_position"),
    read: numberCell(row, "read"),
    loaded: numberCell(row, "loaded"),
    merged: numberCell(row, "merged"),
    filtered: numberCell(row, "filtered"),
    rejected: numberCell(row, "rejected"),
    startedAt: textCell(row, "started_at"),
    committedAt: textCell(row, "committed_at"),
  };
}
