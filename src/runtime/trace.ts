import { MillraceError } from "../core/error.ts";
import type { JsonObject } from "../core/json.ts";
import type { LedgerEntry } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";
import { decodeLineage, encodeLineage } from "../core/lineage.ts";
import type { StoredReject } from "../core/reject.ts";
import { parsePlace } from "../core/place.ts";
import type { EngineRow } from "../ports/engine.ts";
import type { Sink } from "../ports/sink.ts";
import { replayedRejects } from "./replay.ts";
import { holdsRecords } from "./schemes.ts";
import { type RecordOf, recordBefore, recordsBehind } from "./stage-trace.ts";

/** Where a row came from. */
export interface Trace {
  /** The file or topic; for a replayed record, and behind stages, the one that it first came from. */
  readonly source: string;
  /** The reject that was replayed, perhaps corrected, to make the row. */
  readonly replayOf: bigint | undefined;
  /** 0-based record within the batch; undefined when the row carries no lineage. */
  readonly record: number | undefined;
  /** Where the record starts; undefined for a source that has neither lines nor offsets. */
  readonly at: TracedPlace | undefined;
  readonly batch: LedgerEntry;
  /** Contract and steps that made the row. */
  readonly definition: JsonObject | undefined;
  /** Of a row that came through stages: the batches of those before, the nearest first. */
  readonly before: readonly Hop[];
}

/** A stage that a row came through. */
export interface Hop extends RecordOf {
  readonly definition: JsonObject | undefined;
}

/** A place within a source. */
export interface TracedPlace {
  readonly unit: "line" | "offset";
  /** Lines from 1, offsets from 0. */
  readonly number: bigint;
  /** False when records of the batch span several lines, or offsets have gaps between them: it is there or behind. */
  readonly exact: boolean;
}

/** row → file and line, or topic and offset. Throws ROW_UNKNOWN when there is no such row or nothing is known of it. */
export async function traceRow(sink: Sink, table: string, key: Readonly<Record<string, string>>): Promise<Trace[]> {
  const values = await sink.records.lineageOf(table, key);
  if (values.length === 0) {
    throw new MillraceError("ROW_UNKNOWN", `The table "${table}" has no row with ${shownKey(key)}`, {
      remedy: "Check the key. If the record was refused it is among the rejects: millrace rejects list.",
      at: { table },
    });
  }
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0) {
    throw new MillraceError("ROW_UNKNOWN", `The row with ${shownKey(key)} carries no lineage`, {
      remedy: `Load with --lineage (lineage: true) into a table that Millrace creates; it then has the column _millrace. Without it the ledger knows the batches: millrace query URL "select * from millrace_ledger where table_name = '${table}'".`,
      at: { table },
    });
  }
  return Promise.all(known.map((value) => traceLineage(sink, value)));
}

async function traceLineage(sink: Sink, value: bigint): Promise<Trace> {
  const { batch, record } = decodeLineage(value);
  const [entry] = await sink.records.ledger({ batch, limit: 1 });
  if (entry === undefined) {
    throw new MillraceError("ROW_UNKNOWN", `The ledger has no batch ${batch}`, {
      remedy: "The row's _millrace column, or the ledger, was changed by hand.",
    });
  }
  const { definition } = await hopOf(sink, { batch: entry, record });
  return { ...(await originOf(sink, { batch: entry, record })), record, batch: entry, definition };
}

type Origin = Pick<Trace, "source" | "at" | "replayOf" | "before">;

/** Where a record of a batch first came from, through replays and stages as far as this sink knows. */
async function originOf(sink: Sink, at: RecordOf): Promise<Origin> {
  const { batch, record } = at;
  const reject = await replayedReject(sink, batch, record);
  if (reject !== undefined) {
    const [rejected] = await sink.records.ledger({ batch: reject.batch, limit: 1 });
    const first = rejected === undefined ? undefined : await beforeOf(sink, { batch: rejected, record: reject.record });
    return { ...{ source: reject.source, at: placeOfReject(reject), before: [] }, ...first, replayOf: reject.id };
  }
  return (
    (await beforeOf(sink, at)) ?? { source: batch.source, at: placeOf(batch, record), replayOf: undefined, before: [] }
  );
}

async function beforeOf(sink: Sink, at: RecordOf): Promise<Origin | undefined> {
  const before = await recordBefore(sink, at);
  if (before === undefined) return undefined;
  const origin = await originOf(sink, before);
  return { ...origin, before: [await hopOf(sink, before), ...origin.before] };
}

async function hopOf(sink: Sink, { batch, record }: RecordOf): Promise<Hop> {
  return { batch, record, definition: await sink.records.definition(batch.pipeline, batch.version) };
}

/** The reject that record `record` of a replayed batch was; undefined for any other batch. */
async function replayedReject(sink: Sink, entry: LedgerEntry, record: number): Promise<StoredReject | undefined> {
  const ids = entry.start[replayedRejects];
  const id: unknown = Array.isArray(ids) ? ids[record] : undefined;
  if (typeof id !== "string") return undefined;
  const [reject] = await sink.records.rejects({ ids: [BigInt(id)], limit: 1 });
  return reject;
}

