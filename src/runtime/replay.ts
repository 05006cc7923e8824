import { MillraceError } from "../core/error.ts";
import type { JsonObject } from "../core/json.ts";
import { addCounts, type Counts, noCounts } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";
import { isLineFormat, type LineFormat } from "../core/line-format.ts";
import type { StoredReject } from "../core/reject.ts";
import type { BatchChecker } from "../engine/batch.ts";
import { batchOfRecords } from "../formats/replay.ts";
import type { RejectFilter } from "../ports/sink.ts";
import type { DecodedMessages, MessageFormat } from "../ports/messages.ts";
import type { Lane, RawBatch, RecordAt } from "../ports/source.ts";
import type { OnEvent } from "./events.ts";
import { claimLane } from "./lane-claim.ts";
import { commitBatch, prepareBatch, timeNow } from "./lane-run.ts";
import type { SinkServices } from "./lane-services.ts";
import { withKeptParameters } from "./fit.ts";
import { type Patience, patiently } from "./patience.ts";
import { type OpenSinkPipeline, prepareSink } from "./sink-preparation.ts";
import { addingMode, modeOf, type PipelineWithContract } from "./target.ts";

/** Field of a replayed batch's start position: the ids of its rejects as text, one for each record. */
export const replayedRejects = "rejects";

/** The lane of all replays of a pipeline: one at a time, fenced like any other. */
const lane: Lane = { id: "replay", source: "replay", initial: { row: 0 } };

export interface ReplayRequest {
  readonly filter: Omit<RejectFilter, "state" | "limit" | "after" | "pipeline">;
  /** Bytes to send instead of the original, by reject. */
  readonly corrected: ReadonlyMap<bigint, Uint8Array>;
  readonly onEvent: OnEvent;
  /** How records of a log of Avro are read again, given the format that was kept with them. */
  readonly avro: (kept: JsonObject) => Promise<MessageFormat>;
}

/**
 * Sends open rejects through today's pipeline, each once: the rows and the reject's new state commit together.
 * What fails again stays an open reject with the new reasons. Resolves with what became of them, durable.
 */
export async function replayRejects(open: OpenSinkPipeline, request: ReplayRequest): Promise<Counts> {
  const { sink, context } = open;
  let counts: Counts = noCounts;
  const onEvent: OnEvent = (event) => {
    if (event.event === "batch") counts = addCounts(counts, event.counts);
    request.onEvent(event);
  };
  const { signal } = new AbortController();
  const patience: Patience = { sink, context, onEvent, totalMs: limit.retryTotalMs, signal };
  await patiently(patience, () => sink.open());
  const pipeline = addingTo(await withKeptParameters(open.pipeline, sink, patience, open.engine));
  const services = await prepareSink({ ...open, pipeline }, patience, onEvent);
  const checker = await services.openChecker();
  try {
    let claim = await claimLane(services, lane);
    for await (const rejects of openRejects(services, request)) {
      for (let left = rejects; left.length > 0; ) {
        const raw = await batchOf(left, claim.position.row, request, ownFormat(pipeline));
        const prepared = await prepareReplay(services, checker, raw, left.slice(0, raw.read));
        claim = { ...(await commitBatch(services, lane, claim, prepared)), position: raw.end };
        left = left.slice(raw.read);
      }
    }
    return counts;
  } finally {
    checker.close();
  }
}

/** A replay adds rows to those that are there, also where the pipeline itself replaces them. */
function addingTo(pipeline: PipelineWithContract): PipelineWithContract {
  if (modeOf(pipeline) !== "replace") return pipeline;
  return { ...pipeline, sink: { ...pipeline.sink, mode: addingMode(pipeline.contract) } };
}

async function prepareReplay(
  services: SinkServices,
  checker: BatchChecker,
  raw: RawBatch,
  rejects: readonly StoredReject[],
) {
  const prepared = await prepareBatch(services, checker, raw, timeNow(services));
  return { ...prepared, replays: rejects.map((reject) => reject.id) };
}

function ownFormat({ source: { format } }: PipelineWithContract): LineFormat | undefined {
  return isLineFormat(format) ? format : undefined;
}

