import type { PoolClient } from "pg";
import { MillraceError } from "../../core/error.ts";
import type { Counts } from "../../core/ledger.ts";
import type { Reject } from "../../core/reject.ts";
import { RepeatedMessages, repeatsOf, type SinkBatch, type Target } from "../../ports/sink.ts";
import { ask } from "./client.ts";
import { insertRejects } from "./reject-rows.ts";
import { askInTurn, type Step } from "./sequence.ts";
import type { StateNames } from "./state.ts";
import { jsonbText, jsonText, storedId } from "./stored-json.ts";

const beginning: Step = { name: "millrace_begin", text: "begin", purpose: "beginning a transaction" };

/**
 * Invariant 2: the fence comes first. Moves the lane's position, or throws FENCED when the claim is not the last one.
 * `begins` the transaction if that has not been done.
 */
export async function passFence(
  client: PoolClient,
  names: StateNames,
  { claim, end }: SinkBatch,
  begins: boolean,
): Promise<void> {
  const text = `update ${names.checkpoint} set position = $4, moved_at = clock_timestamp()
where pipeline = $1 and lane = $2 and epoch = $3`;
  const values = [claim.pipeline, claim.lane, claim.epoch, jsonText(end)];
  const fence = { name: "millrace_fence", text, values, purpose: "moving the position" };
  const counts = await askInTurn(client, begins ? [beginning, fence] : [fence]);
  if (counts.at(-1) === 1) return;
  throw new MillraceError("FENCED", `Another process has taken over "${claim.source}" (lane ${claim.lane})`, {
    remedy: "It goes on from the committed position; nothing of this batch was written.",
    at: { source: claim.source },
  });
}

/** Notes the batch's message ids. Throws RepeatedMessages with those that stand in it twice or are committed already. */
export async function noteMessages(client: PoolClient, names: StateNames, batch: SinkBatch): Promise<void> {
  const ids = batch.messageIds ?? [];
  if (ids.length === 0) return;
  const repeats = repeatsOf(ids, storedId);
  if (repeats.length > 0) throw new RepeatedMessages(repeats, "batch");
  const text = `insert into ${names.seen} (pipeline, batch, id) select $1, $2, unnest($3::text[])
on conflict do nothing returning id`;
  const values = [batch.claim.pipeline, batch.batch, ids.map(storedId)];
  const { rows } = await ask<{ id: string }>(client, "noting message ids", { name: "millrace_seen", text, values });
  if (rows.length === ids.length) return;
  const fresh = new Set(rows.map((row) => row.id));
  throw new RepeatedMessages(ids.filter((id) => !fresh.has(storedId(id))));
}

/** Rejects of one statement, so that a batch that is rejected whole does not become one huge message. */
const rejectsPerStatement = 5000;

/**
 * Keeps the rejects of a batch and its counts; those of a replay stay the rejects that they were, with the reasons of
 * this attempt. `first` is done before that, in the same round trip where possible.
 */
export async function writeEntries(
  { client, names, target }: EntryPlace,
  batch: SinkBatch,
  rejects: readonly Reject[],
  counts: Counts,
  first: readonly Step[],
): Promise<void> {
  const { replays = [] } = batch;
  if (replays.length > 0) await markReplays(client, names, batch, replays, rejects);
  const fresh = replays.length === 0 ? rejects : rejects.filter(({ record }) => replays[record] === undefined);
  let before = first;
  for (let at = 0; at < fresh.length; at += rejectsPerStatement) {
    const insert = insertRejects(names, batch, fresh.slice(at, at + rejectsPerStatement));
    if (at + rejectsPerStatement < fresh.length) await askInTurn(client, [...before, insert]);
    before = at + rejectsPerStatement < fresh.length ? [] : [...before, insert];
  }
  await askInTurn(client, [...before, ledgerStep(names, target.table, batch, counts)]);
}

export interface EntryPlace {
  readonly client: PoolClient;
  readonly names: StateNames;
  readonly target: Target;
}

/** Record `n` of the batch is the attempt on `replays[n]`. Throws FENCED when one of them is not open any more. */
async function markReplays(
  client: PoolClient,
  names: StateNames,
  { source }: SinkBatch,
  replays: readonly bigint[],
  rejects: readonly Reject[],
): Promise<void> {
  const reasons = new Map(rejects.map((reject) => [reject.record, jsonbText(reject.reasons)]));
  // Locked in the order of their ids, so that two replays wait for each other and do not block each other.
  const text = `with attempt as (select * from unnest($1::int8[], $2::jsonb[]) as a (id, reasons)),
  locked as (select r.id from ${names.reject} r join attempt a on a.id = r.id where r.state = 'open' order by r.id for update of r)
update ${names.reject} r set attempts = r.attempts + 1, reasons = coalesce(a.reasons, r.reasons),
  state = case when a.reasons is null then 'replayed' else 'open' end
from attempt a join locked l on l.id = a.id where r.id = a.id and r.state = 'open'`;
  const values = [replays, replays.map((_, record) => reasons.get(record) ?? null)];
  const { count } = await ask(client, "marking replayed rejects", { name: "millrace_replays", text, values });
  if (count === replays.length) return;
  throw new MillraceError("FENCED", `${replays.length - count} of ${replays.length} rejects are not open any more`, {
    remedy: "Somebody else has replayed them; nothing of this replay was written. List the open ones again.",
    at: { source },
  });
}

function ledgerStep(names: StateNames, table: string, batch: SinkBatch, counts: Counts): Step {
  const { claim } = batch;
  const text = `insert into ${names.ledger} (batch, pipeline, lane, epoch, run, version, source, table_name,
  start_position, end_position, started_at, read, loaded, merged, filtered, rejected)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`;
  const values = [
    ...[batch.batch, claim.pipeline, claim.lane, claim.epoch, batch.run, batch.version, batch.source, table],
    ...[jsonText(batch.start), jsonText(batch.end), batch.startedAt],
    ...[counts.read, counts.loaded, counts.merged, counts.filtered, counts.rejected],
  ];
  return { name: "millrace_ledger", text, values, purpose: "writing the ledger" };
}