function placeOfReject({ line, offset }: StoredReject): TracedPlace {
  return line === undefined
    ? { unit: "offset", number: offset, exact: true }
    : { unit: "line", number: BigInt(line), exact: true };
}

/** Counted from the batch's start; exact when the batch has as many lines, or offsets, as records. */
function placeOf(entry: LedgerEntry, record: number): TracedPlace | undefined {
  const range = rangeOf(entry);
  if (range === undefined) return undefined;
  const { unit, first, next } = range;
  return { unit, number: first + BigInt(record), exact: next - first === BigInt(entry.read) };
}

/** Lines of a file, or offsets of a log, that a batch had. */
interface BatchRange {
  readonly unit: TracedPlace["unit"];
  readonly first: bigint;
  /** Behind the last. */
  readonly next: bigint;
}

function rangeOf({ start, end }: LedgerEntry): BatchRange | undefined {
  const [line, nextLine, offset, nextOffset] = [start["line"], end["line"], start["offset"], end["offset"]];
  if (typeof line === "number" && typeof nextLine === "number") {
    return { unit: "line", first: BigInt(line), next: BigInt(nextLine) };
  }
  // A log's positions hold text, as offsets may be larger than JSON's numbers are exact.
  if (typeof offset !== "string" || typeof nextOffset !== "string") return undefined;
  return { unit: "offset", first: BigInt(offset), next: BigInt(nextOffset) };
}

/** What became of one line, or the record at one offset, of a source. */
export interface PlaceFate {
  readonly batch: LedgerEntry;
  readonly rejects: readonly StoredReject[];
  readonly rows: readonly EngineRow[];
  /** That the rows are in: the batch's, or behind stages that of the last. */
  readonly table: string;
  readonly unit: TracedPlace["unit"];
  /** False when places of the batch and its records are not one to one: which row this one became is then not known. */
  readonly exact: boolean;
}

/** file and line, or topic and offset → row or reject: the way back. Empty when no committed batch holds the place. */
export async function tracePlace(sink: Sink, source: string, number: bigint): Promise<PlaceFate[]> {
  const entries = await sink.records.ledger({ source, limit: Number.MAX_SAFE_INTEGER });
  const fates = entries.flatMap((entry) => {
    const range = rangeOf(entry);
    return range !== undefined && range.first <= number && number < range.next
      ? [fateOf(sink, entry, range, number)]
      : [];
  });
  return Promise.all(fates);
}

async function fateOf(sink: Sink, entry: LedgerEntry, range: BatchRange, number: bigint): Promise<PlaceFate> {
  const isThere = (reject: StoredReject): boolean => {
    const place = placeOfReject(reject);
    return place.unit === range.unit && place.number === number;
  };
  const rejects = await rejectsOf(sink, entry, isThere);
  const exact = range.next - range.first === BigInt(entry.read);
  const at = { batch: entry, record: Number(number - range.first) };
  const { rows, table, ...later } = exact ? await becameOf(sink, at) : nothing(entry);
  return { batch: entry, unit: range.unit, rejects: [...rejects, ...later.rejects], rows, table, exact };
}

type Became = Pick<PlaceFate, "rows" | "rejects" | "table">;

const nothing = ({ table }: LedgerEntry): Became => ({ rows: [], rejects: [], table });

/** The row that the record became, here or behind later stages, and rejects of those. */
async function becameOf(sink: Sink, at: RecordOf): Promise<Became> {
  const { batch, record } = at;
  if (!holdsRecords(parsePlace(batch.table))) {
    const lineage = encodeLineage(batch.batch, record);
    const rows = await sink.records.rowsByLineage(batch.table, lineage, lineage, limit.rowsShown);
    return { rows, rejects: [], table: batch.table };
  }
  const rows: EngineRow[] = [];
  const rejects: StoredReject[] = [];
  let { table } = batch;
  for (const behind of await recordsBehind(sink, at)) {
    rejects.push(...(await rejectsOf(sink, behind.batch, (reject) => reject.record === behind.record)));
    const further = await becameOf(sink, behind);
    rows.push(...further.rows);
    rejects.push(...further.rejects);
    ({ table } = further);
  }
  return { rows, rejects, table };
}

async function rejectsOf(
  sink: Sink,
  entry: LedgerEntry,
  isWanted: (reject: StoredReject) => boolean,
): Promise<StoredReject[]> {
  const rejects: StoredReject[] = [];
  for (let after = -1n; ; ) {
    const page = await sink.records.rejects({ pipeline: entry.pipeline, after, limit: 1000 });
    rejects.push(...page.filter((reject) => reject.batch === entry.batch && isWanted(reject)));
    const last = page.at(-1);
    if (last === undefined) return rejects;
    after = last.id;
  }
}

function shownKey(key: Readonly<Record<string, string>>): string {
  return Object.entries(key)
    .map(([name, value]) => `${name} = ${value}`)
    .join(", ");
}
