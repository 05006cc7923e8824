import { type Contract, keyColumns } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { ParquetRows, Survey } from "../engine/parquet-rows.ts";
import type { SinkColumn } from "../ports/rows.ts";
import { type BackupManifest, invalid } from "./backup-manifest.ts";
import { named, type Restoring } from "./restore-fetch.ts";

/** Reads every row once: what a checksum of bytes cannot know is known afterwards. */
export async function verifyRows(restoring: Restoring, manifest: BackupManifest, rows: ParquetRows): Promise<Survey> {
  const { contract, sink } = restoring;
  const source = named(manifest);
  const survey = await surveyed(rows, keyColumns(contract), source);
  if (survey.rows !== manifest.rows) {
    throw invalid(source, `it has ${survey.rows} rows, and its manifest says ${manifest.rows}`);
  }
  if (survey.digest !== manifest.digest) throw invalid(source, "its rows are not those that were backed up");
  const [empty] = survey.nulls;
  if (empty !== undefined) {
    throw invalid(source, `"${empty.column}" is null in ${empty.rows} rows, and never in the contract`);
  }
  // A sink that knows no keys has rows like these, and takes them.
  if (survey.repeatedKeys > 0 && sink.facts.modes.includes("merge")) {
    throw invalid(source, `${survey.repeatedKeys} keys stand more than once in it`);
  }
  return survey;
}

async function surveyed(rows: ParquetRows, key: readonly string[], source: string): Promise<Survey> {
  try {
    const misfit = await rows.misfit();
    if (misfit !== undefined) throw invalid(source, misfit);
    return await rows.survey({ key, batchBytes: limit.batchBytes });
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw invalid(source, `its Parquet file cannot be read: ${(error as Error).message}`, error);
  }
}

/** The backup's columns; whether they may be null is for today's contract to say. */
export function columnsToday(manifest: BackupManifest, contract: Contract): SinkColumn[] {
  return manifest.columns.map(({ nullable: _, ...column }) => {
    const today = contract.columns[column.name];
    return today === undefined || today.nullable === true ? { ...column, nullable: true } : column;
  });
}
