import type { LedgerEntry } from "../core/ledger.ts";
import { stageAfter, stageBefore } from "../core/stage.ts";
import type { Sink } from "../ports/sink.ts";
import { laneMark, type MessageId } from "./message-id.ts";
import { originsOf } from "./origins.ts";
import { replayedRejects } from "./replay.ts";

/** A record of a committed batch. */
export interface RecordOf {
  readonly batch: LedgerEntry;
  /** 0-based within the batch. */
  readonly record: number;
}

const all = Number.MAX_SAFE_INTEGER;

/** The record of the stage before that this one was made from; undefined where that is not known in this sink. */
export async function recordBefore(sink: Sink, { batch, record }: RecordOf): Promise<RecordOf | undefined> {
  const id = originsOf(batch.start)[record];
  const before = stageBefore(batch.pipeline);
  if (id === undefined || before === undefined) return undefined;
  const lane = (await sink.records.checkpoints(before)).find((one) => laneMark(before, one.lane) === id.mark);
  if (lane === undefined) return undefined;
  // A file that was renamed since is called otherwise in its ledger.
  for (const source of [{ source: lane.source }, {}]) {
    const entries = await sink.records.ledger({ pipeline: before, ...source, limit: all });
    const own = entries.filter((entry) => entry.lane === lane.lane);
    for (const entry of own) {
      const found = recordIn(entry, id);
      if (found !== undefined) return { batch: entry, record: found };
    }
  }
  return undefined;
}

function recordIn({ start, end }: LedgerEntry, { row }: MessageId): number | undefined {
  const replays = start[replayedRejects];
  if (Array.isArray(replays)) {
    const record = (replays as readonly unknown[]).indexOf(String(row));
    return record < 0 ? undefined : record;
  }
  const [first, next] = [Number(start["row"]), Number(end["row"])];
  return first <= row && row < next ? row - first : undefined;
}

/** The records of the stage behind that were made from this one: more than one where it was appended again. */
export async function recordsBehind(sink: Sink, { batch, record }: RecordOf): Promise<readonly RecordOf[]> {
  const behind = stageAfter(batch.pipeline);
  if (behind === undefined) return [];
  const mark = laneMark(batch.pipeline, batch.lane);
  const row = Number(batch.start["row"]) + record;
  const entries = await sink.records.ledger({ pipeline: behind, limit: all });
  return entries.flatMap((entry) =>
    [...originsOf(entry.start).entries()]
      .filter(([, id]) => id?.mark === mark && id.row === row)
      .map(([number]) => ({ batch: entry, record: number })),
  );
}
