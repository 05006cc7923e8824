import { MillraceError } from "../core/error.ts";
import type { JsonObject } from "../core/json.ts";
import type { LedgerEntry } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";
import { decodeLineage, encodeLineage } from "../core/lineage.ts";
import type { StoredReject } from "../core/reject.ts";
import type { EngineRow } from "../ports/engine.ts";
import type { Sink } from "../ports/sink.ts";
import { replayedRejects } from "./replay.ts";

/** Where a row came from. */
export interface Trace {
  /** The file or topic; for a replayed record the one that it first came from. */
  readonly source: string;
  /** The reject that was replayed, perhaps corrected, to make the row. */
  readonly replayOf: bigint | undefined;
  /** 0-based record within the batch; undefined when the row carries no lineage. */
  readonly record: number | undefined;
  /** 1-based line on which the record starts. `exact` is false when records of the batch span several lines. */
  readonly line: { readonly number: number; readonly exact: boolean } | undefined;
  readonly batch: LedgerEntry;
  /** Contract and steps that made the row. */
  readonly definition: JsonObject | undefined;
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
  const definition = await sink.records.definition(entry.pipeline, entry.version);
  const reject = await replayedReject(sink, entry, record);
  if (reject === undefined) {
    return { source: entry.source, replayOf: undefined, record, line: lineOf(entry, record), batch: entry, definition };
  }
  const line = reject.line === undefined ? undefined : { number: reject.line, exact: true };
  return { source: reject.source, replayOf: reject.id, record, line, batch: entry, definition };
}

/** The reject that record `record` of a replayed batch was; undefined for any other batch. */
async function replayedReject(sink: Sink, entry: LedgerEntry, record: number): Promise<StoredReject | undefined> {
  const ids = entry.start[replayedRejects];
  const id: unknown = Array.isArray(ids) ? ids[record] : undefined;
  if (typeof id !== "string") return undefined;
  const [reject] = await sink.records.rejects({ ids: [BigInt(id)], limit: 1 });
  return reject;
}

/** Lines are counted from the batch's start; exact when the batch has as many lines as records. */
function lineOf(entry: LedgerEntry, record: number): Trace["line"] {
  const first = entry.start["line"];
  const next = entry.end["line"];
  if (typeof first !== "number" || typeof next !== "number") return undefined;
  return { number: first + record, exact: next - first === entry.read };
}

/** What became of one line of a source. */
export interface LineFate {
  readonly batch: LedgerEntry;
  readonly rejects: readonly StoredReject[];
  readonly rows: readonly EngineRow[];
  /** False when records of the batch span several lines: which row the line became is then not known. */
  readonly exact: boolean;
}

/** file and line → row or reject: the way back. Empty when no committed batch holds the line. */
export async function traceLine(sink: Sink, source: string, line: number): Promise<LineFate[]> {
  const entries = await sink.records.ledger({ source, limit: Number.MAX_SAFE_INTEGER });
  const holding = entries.filter((entry) => Number(entry.start["line"]) <= line && line < Number(entry.end["line"]));
  return Promise.all(holding.map((entry) => fateOf(sink, entry, line)));
}

async function fateOf(sink: Sink, entry: LedgerEntry, line: number): Promise<LineFate> {
  const rows = await rowsOf(sink, entry, line);
  const rejects: StoredReject[] = [];
  for (let after = -1n; ; ) {
    const page = await sink.records.rejects({ pipeline: entry.pipeline, after, limit: 1000 });
    rejects.push(...page.filter((reject) => reject.batch === entry.batch && reject.line === line));
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.id;
  }
  return { batch: entry, rejects, rows, exact: lineOf(entry, 0)?.exact === true };
}

/** The row that the line became; none where the batch has more lines than records, as its record is not known then. */
async function rowsOf(sink: Sink, entry: LedgerEntry, line: number): Promise<EngineRow[]> {
  const record = line - Number(entry.start["line"]);
  if (lineOf(entry, record)?.exact !== true) return [];
  const lineage = encodeLineage(entry.batch, record);
  return sink.records.rowsByLineage(entry.table, lineage, lineage, limit.rowsShown);
}

function shownKey(key: Readonly<Record<string, string>>): string {
  return Object.entries(key)
    .map(([name, value]) => `${name} = ${value}`)
    .join(", ");
}