/** Their records, or as many from the first on as fit, as a batch of the replay lane, `row` of which were replayed before. */
async function batchOf(
  rejects: readonly StoredReject[],
  row: number,
  request: ReplayRequest,
  own: LineFormat | undefined,
): Promise<RawBatch> {
  const { corrected } = request;
  const records = rejects.map(({ id, line, offset, bytes }) => ({ line, offset, bytes: corrected.get(id) ?? bytes }));
  const format = formatOf(rejects[0], corrected);
  const batch =
    format["format"] === "avro"
      ? await decoded(records, await request.avro(format))
      : batchOfRecords(format, records, limit, own);
  const taken = rejects.slice(0, batch.read);
  return {
    ...batch,
    // The ledger keeps which rejects these were: the way back to their files.
    start: { row, [replayedRejects]: taken.map((reject) => String(reject.id)) },
    end: { row: row + taken.length },
  };
}

function decoded(records: readonly RecordAt[], format: MessageFormat): Promise<DecodedMessages> {
  const messages = records.map(({ offset, bytes }) => ({ offset: BigInt(offset), value: bytes }));
  return format.decode(messages, limit, new AbortController().signal);
}

const openBrace = 0x7b;

/** As kept; but nobody writes Avro by hand, so a corrected record of it may be a JSON object. */
function formatOf(reject: StoredReject | undefined, corrected: ReplayRequest["corrected"]): JsonObject {
  const format = reject?.format ?? {};
  const bytes = reject === undefined ? undefined : corrected.get(reject.id);
  if (format["format"] !== "avro" || bytes?.[0] !== openBrace) return format;
  return { ...(format["ignoreExtra"] === true ? { ignoreExtra: true } : {}), format: "json" };
}

/** Open rejects in batches of one format each, every one of them once: ids only rise. */
async function* openRejects(services: SinkServices, request: ReplayRequest): AsyncIterable<StoredReject[]> {
  let held: StoredReject[] = [];
  let heldBytes = 0;
  let cut = 0;
  for await (const reject of eachOpenReject(services, request.filter)) {
    if (reject.truncated && !request.corrected.has(reject.id)) {
      if (request.filter.ids !== undefined) throw cutShort(reject);
      cut += 1;
      continue;
    }
    held.push(reject);
    heldBytes += reject.bytes.byteLength;
    if (held.length < limit.replayRejects && heldBytes < limit.batchBytes) continue;
    yield* byFormat(held, request);
    held = [];
    heldBytes = 0;
  }
  yield* byFormat(held, request);
  if (cut > 0) services.onEvent({ event: "notice", text: cutShortText(cut) });
}

async function* eachOpenReject(
  { sink, target, patience }: SinkServices,
  filter: ReplayRequest["filter"],
): AsyncIterable<StoredReject> {
  for (let after = -1n; ; ) {
    const wanted: RejectFilter = {
      ...filter,
      pipeline: target.pipeline,
      state: "open",
      after,
      limit: limit.rejectsPage,
    };
    const page = await patiently(patience, () => sink.records.rejects(wanted));
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}

function byFormat(rejects: readonly StoredReject[], { corrected }: ReplayRequest): Iterable<StoredReject[]> {
  return Map.groupBy(rejects, (reject) => JSON.stringify(formatOf(reject, corrected))).values();
}

function cutShortText(count: number): string {
  return `${count} ${count === 1 ? "reject stays" : "rejects stay"} open: only the first ${limit.rejectBytes} bytes of the record are kept; replay with the record, taken from its source, in --with FILE`;
}

/** A record that was cut when it was kept cannot be sent as it was. */
function cutShort(reject: StoredReject): MillraceError {
  return new MillraceError(
    "REJECT_UNKNOWN",
    `Reject ${reject.id} keeps only the first ${limit.rejectBytes} bytes of its record`,
    {
      remedy: `Take the record from ${reject.source}, correct it, and replay it with --with FILE.`,
      at: { source: reject.source, ...(reject.line === undefined ? {} : { line: reject.line }) },
    },
  );
}
