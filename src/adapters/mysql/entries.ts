import { createHash } from "node:crypto";
import { MillraceError } from "../../core/error.ts";
import type { Counts } from "../../core/ledger.ts";
import type { Reject } from "../../core/reject.ts";
import { RepeatedMessages, repeatsOf, type SinkBatch } from "../../ports/sink.ts";
import { literal } from "./literals.ts";
import { insertRejects, jsonText } from "./reject-rows.ts";
import type { Session } from "./session.ts";
import type { StateNames } from "./state.ts";

/** Invariant 2: the fence comes first. Moves the lane's position, or throws FENCED when the claim is not the last one. */
export async function passFence(session: Session, names: StateNames, { claim, end }: SinkBatch): Promise<void> {
  const sql = `update ${names.checkpoint} set position = ?, moved_at = current_timestamp(6)
where pipeline = ? and lane = ? and epoch = ?`;
  const values = [JSON.stringify(end), claim.pipeline, claim.lane, claim.epoch];
  const { count } = await session.ask("moving the position", sql, values);
  if (count === 1) return;
  throw new MillraceError("FENCED", `Another process has taken over "${claim.source}" (lane ${claim.lane})`, {
    remedy: "It goes on from the committed position; nothing of this batch was written.",
    at: { source: claim.source },
  });
}

/** Things of one statement, so that it does not become larger than the server takes. */
const perStatement = 1000;

function* pieces<Item>(all: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < all.length; at += perStatement) yield all.slice(at, at + perStatement);
}

/** Notes the batch's message ids. Throws RepeatedMessages with those that stand in it twice or are committed already. */
export async function noteMessages(session: Session, names: StateNames, batch: SinkBatch): Promise<void> {
  const ids = batch.messageIds ?? [];
  if (ids.length === 0) return;
  const repeats = repeatsOf(ids, storedId);
  if (repeats.length > 0) throw new RepeatedMessages(repeats, "batch");
  const purpose = "noting message ids";
  const { pipeline } = batch.claim;
  const known = new Set<string>();
  for (const some of pieces(ids)) {
    const stored = some.map(storedId);
    const rows = stored.map((id) => `(${literal(pipeline)}, ${literal(id)}, ${batch.batch})`);
    const insert = `insert ignore into ${names.seen} (pipeline, id, batch) values `;
    const { count } = await session.ask(purpose, insert + rows.join(", "));
    if (count === some.length) continue;
    const sql = `select id from ${names.seen} where pipeline = ? and id in (?) and batch <> ?`;
    const { rows: there } = await session.ask<{ id: string }>(purpose, sql, [pipeline, stored, batch.batch]);
    for (const { id } of there) known.add(id);
  }
  if (known.size > 0) throw new RepeatedMessages(ids.filter((id) => known.has(storedId(id))));
}

const idCharsMax = 250;

/** A message id as a key: what is too long for one, or no text, goes by its hash. */
function storedId(id: string): string {
  if (id.length <= idCharsMax && !id.includes("\0") && id.isWellFormed()) return id;
  return `sha256:${createHash("sha256").update(id, "utf16le").digest("hex")}`;
}

/** Keeps the rejects of a batch; those of a replay stay the rejects that they were, with the reasons of this attempt. */
export async function keepRejects(
  session: Session,
  names: StateNames,
  batch: SinkBatch,
  rejects: readonly Reject[],
): Promise<void> {
  const { replays = [] } = batch;
  if (replays.length > 0) await markReplays(session, names, batch, replays, rejects);
  const fresh = rejects.filter(({ record }) => replays[record] === undefined);
  await insertRejects(session, names, batch, fresh);
}

/** Record `n` of the batch is the attempt on `replays[n]`. Throws FENCED when one of them is not open any more. */
async function markReplays(
  session: Session,
  names: StateNames,
  { source }: SinkBatch,
  replays: readonly bigint[],
  rejects: readonly Reject[],
): Promise<void> {
  const purpose = "marking replayed rejects";
  // Locked in the order of their ids, so that two replays wait for each other and do not block each other.
  const lock = `select id from ${names.reject} where id in (?) and state = 'open' order by id for update`;
  let open = 0;
  for (const ids of pieces(replays.toSorted((a, b) => (a < b ? -1 : 1)))) {
    open += (await session.ask(purpose, lock, [ids])).count;
  }
  if (open !== new Set(replays).size) throw replayedMeanwhile(replays.length - open, replays.length, source);
  const reasons = new Map(rejects.map((reject) => [replays[reject.record], jsonText(reject.reasons)]));
  const again = `update ${names.reject} set attempts = attempts + 1, reasons = ? where id = ?`;
  for (const [id, text] of reasons) if (id !== undefined) await session.ask(purpose, again, [text, id]);
  const done = `update ${names.reject} set attempts = attempts + 1, state = 'replayed' where id in (?)`;
  for (const ids of pieces(replays.filter((id) => !reasons.has(id)))) await session.ask(purpose, done, [ids]);
}

function replayedMeanwhile(gone: number, all: number, source: string): MillraceError {
  return new MillraceError("FENCED", `${gone} of ${all} rejects are not open any more`, {
    remedy: "Somebody else has replayed them; nothing of this replay was written. List the open ones again.",
    at: { source },
  });
}

export async function writeLedger(
  session: Session,
  names: StateNames,
  table: string,
  batch: SinkBatch,
  counts: Counts,
): Promise<void> {
  const { claim } = batch;
  const sql = `insert into ${names.ledger} (batch, pipeline, lane, epoch, run, version, source, table_name,
  start_position, end_position, started_at, \`read\`, loaded, merged, filtered, rejected) values (?)`;
  const values = [
    ...[batch.batch, claim.pipeline, claim.lane, claim.epoch, batch.run, batch.version, batch.source, table],
    ...[JSON.stringify(batch.start), JSON.stringify(batch.end), batch.startedAt.replace("T", " ").replace("Z", "")],
    ...[counts.read, counts.loaded, counts.merged, counts.filtered, counts.rejected],
  ];
  await session.ask("writing the ledger", sql, [values]);
}
