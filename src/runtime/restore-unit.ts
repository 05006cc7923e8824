import { createHash, randomUUID } from "node:crypto";
import type { Claim } from "../core/checkpoint.ts";
import { type Contract, keyColumns } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { lineageColumn } from "../core/lineage.ts";
import { definitionOf } from "../core/pipeline.ts";
import type { Reason, Reject } from "../core/reject.ts";
import type { ParquetRows } from "../engine/parquet-rows.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Sink, SinkBatch, Target, Unit } from "../ports/sink.ts";
import { backupColumns, invalid } from "./backup-manifest.ts";
import type { BackupFormat } from "./backup-name.ts";
import { findLineage } from "./backup-rows.ts";
import { fenced } from "./lane-claim.ts";
import { type Patience, patiently } from "./patience.ts";
import { stopIfAborted } from "./restore-fetch.ts";

/** Rows, all verified, on their way into a table. */
export interface Replacing {
  readonly sink: Sink;
  readonly contract: Contract;
  readonly rows: ParquetRows;
  /** Rows of each batch. */
  readonly batches: readonly number[];
  /** Of the backup: the lane of its restores. */
  readonly version: string;
  /** What people call the file. */
  readonly source: string;
  readonly format: BackupFormat;
  /** Whether the rows carry `_millrace`. */
  readonly lineage: boolean;
  readonly context: AdapterContext;
  readonly patience: Patience;
}

/** What all batches have in common. */
interface Writing extends Replacing {
  readonly target: Target;
  /** Whether the table takes `_millrace`. */
  readonly writesLineage: boolean;
  readonly definition: string;
  readonly run: string;
}

const start = { row: 0 } as const;

/**
 * Replaces the table's rows, in one transaction, which is begun anew while its failure is one that passes. Throws
 * BACKUP_INVALID when the table refuses a row, TABLE_MISMATCH, FENCED, INTERRUPTED, the sink's errors: nothing is changed.
 */
export async function replaceRows(replacing: Replacing): Promise<void> {
  const { sink, patience, version, source } = replacing;
  const writing = await prepare(replacing);
  const { pipeline } = writing.target;
  // Its position is of no interest: a version may be restored any number of times.
  let claim = await patiently(patience, () => sink.claim(pipeline, version, source, start));
  let last: bigint | undefined;
  const note = (batch: bigint): void => void (last = batch);
  await patiently(patience, async (attempt) => {
    if (attempt > 1) {
      claim = await claimAgain(writing, claim);
      if (last !== undefined && (await isCommitted(writing, last))) return;
    }
    await writeAll(writing, claim, note);
  });
}

async function prepare(replacing: Replacing): Promise<Writing> {
  const { sink, contract, lineage, patience, context } = replacing;
  const target: Target = {
    pipeline: `restore:${contract.table}`,
    table: contract.table,
    columns: backupColumns(contract, false),
    key: keyColumns(contract),
    mode: "replace",
    lineage,
  };
  requirePossible(sink, target);
  await patiently(patience, () => sink.open());
  await patiently(patience, () => requireReplaceable(sink, contract));
  const prepared = await patiently(patience, () => sink.prepare(target));
  if (lineage && !prepared.lineage) {
    context.notice(`"${target.table}" has no column ${lineageColumn}: where its rows came from is not restored`);
  }
  const definition = definitionOf({ contract, steps: [] });
  const hash = createHash("sha256").update(JSON.stringify(definition)).digest("hex").slice(0, 12);
  await patiently(patience, () => sink.define(target.pipeline, hash, definition));
  return { ...replacing, target, writesLineage: prepared.lineage, definition: hash, run: randomUUID() };
}

function requirePossible({ facts, shown }: Sink, target: Target): void {
  if (facts.wholeFileUnits && facts.modes.includes("replace")) return;
  throw new MillraceError("PIPELINE_INVALID", `${shown} cannot replace a table's rows in one transaction`, {
    remedy: "Restore into another place.",
    at: { table: target.table },
  });
}

/** Throws TABLE_MISMATCH when the table has columns that would lose what they hold. One that is missing has none. */
async function requireReplaceable(sink: Sink, contract: Contract): Promise<void> {
  try {
    await findLineage(sink, contract);
  } catch (error) {
    const explained = sink.explain(error);
    if (!(explained instanceof MillraceError) || explained.code !== "SINK_REFUSED") throw error;
  }
}

/** Once the lane is claimed anew, an earlier transaction of this process has come to its end or never will. */
async function claimAgain({ sink, target, patience, version, source }: Writing, held: Claim): Promise<Claim> {
  const lane = { id: version, source, initial: start };
  const now = await patiently(patience, () => sink.checkpoint(target.pipeline, version));
  if (now === undefined || now.epoch !== held.epoch) throw fenced(lane);
  const claim = await patiently(patience, () => sink.claim(target.pipeline, version, source, start));
  if (claim.epoch !== held.epoch + 1) throw fenced(lane);
  return claim;
}

/** The commit had arrived although its answer was lost. The ledger knows: no number is used for two batches. */
async function isCommitted({ sink, patience }: Writing, batch: bigint): Promise<boolean> {
  const entries = await patiently(patience, () => sink.records.ledger({ batch, limit: 1 }));
  return entries.length > 0;
}

async function writeAll(writing: Writing, claim: Claim, note: (batch: bigint) => void): Promise<void> {
  const { sink, target } = writing;
  try {
    const unit = await sink.begin(target, { replace: true });
    try {
      await writeBatches(writing, claim, unit, note);
      await unit.commit();
    } finally {
      await unit.rollback();
    }
  } catch (error) {
    const isRow = !(error instanceof MillraceError) && sink.classify(error) === "row";
    throw isRow ? refused(writing, sink.explain(error).message, error) : error;
  }
}

async function writeBatches(writing: Writing, claim: Claim, unit: Unit, note: (batch: bigint) => void): Promise<void> {
  let from = 0;
  // A table without rows is restored by a batch without rows: the ledger has it too.
  for (const count of writing.batches.length === 0 ? [0] : writing.batches) {
    stopIfAborted(writing.patience);
    const [number] = await writing.sink.reserveBatches(1);
    if (number === undefined) throw new TypeError("the sink reserved no batch");
    note(number);
    const { rejected, refused: shown } = await unit.write(batchOf(writing, claim, number, from, count));
    if (rejected > 0) throw refused(writing, shown[0]?.reasons[0]?.message ?? "it does not say why");
    from += count;
  }
}

function batchOf(writing: Writing, claim: Claim, batch: bigint, from: number, count: number): SinkBatch {
  const { run, definition, source, format, rows, contract, writesLineage, context } = writing;
  return {
    ...{ claim, batch, run, source, version: definition, format: { format } },
    start: { row: from },
    end: { row: from + count },
    read: count,
    filtered: 0,
    rejects: [],
    rows: rows.batch(from, count, backupColumns(contract, writesLineage)),
    startedAt: new Date(context.now()).toISOString(),
    refuse: (row, reason) => rejectOf(from, row, reason),
  };
}

/** Of a transaction that is about to be rolled back: only its reason is ever shown. */
function rejectOf(from: number, row: number, reason: Reason): Reject {
  const at = { record: row, line: undefined, offset: BigInt(from + row) };
  return { ...at, bytes: new Uint8Array(), truncated: false, reasons: [reason] };
}

function refused({ target, version }: Writing, why: string, cause?: unknown): MillraceError {
  return invalid(`${target.table} ${version}`, `the table refuses a row: ${why}`, cause);
}
