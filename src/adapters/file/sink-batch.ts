import type { SQLInputValue } from "node:sqlite";
import { MillraceError } from "../../core/error.ts";
import type { Counts } from "../../core/ledger.ts";
import { isBalanced } from "../../core/ledger.ts";
import type { Reject } from "../../core/reject.ts";
import type { SinkBatch } from "../../ports/sink.ts";
import { RepeatedMessages, repeatsOf } from "../../ports/sink.ts";
import type { Catalog } from "./catalog.ts";
import { textOf } from "./catalog-value.ts";
import { movePosition } from "./catalog-lane.ts";

/** What becomes of the batch; a file refuses no row. Throws NOT_BALANCED (invariant 1). */
export function countBatch(batch: SinkBatch): Counts {
  const { read, filtered } = batch;
  const counts = { read, loaded: batch.rows.count, merged: 0, filtered, rejected: batch.rejects.length };
  if (isBalanced(counts)) return counts;
  const { loaded, rejected } = counts;
  throw new MillraceError(
    "NOT_BALANCED",
    `Of ${read} records read, ${loaded} are loaded, ${filtered} filtered and ${rejected} rejected`,
    { remedy: "Nothing of the batch is kept. Please report it with the pipeline.", at: { source: batch.source } },
  );
}

export function fenced(batch: SinkBatch): MillraceError {
  return new MillraceError("FENCED", `Another process has taken over ${batch.source}`, {
    remedy: "It goes on from the last committed position; nothing is to be done.",
    at: { source: batch.source },
  });
}

/** Throws RepeatedMessages naming those that stand in the batch twice, or that the catalog has as committed. */
export function refuseRepeated(catalog: Catalog | undefined, batch: SinkBatch): void {
  const ids = batch.messageIds ?? [];
  if (ids.length === 0) return;
  const repeats = repeatsOf(ids);
  if (repeats.length > 0) throw new RepeatedMessages(repeats, "batch");
  if (catalog === undefined) return;
  const sql = "select id from millrace_seen where pipeline = ? and id in (select value from json_each(?))";
  const repeated = catalog.all(sql, batch.claim.pipeline, JSON.stringify(ids)).map((row) => textOf(row, "id"));
  if (repeated.length > 0) throw new RepeatedMessages(repeated);
}

/** Throws FENCED when a reject that the batch replays is not open any more. */
export function refuseReplayed(catalog: Catalog, batch: SinkBatch): void {
  for (const id of batch.replays ?? []) {
    const row = catalog.get("select 1 from millrace_reject where id = ? and state = 'open'", id);
    if (row === undefined) throw notOpen(id);
  }
}

function notOpen(id: bigint): MillraceError {
  return new MillraceError("FENCED", `The reject ${id} is not open any more: another replay was first`, {
    remedy: "Nothing of this replay was written. List the rejects again and replay those that are open.",
  });
}

/**
 * Everything of a batch but its rows, in the transaction of the caller. Invariant 2: the fence comes first. What was
 * looked at when the batch was written is looked at again, as others may have committed since.
 */
export function keepBatch(catalog: Catalog, table: string, batch: SinkBatch, counts: Counts, now: string): void {
  if (!movePosition(catalog, batch.claim, batch.end, now)) throw fenced(batch);
  keepMessages(catalog, batch, now);
  const kept = keepReplays(catalog, batch);
  keepRejects(catalog, batch, kept, now);
  keepLedgerEntry(catalog, table, batch, counts, now);
}

function keepMessages(catalog: Catalog, batch: SinkBatch, now: string): void {
  refuseRepeated(catalog, batch);
  const rows = (batch.messageIds ?? []).map((id) => [batch.claim.pipeline, id, batch.batch, now]);
  catalog.each("insert into millrace_seen (pipeline, id, batch, seen_at) values (?, ?, ?, ?)", rows);
}

/** Record `n` is the attempt on `replays[n]`. Returns the batch's other rejects. */
function keepReplays(catalog: Catalog, batch: SinkBatch): readonly Reject[] {
  const failed = new Map(batch.rejects.map((reject) => [reject.record, reject]));
  for (const [record, id] of (batch.replays ?? []).entries()) {
    const reject = failed.get(record);
    failed.delete(record);
    if (!keepAttempt(catalog, id, reject)) throw notOpen(id);
  }
  return [...failed.values()];
}

function keepAttempt(catalog: Catalog, id: bigint, reject: Reject | undefined): boolean {
  if (reject === undefined) {
    const sql =
      "update millrace_reject set state = 'replayed', attempts = attempts + 1 where id = ? and state = 'open'";
    return catalog.run(sql, id) === 1;
  }
  const sql = "update millrace_reject set reasons = ?, attempts = attempts + 1 where id = ? and state = 'open'";
  return catalog.run(sql, JSON.stringify(reject.reasons), id) === 1;
}

function keepRejects(catalog: Catalog, batch: SinkBatch, rejects: readonly Reject[], now: string): void {
  const { pipeline, lane } = batch.claim;
  const format = JSON.stringify(batch.format);
  const rows = rejects.map((reject): readonly SQLInputValue[] => {
    const { record, line = null, offset, bytes, truncated } = reject;
    const where = [pipeline, lane, batch.batch, batch.source, record, line, offset];
    return [...where, bytes, truncated ? 1 : 0, JSON.stringify(reject.reasons), format, now];
  });
  catalog.each(
    `insert into millrace_reject (pipeline, lane, batch, source, record, line, record_offset, bytes, truncated, reasons,
       format, state, attempts, rejected_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', 1, ?)`,
    rows,
  );
}

function keepLedgerEntry(catalog: Catalog, table: string, batch: SinkBatch, counts: Counts, now: string): void {
  const { pipeline, lane, epoch } = batch.claim;
  const { read, loaded, merged, filtered, rejected } = counts;
  const where = [batch.batch, pipeline, lane, epoch, batch.run, batch.version, batch.source, table];
  const range = [JSON.stringify(batch.start), JSON.stringify(batch.end)];
  const values = [...where, ...range, read, loaded, merged, filtered, rejected, batch.startedAt, now];
  catalog.run(
    `insert into millrace_ledger (batch, pipeline, lane, epoch, run, version, source, table_name, start_position,
       end_position, read, loaded, merged, filtered, rejected, started_at, committed_at)
     values (${values.map(() => "?").join(", ")})`,
    ...values,
  );
}
