import { randomUUID } from "node:crypto";
import type { Claim } from "../core/checkpoint.ts";
import { MillraceError } from "../core/error.ts";
import { addCounts, type Counts, noCounts } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";
import { definitionOf } from "../core/pipeline.ts";
import type { StoredReject } from "../core/reject.ts";
import { BatchChecker } from "../engine/batch.ts";
import { batchOfRecords } from "../formats/replay.ts";
import type { RejectFilter, Sink, Target } from "../ports/sink.ts";
import type { Lane } from "../ports/source.ts";
import type { OnEvent } from "./events.ts";
import { type OpenSinkPipeline, targetOf, versionOf } from "./runner.ts";

/** Field of a replayed batch's start position: the ids of its rejects as text, one for each record. */
export const replayedRejects = "rejects";

/** The lane of all replays of a pipeline: one at a time, fenced like any other. */
const lane: Lane = { id: "replay", source: "replay", initial: { row: 0 } };

/** Rejects replayed in one transaction. */
const batchRejects = 5_000;

export interface ReplayRequest {
  readonly filter: Omit<RejectFilter, "state" | "limit" | "after" | "pipeline">;
  /** Bytes to send instead of the original, by reject. */
  readonly corrected: ReadonlyMap<bigint, Uint8Array>;
  readonly onEvent: OnEvent;
}

/**
 * Sends open rejects through today's pipeline, each once: the rows and the reject's new state commit together.
 * What fails again stays an open reject with the new reasons. Resolves with what became of them, durable.
 */
export async function replayRejects(open: OpenSinkPipeline, request: ReplayRequest): Promise<Counts> {
  const { sink, pipeline, engine } = open;
  await sink.open();
  const target = await targetOf(open);
  const prepared = await sink.prepare(target);
  const version = versionOf(pipeline);
  await sink.define(pipeline.name, version, definitionOf(pipeline));
  const checker = await BatchChecker.open(engine, {
    contract: pipeline.contract,
    steps: pipeline.steps,
    lineage: prepared.lineage,
    takes: sink.facts.takes,
  });
  try {
    let claim = await sink.claim(pipeline.name, lane.id, lane.source, lane.initial);
    let counts: Counts = noCounts;
    const run = randomUUID();
    for await (const rejects of pages(sink, pipeline.name, request)) {
      const work: Replay = { sink, target, checker, claim, run, version, rejects, request };
      const replayed = await replayBatch(work);
      counts = addCounts(counts, replayed.counts);
      claim = replayed.claim;
    }
    return counts;
  } finally {
    checker.close();
  }
}

interface Replay {
  readonly sink: Sink;
  readonly target: Target;
  readonly checker: BatchChecker;
  readonly claim: Claim;
  readonly run: string;
  readonly version: string;
  readonly rejects: readonly StoredReject[];
  readonly request: ReplayRequest;
}

/** Open rejects in pages of one format each, every one of them once: ids only rise. */
async function* pages(sink: Sink, pipeline: string, request: ReplayRequest): AsyncIterable<StoredReject[]> {
  for (let after = -1n; ; ) {
    const filter: RejectFilter = { ...request.filter, pipeline, state: "open", after, limit: batchRejects };
    const page = await sink.records.rejects(filter);
    const last = page.at(-1);
    if (last === undefined) return;
    const byFormat = Map.groupBy(page, (reject) => JSON.stringify(reject.format));
    yield* byFormat.values();
    after = last.id;
  }
}

async function replayBatch(work: Replay): Promise<{ readonly counts: Counts; readonly claim: Claim }> {
  const { sink, target, checker, claim, rejects, request } = work;
  const start = claim.position;
  const end = { row: start.row + rejects.length };
  const records = rejects.map((reject) => ({
    line: reject.line,
    offset: reject.offset,
    bytes: request.corrected.get(reject.id) ?? wholeBytes(reject),
  }));
  const raw = batchOfRecords(rejects[0]?.format ?? {}, records);
  const [batch] = await sink.reserveBatches(1);
  if (batch === undefined) throw new TypeError("the sink reserved no batch");
  const checked = await checker.check(raw, batch);
  const unit = await sink.begin(target);
  try {
    const result = await unit.write({
      claim,
      batch,
      run: work.run,
      version: work.version,
      source: lane.source,
      // The ledger keeps which rejects these were: the way back to their files.
      start: { ...start, [replayedRejects]: rejects.map((reject) => String(reject.id)) },
      end,
      read: raw.read,
      filtered: checked.filtered,
      rejects: checked.rejects,
      format: raw.format,
      rows: checked.rows,
      startedAt: new Date().toISOString(),
      refuse: (row, reason) => checked.refuse(row, reason),
      replays: rejects.map((reject) => reject.id),
    });
    await unit.commit();
    const counts = { read: raw.read, filtered: checked.filtered, ...pick(result) };
    request.onEvent({ event: "batch", source: lane.source, counts, sizeBytes: raw.sizeBytes });
    return { counts, claim: { ...claim, position: end } };
  } catch (error) {
    throw sink.explain(error);
  } finally {
    await unit.rollback();
    await checked.release();
  }
}

function pick({ loaded, merged, rejected }: Pick<Counts, "loaded" | "merged" | "rejected">) {
  return { loaded, merged, rejected };
}

/** A record that was cut when it was kept cannot be sent as it was. */
function wholeBytes(reject: StoredReject): Uint8Array {
  if (!reject.truncated) return reject.bytes;
  throw new MillraceError(
    "REJECT_UNKNOWN",
    `Reject ${reject.id} keeps only the first ${limit.rejectBytes} bytes of its record`,
    {
      remedy: `Take the record from ${reject.source}, correct it, and replay it with --with FILE.`,
      at: { source: reject.source, ...(reject.line === undefined ? {} : { line: reject.line }) },
    },
  );
}
