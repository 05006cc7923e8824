import { MillraceError } from "../../core/error.ts";
import type { Json } from "../../core/json.ts";
import type { Reason, Reject } from "../../core/reject.ts";
import type { EngineConnection } from "../../ports/engine.ts";
import { RepeatedMessages, repeatsOf, type Target, type WriteResult } from "../../ports/sink.ts";
import { textCell } from "./cells.ts";
import type { Names } from "./location.ts";
import type { UnitBatch } from "./written-batch.ts";

/** Rejects are bound as JSON text, in pieces of about this many characters, so that memory stays flat. */
const pieceChars = 4 * 1024 * 1024;

/** Writes the batch's message ids. Throws RepeatedMessages with those that stand in it twice or are there already. */
export async function writeMessageIds(
  connection: EngineConnection,
  names: Names,
  batch: UnitBatch,
  now: string,
): Promise<void> {
  const { messageIds: ids = [] } = batch;
  if (ids.length === 0) return;
  const repeats = repeatsOf(ids);
  if (repeats.length > 0) throw new RepeatedMessages(repeats, "batch");
  const listed = `(select unnest(from_json($2::json, '["VARCHAR"]')) as id)`;
  const written = await connection.run(
    `insert into ${names.seen} (pipeline, id, batch, seen_at)
     select $1, id, $3, cast($4 as timestamp) from ${listed} on conflict (pipeline, id) do nothing`,
    [batch.claim.pipeline, JSON.stringify(ids), batch.batch, now],
  );
  if (written === ids.length) return;
  const rows = await connection.all(
    `select id from ${names.seen} where pipeline = $1 and batch <> $3 and id in (select id from ${listed})`,
    [batch.claim.pipeline, JSON.stringify(ids), batch.batch],
  );
  throw new RepeatedMessages(rows.map((row) => textCell(row, "id")));
}

/** The rejects that are not another attempt on one that is kept already. */
export function newRejects(batch: UnitBatch, rejects: readonly Reject[]): readonly Reject[] {
  const { replays } = batch;
  return replays === undefined ? rejects : rejects.filter(({ record }) => replays[record] === undefined);
}

/** Writes new rejects under consecutive ids from `first` on, in the order given. */
export async function writeRejects(
  connection: EngineConnection,
  names: Names,
  batch: UnitBatch,
  rejects: readonly Reject[],
  first: bigint,
  now: string,
): Promise<void> {
  for (const piece of piecesOf(rejects.map((reject, index) => rejectJson(reject, first + BigInt(index))))) {
    await connection.run(
      `insert into ${names.reject} (id, pipeline, lane, batch, source, record, line, record_offset, bytes, truncated,
         reasons, format, state, attempts, rejected_at)
       select id, $2, $3, $4, $5, record, line, record_offset, from_base64(bytes), truncated, reasons, $6, 'open', 1,
         cast($7 as timestamp)
       from (select unnest(from_json($1::json, '[{"id": "BIGINT", "record": "BIGINT", "line": "BIGINT",
         "record_offset": "BIGINT", "bytes": "VARCHAR", "truncated": "BOOLEAN", "reasons": "VARCHAR"}]'), recursive := true))`,
      [piece, batch.claim.pipeline, batch.claim.lane, batch.batch, batch.source, JSON.stringify(batch.format), now],
    );
  }
}

function rejectJson(reject: Reject, id: bigint): string {
  return JSON.stringify({
    id: String(id),
    record: reject.record,
    line: reject.line ?? null,
    record_offset: String(reject.offset),
    bytes: Buffer.from(reject.bytes).toString("base64"),
    truncated: reject.truncated,
    reasons: reasonsJson(reject.reasons),
  });
}

/** Half a surrogate pair, as a value cut in two may end with, is no JSON text to DuckDB. */
function reasonsJson(reasons: readonly Reason[]): string {
  return JSON.stringify(reasons, (_, value: Json) => (typeof value === "string" ? value.toWellFormed() : value));
}

function* piecesOf(items: readonly string[]): Generator<string> {
  let piece: string[] = [];
  let chars = 0;
  for (const item of items) {
    piece.push(item);
    chars += item.length;
    if (chars < pieceChars) continue;
    yield `[${piece.join(",")}]`;
    piece = [];
    chars = 0;
  }
  if (piece.length > 0) yield `[${piece.join(",")}]`;
}

/**
 * Marks the rejects that the batch replays: `replayed`, but for those whose record was rejected again, which stay open
 * with the reasons of this attempt. Throws FENCED when one of them is not open: another replay was first.
 */
export async function writeReplays(
  connection: EngineConnection,
  names: Names,
  replays: readonly bigint[],
  rejects: readonly Reject[],
): Promise<void> {
  const marked = await connection.run(
    `update ${names.reject} set state = 'replayed', attempts = attempts + 1
     where state = 'open' and id in (select cast(unnest(from_json($1::json, '["VARCHAR"]')) as bigint))`,
    [JSON.stringify(replays.map(String))],
  );
  if (marked !== new Set(replays).size) throw replayedElsewhere(replays.length - marked);
  const again = rejects.flatMap((reject) => {
    const id = replays[reject.record];
    return id === undefined ? [] : [JSON.stringify({ id: String(id), reasons: reasonsJson(reject.reasons) })];
  });
  for (const piece of piecesOf(again)) {
    await connection.run(
      `update ${names.reject} as r set state = 'open', reasons = a.reasons
       from (select unnest(from_json($1::json, '[{"id": "BIGINT", "reasons": "VARCHAR"}]'), recursive := true)) a
       where r.id = a.id`,
      [piece],
    );
  }
}

function replayedElsewhere(count: number): MillraceError {
  return new MillraceError("FENCED", `Of the rejects to replay, ${count} are replayed already`, {
    remedy: "List the rejects again and replay those that are still open.",
  });
}

/** Writes the ledger entry of the batch. */
export async function writeLedger(
  connection: EngineConnection,
  names: Names,
  target: Target,
  batch: UnitBatch,
  result: Pick<WriteResult, "loaded" | "merged" | "rejected">,
  now: string,
): Promise<void> {
  const { claim } = batch;
  await connection.run(
    `insert into ${names.ledger} (batch, pipeline, lane, epoch, run, version, source, table_name, start_position,
       end_position, "read", loaded, merged, filtered, rejected, started_at, committed_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, cast($16 as timestamp),
       cast($17 as timestamp))`,
    [
      ...[batch.batch, claim.pipeline, claim.lane, claim.epoch, batch.run, batch.version, batch.source, target.table],
      ...[JSON.stringify(batch.start), JSON.stringify(batch.end), batch.read, result.loaded, result.merged],
      ...[batch.filtered, result.rejected, batch.startedAt, now],
    ],
  );
}
