import { Client } from "pg";
import type { Claim, Position } from "../../../src/core/checkpoint.ts";
import type { SinkOptions } from "../../../src/core/pipeline.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { Reason, Reject } from "../../../src/core/reject.ts";
import { postgresSink } from "../../../src/adapters/postgres/index.ts";
import { resultTypes } from "../../../src/adapters/postgres/values.ts";
import type { AdapterContext } from "../../../src/ports/adapter.ts";
import type { EngineRow, EngineValue } from "../../../src/ports/engine.ts";
import type { CsvRows, Rows, SinkColumn } from "../../../src/ports/rows.ts";
import type { Sink, SinkBatch, Target, Unit, WriteResult } from "../../../src/ports/sink.ts";

export const notices: string[] = [];

export const context: AdapterContext = {
  engine: {
    connect: () => Promise.reject(new Error("PostgreSQL needs no engine")),
    uniqueName: (prefix) => prefix,
  },
  now: () => Date.now(),
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  notice: (text) => notices.push(text),
};

export function makeSink(url: string, options: SinkOptions = {}): Sink {
  return postgresSink(parsePlace(url), options, context);
}

/** The server's URL with another database, user or option. */
export function urlWith(
  url: string,
  changes: Partial<Record<"database" | "username" | "password", string>>,
  query = "",
): string {
  const changed = new URL(url);
  if (changes.database !== undefined) changed.pathname = `/${encodeURIComponent(changes.database)}`;
  if (changes.username !== undefined) changed.username = changes.username;
  if (changes.password !== undefined) changed.password = changes.password;
  return `${changed.href}${query}`;
}

/** Runs SQL by a connection of its own and gives the rows of the last statement. */
export async function run(url: string, sql: string): Promise<EngineRow[]> {
  const client = new Client({ connectionString: url, types: resultTypes });
  client.on("error", () => {}); // A server that is going down fails the query as well.
  await client.connect();
  try {
    const result: unknown = await client.query("set timezone = 'UTC'").then(() => client.query<EngineRow>(sql));
    const last = (Array.isArray(result) ? result.at(-1) : result) as { rows: EngineRow[] };
    return last.rows;
  } finally {
    await client.end();
  }
}

function fieldOf(value: EngineValue | undefined, column: SinkColumn): string {
  if (value === null || value === undefined) return "";
  const text = column.type === "json" ? JSON.stringify(value) : typeof value === "object" ? "" : String(value);
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csvOf(records: readonly string[]): CsvRows {
  const offsets = [0];
  for (const record of records) offsets.push((offsets.at(-1) ?? 0) + Buffer.byteLength(record));
  return {
    bytes: Buffer.from(records.join("")),
    delimiter: ",",
    offsetOf: (row) => offsets[row] ?? Number.NaN,
  };
}

export function makeRows(columns: readonly SinkColumn[], objects: readonly EngineRow[]): Rows {
  const records = objects.map((row) => `${columns.map((column) => fieldOf(row[column.name], column)).join(",")}\n`);
  const unused = (): never => {
    throw new Error("PostgreSQL takes CSV");
  };
  return {
    columns,
    count: objects.length,
    recordOf: (row) => row,
    csv: () => Promise.resolve(csvOf(records)),
    select: unused,
    objects: unused,
    write: unused,
  };
}

export const zero: Position = { row: 0 };

export function makeTarget(more: Partial<Target> = {}): Target {
  const columns: readonly SinkColumn[] = [
    { name: "id", type: "integer" },
    { name: "name", type: "text", nullable: true },
  ];
  return { pipeline: "p", table: "t", columns, key: [], mode: "append", lineage: false, ...more };
}

export function makeReject(record: number, reason: Reason): Reject {
  return {
    record,
    line: record + 1,
    offset: BigInt(record),
    bytes: Buffer.from(`row ${record}`),
    truncated: false,
    reasons: [reason],
  };
}

/** A batch of these rows that goes on where the claim's position is. */
export async function makeBatch(
  sink: Sink,
  target: Target,
  claim: Claim,
  objects: readonly EngineRow[],
  more: Partial<SinkBatch> = {},
): Promise<SinkBatch> {
  const [batch = 0n] = await sink.reserveBatches(1);
  const { position } = claim;
  return {
    claim,
    batch,
    run: "run",
    version: "v",
    source: claim.source,
    start: position,
    end: { row: position.row + objects.length },
    read: objects.length,
    filtered: 0,
    rejects: [],
    format: { format: "csv" },
    rows: makeRows(target.columns, objects),
    startedAt: "2024-02-29T23:59:58Z",
    refuse: makeReject,
    ...more,
  };
}

export interface Loaded extends WriteResult {
  /** Record, code, column and message of all rejects that are kept. */
  readonly kept: readonly (readonly [number, string, string | undefined, string])[];
}

/** Claims the lane and loads the rows in a unit of one batch. */
export async function load(
  sink: Sink,
  target: Target,
  objects: readonly EngineRow[],
  lane = "lane",
  csv?: CsvRows,
): Promise<Loaded> {
  const claim = await sink.claim(target.pipeline, lane, `${lane}.csv`, zero);
  const rows = makeRows(target.columns, objects);
  const given = csv === undefined ? rows : { ...rows, csv: () => Promise.resolve(csv) };
  const batch = await makeBatch(sink, target, claim, objects, { rows: given });
  const result = await commitBatch(await sink.begin(target), batch);
  const rejects = await sink.records.rejects({ pipeline: target.pipeline, limit: 1_000_000 });
  const kept = rejects
    .filter((reject) => reject.batch === batch.batch)
    .map(
      ({ record, reasons: [reason] }) => [record, reason?.code ?? "", reason?.column, reason?.message ?? ""] as const,
    );
  return { ...result, kept };
}

export async function commitBatch(unit: Unit, batch: SinkBatch): Promise<WriteResult> {
  try {
    const result = await unit.write(batch);
    await unit.commit();
    return result;
  } finally {
    await unit.rollback();
  }
}

/** The error that a promise fails with, as people see it and as the runner sorts it. */
export async function failureOf(
  sink: Sink,
  work: Promise<unknown>,
): Promise<{ code: string; kind: string; text: string }> {
  try {
    await work;
  } catch (error) {
    const explained = sink.explain(error) as Error & { code?: string };
    return { code: explained.code ?? explained.name, kind: sink.classify(error), text: explained.message };
  }
  throw new Error("it did not fail");
}
