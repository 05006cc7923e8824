import type { Contract } from "../core/contract.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { Reject } from "../core/reject.ts";
import { BatchChecker, type CheckedBatch } from "../engine/batch.ts";
import type { EngineRow } from "../ports/engine.ts";
import type { LaneReader } from "../ports/source.ts";
import { fitSteps } from "./fit.ts";
import { nothingKnown } from "./lane-services.ts";
import { holdsRecords } from "./schemes.ts";
import type { Session } from "./session.ts";

/** What the first records of a source become. */
export interface Preview {
  /** The first file, topic or queue. */
  readonly source: string;
  /** Files that match, or lanes. */
  readonly sources: number;
  /** Records looked at: those of the first batches. */
  readonly read: number;
  readonly filtered: number;
  readonly rows: readonly EngineRow[];
  readonly rejects: readonly Reject[];
}

/**
 * Sends the first records through contract and steps until there are `rowsMax` rows. Nothing is written anywhere and
 * no sink is asked. Errors are those that a run would meet at its start.
 */
export async function previewPipeline(
  session: Session,
  pipeline: Pipeline & { readonly contract: Contract },
  rowsMax: number,
): Promise<Preview> {
  const { contract, steps } = pipeline;
  // Behind steps that have measured nothing values stand as they came.
  const source = await session.source(pipeline, contract, false);
  const signal = new AbortController().signal;
  const checker = await BatchChecker.open(session.engine, { contract, steps, lineage: false, takes: "relation" });
  const seen: Seen = { source: source.shown, sources: 0, read: 0, filtered: 0, bytes: 0, rows: [], rejects: [] };
  try {
    for await (const lane of source.lanes(nothingKnown, { follow: false, signal })) {
      if (seen.sources === 0) seen.source = lane.source;
      seen.sources += 1;
      if (isEnough(seen, rowsMax)) continue;
      const reader = await source.open(lane, lane.initial, signal);
      try {
        await look(reader, checker, seen, rowsMax);
      } finally {
        await reader.close();
      }
    }
    return seen;
  } finally {
    checker.close();
    await source.close();
  }
}

/** The pipeline with what its steps measure of all records, as a run would measure it: that reads them all. */
export async function measured(
  session: Session,
  pipeline: Pipeline & { readonly contract: Contract },
): Promise<Pipeline & { readonly contract: Contract }> {
  const { engine, context } = session;
  const openSource = () => session.source(pipeline, pipeline.contract, false);
  const run = { follow: false, onEvent: () => undefined, signal: undefined, now: context.now() };
  return fitSteps({ pipeline, engine, ...(holdsRecords(parsePlace(pipeline.from)) ? {} : { openSource }) }, run);
}

interface Seen {
  source: string;
  sources: number;
  read: number;
  filtered: number;
  bytes: number;
  rows: EngineRow[];
  rejects: Reject[];
}

function isEnough({ rows, bytes }: Seen, rowsMax: number): boolean {
  return rows.length >= rowsMax || bytes > limit.inferBytes;
}

async function look(reader: LaneReader, checker: BatchChecker, seen: Seen, rowsMax: number): Promise<void> {
  while (!isEnough(seen, rowsMax)) {
    const raw = await reader.next();
    if (raw === undefined) return;
    const checked = await checker.check(raw, 0n);
    try {
      seen.read += raw.read;
      seen.bytes += raw.sizeBytes;
      seen.filtered += checked.filtered;
      seen.rejects.push(...checked.rejects);
      await takeRows(checked, seen, rowsMax);
    } finally {
      await checked.release();
    }
  }
}

async function takeRows(checked: CheckedBatch, seen: Seen, rowsMax: number): Promise<void> {
  for await (const piece of checked.rows.objects()) {
    seen.rows.push(...piece.slice(0, rowsMax - seen.rows.length));
    if (seen.rows.length >= rowsMax) return;
  }
}
