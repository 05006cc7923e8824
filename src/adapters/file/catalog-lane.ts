import type { Checkpoint, Claim, Position } from "../../core/checkpoint.ts";
import type { JsonObject } from "../../core/json.ts";
import { limit } from "../../core/limit.ts";
import { laneHash } from "./sink-part-name.ts";
import { type Catalog, type CatalogRow } from "./catalog.ts";
import { jsonOf, numberOf, textOf } from "./catalog-value.ts";

export function checkpointOf(row: CatalogRow): Checkpoint {
  return {
    pipeline: textOf(row, "pipeline"),
    lane: textOf(row, "lane"),
    epoch: numberOf(row, "epoch"),
    position: jsonOf<Position>(row, "position"),
    source: textOf(row, "source"),
  };
}

export function readCheckpoint(catalog: Catalog, pipeline: string, lane: string): Checkpoint | undefined {
  const sql = "select * from millrace_checkpoint where pipeline = ? and lane = ? and position is not null";
  const row = catalog.get(sql, pipeline, lane);
  return row === undefined ? undefined : checkpointOf(row);
}

export function listCheckpoints(catalog: Catalog, pipeline: string, source: string | undefined): Checkpoint[] {
  const sql = `select * from millrace_checkpoint
               where pipeline = ?1 and (?2 is null or source = ?2) and position is not null order by lane`;
  return catalog.all(sql, pipeline, source ?? null).map(checkpointOf);
}

/** What a lane is claimed with. */
export type LaneStart = Omit<Checkpoint, "epoch">;

/** Raises the lane's epoch or inserts the lane; one without a position takes the initial one. */
export function claimLane(catalog: Catalog, start: LaneStart, now: string): Claim {
  const { pipeline, lane, position, source } = start;
  const before = readCheckpoint(catalog, pipeline, lane);
  const row = catalog.get(
    `insert into millrace_checkpoint (pipeline, lane, epoch, position, source, claimed_at) values (?, ?, 1, ?, ?, ?)
     on conflict (pipeline, lane) do update set epoch = epoch + 1, position = coalesce(position, excluded.position),
       source = excluded.source, claimed_at = excluded.claimed_at
     returning *`,
    ...[pipeline, lane, JSON.stringify(position), source, now],
  );
  if (row === undefined) throw new Error("The claim returned no row");
  const sql = "insert into millrace_lane (hash, pipeline, lane) values (?, ?, ?) on conflict do nothing";
  catalog.run(sql, laneHash(pipeline, lane), pipeline, lane);
  return { ...checkpointOf(row), resumed: before !== undefined };
}

/**
 * Forgets the pipeline's lanes but for these. Their epochs go on, so that none is used twice, and whoever still holds
 * one is fenced. What is forgotten already has no owner.
 */
export function forgetLanes(catalog: Catalog, pipeline: string, but: readonly string[]): void {
  const sql = `update millrace_checkpoint set position = null, moved_at = null, epoch = epoch + 1
               where pipeline = ? and position is not null and lane not in (select value from json_each(?))`;
  catalog.run(sql, pipeline, JSON.stringify(but));
}

/** Forgets the pipeline's messages: they are to be read again. */
export function forgetMessages(catalog: Catalog, pipeline: string): void {
  catalog.run("delete from millrace_seen where pipeline = ?", pipeline);
}

/** Forgets messages and lanes of a source that are from before: how many messages. */
export function trimOld(
  catalog: Catalog,
  { pipeline, source, before }: { readonly pipeline: string; readonly source: string; readonly before: string },
): number {
  const lanes = `delete from millrace_checkpoint where pipeline = ? and source = ? and position is not null
                 and max(claimed_at, coalesce(moved_at, claimed_at)) <= ?`;
  catalog.run(lanes, pipeline, source, before);
  const messages = `delete from millrace_seen where pipeline = ? and id in
                    (select id from millrace_seen where pipeline = ? and seen_at <= ? limit ${limit.trimRows})`;
  return catalog.run(messages, pipeline, pipeline, before);
}

/** Invariant 2: moves the position where the epoch is still the claim's; false when someone else owns the lane. */
export function movePosition(catalog: Catalog, claim: Claim, end: Position, now: string): boolean {
  const sql = "update millrace_checkpoint set position = ?, moved_at = ? where pipeline = ? and lane = ? and epoch = ?";
  return catalog.run(sql, JSON.stringify(end), now, claim.pipeline, claim.lane, claim.epoch) === 1;
}

export function ownsLane(catalog: Catalog, claim: Claim): boolean {
  const row = catalog.get(
    "select 1 from millrace_checkpoint where pipeline = ? and lane = ? and epoch = ?",
    claim.pipeline,
    claim.lane,
    claim.epoch,
  );
  return row !== undefined;
}

export function reserveNumbers(catalog: Catalog, count: number): bigint[] {
  const row = catalog.get("update millrace_number set next = next + ? where name = 'batch' returning next", count);
  const next = row?.["next"];
  if (typeof next !== "bigint") throw new Error("The catalog is damaged: it has no batch numbers");
  return Array.from({ length: count }, (_, n) => next - BigInt(count - n));
}

export function keepDefinition(catalog: Catalog, pipeline: string, version: string, definition: JsonObject): void {
  const sql =
    "insert into millrace_definition values (?, ?, ?) on conflict do update set definition = excluded.definition";
  catalog.run(sql, pipeline, version, JSON.stringify(definition));
}

export function readDefinition(catalog: Catalog, pipeline: string, version: string): JsonObject | undefined {
  const sql = "select definition from millrace_definition where pipeline = ? and version = ?";
  const row = catalog.get(sql, pipeline, version);
  return row === undefined ? undefined : jsonOf(row, "definition");
}
