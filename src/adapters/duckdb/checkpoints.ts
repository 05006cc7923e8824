import type { Checkpoint, Claim, Position } from "../../core/checkpoint.ts";
import { MillraceError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import { limit } from "../../core/limit.ts";
import type { EngineConnection, EngineRow } from "../../ports/engine.ts";
import { jsonCell, numberCell, textCell } from "./cells.ts";
import type { Names } from "./location.ts";

/** A pipeline's definitions stand among its checkpoints, under lanes that no source makes. A forgotten lane has no position. */
export const definitionPrefix = "definition:";

const columns = `pipeline, lane, epoch, cast("position" as varchar) as "position", source`;

// Two transactions conflict in DuckDB only when both change the same column of a row, and to different values. A claim
// changes the epoch and a commit the position: both set `mark` anew as well, or each would pass the other unseen. And no
// change here says RETURNING: DuckDB then puts a new row in the place of the old one without looking for a conflict.

/** Raises the lane's epoch or inserts it; a lane without a position takes the initial one. Rejects with a conflict when another transaction changes it; durable on return. */
export async function claimLane(
  connection: EngineConnection,
  names: Names,
  lane: { readonly pipeline: string; readonly lane: string; readonly source: string; readonly initial: Position },
  now: string,
): Promise<Claim> {
  await connection.run("begin");
  const before = await readCheckpoint(connection, names, lane.pipeline, lane.lane);
  // Only columns outside the key are updated: DuckDB then changes the row in place.
  await connection.run(
    `insert into ${names.checkpoint} (pipeline, lane, epoch, "position", source, claimed_at, moved_at, mark)
     values ($1, $2, 1, $3, $4, cast($5 as timestamp), null, uuid())
     on conflict (pipeline, lane) do update set epoch = epoch + 1, "position" = coalesce("position", excluded."position"),
       source = excluded.source, claimed_at = excluded.claimed_at, mark = uuid()`,
    [lane.pipeline, lane.lane, JSON.stringify(lane.initial), lane.source, now],
  );
  const claimed = await readCheckpoint(connection, names, lane.pipeline, lane.lane);
  await connection.run("commit");
  if (claimed === undefined) throw notClaimed(lane.lane);
  return { ...claimed, resumed: before !== undefined };
}

function notClaimed(lane: string): MillraceError {
  return new MillraceError("INTERNAL", `The lane ${lane} was claimed and is not there`, {
    remedy: "Do not alter the tables named millrace_; restore them from a backup.",
  });
}

/**
 * Invariant 2: the fence. Moves the lane's position if the epoch still is the claim's.
 * Resolves with false when it is not.
 */
export async function moveCheckpoint(
  connection: EngineConnection,
  names: Names,
  claim: Claim,
  end: Position,
  now: string,
): Promise<boolean> {
  const moved = await connection.run(
    `update ${names.checkpoint} set "position" = $1, moved_at = cast($2 as timestamp), mark = uuid()
     where pipeline = $3 and lane = $4 and epoch = $5`,
    [JSON.stringify(end), now, claim.pipeline, claim.lane, claim.epoch],
  );
  return moved === 1;
}

export async function readCheckpoint(
  connection: EngineConnection,
  names: Names,
  pipeline: string,
  lane: string,
): Promise<Checkpoint | undefined> {
  const rows = await connection.all(
    `select ${columns} from ${names.checkpoint} where pipeline = $1 and lane = $2 and "position" is not null`,
    [pipeline, lane],
  );
  return rows.map(checkpointOf)[0];
}

export async function readCheckpoints(
  connection: EngineConnection,
  names: Names,
  pipeline: string,
  source: string | undefined,
): Promise<Checkpoint[]> {
  const rows = await connection.all(
    `select ${columns} from ${names.checkpoint}
     where pipeline = $1 and not starts_with(lane, $2) and "position" is not null
       and ($3::varchar is null or source = $3) order by lane`,
    [pipeline, definitionPrefix, source ?? null],
  );
  return rows.map(checkpointOf);
}

/**
 * Forgets the pipeline's lanes but for these; definitions stay. Their epochs go on, so that none is used twice, and
 * whoever still holds one is fenced. What is forgotten already has no owner.
 */
export async function forgetLanes(
  connection: EngineConnection,
  names: Names,
  pipeline: string,
  but: readonly string[],
): Promise<void> {
  await connection.run(
    `update ${names.checkpoint} set "position" = null, moved_at = null, epoch = epoch + 1, mark = uuid()
     where pipeline = $1 and not starts_with(lane, $2) and "position" is not null
     and lane not in (select unnest(from_json($3::json, '["VARCHAR"]')))`,
    [pipeline, definitionPrefix, JSON.stringify(but)],
  );
}

/** Forgets the pipeline's messages: they are to be read again. */
export async function forgetMessages(connection: EngineConnection, names: Names, pipeline: string): Promise<void> {
  await connection.run(`delete from ${names.seen} where pipeline = $1`, [pipeline]);
}

/** Forgets messages and lanes of a source that are from before: how many messages. */
export async function trimOld(
  connection: EngineConnection,
  names: Names,
  { pipeline, source, before }: { readonly pipeline: string; readonly source: string; readonly before: string },
): Promise<number> {
  await connection.run(
    `delete from ${names.checkpoint} where pipeline = $1 and source = $2 and not starts_with(lane, $3)
     and greatest(claimed_at, moved_at) <= cast($4 as timestamp)`,
    [pipeline, source, definitionPrefix, before],
  );
  return connection.run(
    `delete from ${names.seen} where pipeline = $1 and id in
     (select id from ${names.seen} where pipeline = $1 and seen_at <= cast($2 as timestamp) limit ${limit.trimRows})`,
    [pipeline, before],
  );
}

export async function writeDefinition(
  connection: EngineConnection,
  names: Names,
  definition: { readonly pipeline: string; readonly version: string; readonly definition: JsonObject },
  now: string,
): Promise<void> {
  await connection.run(
    `insert into ${names.checkpoint} (pipeline, lane, epoch, "position", source, claimed_at, moved_at, mark)
     values ($1, $2, 0, $3, '', cast($4 as timestamp), null, uuid()) on conflict (pipeline, lane) do nothing`,
    [definition.pipeline, definitionPrefix + definition.version, JSON.stringify(definition.definition), now],
  );
}

export async function readDefinition(
  connection: EngineConnection,
  names: Names,
  pipeline: string,
  version: string,
): Promise<JsonObject | undefined> {
  const rows = await connection.all(
    `select cast("position" as varchar) as definition from ${names.checkpoint} where pipeline = $1 and lane = $2`,
    [pipeline, definitionPrefix + version],
  );
  return rows.map((row) => jsonCell(row, "definition"))[0];
}

function checkpointOf(row: EngineRow): Checkpoint {
  return {
    pipeline: textCell(row, "pipeline"),
    lane: textCell(row, "lane"),
    epoch: numberCell(row, "epoch"),
    position: jsonCell(row, "position") as Position,
    source: textCell(row, "source"),
  };
}
