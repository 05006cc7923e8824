import type { Claim, Position } from "../core/checkpoint.ts";
import { MillraceError } from "../core/error.ts";
import type { JsonObject } from "../core/json.ts";
import type { Reason, Reject } from "../core/reject.ts";
import type { EngineRow } from "../ports/engine.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { Sink, SinkBatch, Target, Unit, WriteResult } from "../ports/sink.ts";
import type { SinkHarness, SinkPlace, TestApi } from "./harness.ts";
import { canonicalRows } from "./row-value.ts";

/** A behaviour of the suite. Its name is what a skip refers to, so it is never changed lightly. */
export interface SinkBehaviour {
  readonly name: string;
  /** True when the behaviour is about opening: its sink is not opened for it. */
  readonly unopened?: true;
  run(scene: SinkScene): Promise<void>;
}

/** What one behaviour plays on: a fresh place and ways to write to it and to look at it. */
export interface SinkScene {
  readonly sink: Sink;
  readonly place: SinkPlace;
  readonly expect: TestApi["expect"];
  readonly makeRows: SinkHarness["makeRows"];
  /** A further sink on the same place, opened; closed with the scene. */
  other(): Promise<Sink>;
}

export const format: JsonObject = { format: "csv", delimiter: ",", header: false };
export const startedAt = "2024-02-29T23:59:58.123Z";

export const idAndName: readonly SinkColumn[] = [
  { name: "id", type: "integer" },
  { name: "name", type: "text", nullable: true },
];

export function makeTarget(more: Partial<Target> = {}): Target {
  return { pipeline: "p", table: "t", columns: idAndName, key: [], mode: "append", lineage: false, ...more };
}

/** The same columns with `id` as the key. */
export function makeKeyedTarget(more: Partial<Target> = {}): Target {
  const columns = idAndName.map((column) => (column.name === "id" ? { ...column, key: true } : column));
  return makeTarget({ columns, key: ["id"], ...more });
}

export const zero: Position = { row: 0, byte: 0 };

/** A position after `row` records, with a field of its own to see that nothing but JSON is expected of it. */
export function positionAt(row: number): Position {
  return { row, byte: row * 10 };
}

export function claimLane(sink: Sink, lane = "lane", pipeline = "p"): Promise<Claim> {
  return sink.claim(pipeline, lane, `${lane}.csv`, zero);
}

export interface BatchPlan extends Partial<Omit<SinkBatch, "rows" | "refuse" | "claim">> {
  readonly claim: Claim;
  readonly rows?: readonly EngineRow[];
  /** Those of the rows, where they are not the target's: with lineage. */
  readonly columns?: readonly SinkColumn[];
}

/** A batch as the runner would hand it over; `read` balances unless the plan says otherwise. */
export async function makeBatch(scene: SinkScene, target: Target, plan: BatchPlan): Promise<SinkBatch> {
  const { claim, rows: objects = [], columns = target.columns, rejects = [], filtered = 0, ...more } = plan;
  const read = plan.read ?? objects.length + rejects.length + filtered;
  const start = plan.start ?? claim.position;
  const rows = await scene.makeRows(columns, objects);
  const [batch] = plan.batch === undefined ? await scene.sink.reserveBatches(1) : [plan.batch];
  if (batch === undefined) throw new Error("reserveBatches(1) gave no batch");
  return {
    run: "run-1",
    version: "v1",
    source: claim.source,
    start,
    end: positionAt(start.row + read),
    format,
    startedAt,
    refuse: (row, reason) => makeReject(rows.recordOf(row), { reasons: [reason], bytes: Buffer.from(`row ${row}`) }),
    ...more,
    claim,
    batch,
    read,
    filtered,
    rejects,
    rows,
  };
}

export function makeReject(record: number, more: Partial<Reject> = {}): Reject {
  const reasons: readonly Reason[] = [{ code: "type", column: "id", value: "x", message: '"x" is not an integer' }];
  const bytes = Buffer.from(`x,record ${record}\n`);
  return { record, line: record + 1, offset: BigInt(record * 10), bytes, truncated: false, reasons, ...more };
}

/** A unit of one batch, as the runner does it: written and committed, or rolled back and the error thrown. */
export async function load(scene: SinkScene, target: Target, plan: BatchPlan, sink = scene.sink): Promise<WriteResult> {
  const batch = await makeBatch(scene, target, plan);
  return inUnit(sink, target, (unit) => unit.write(batch));
}

/** As the runner does: what may work later is tried again, everything else is thrown with its code. */
export async function loadPatiently(scene: SinkScene, sink: Sink, target: Target, plan: BatchPlan): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const failure = await errorOf(load(scene, target, plan, sink));
    if (failure === undefined) return;
    if (sink.classify(failure) !== "wait" || attempt === 100) throw sink.explain(failure);
  }
}

export async function inUnit<Result>(
  sink: Sink,
  target: Target,
  work: (unit: Unit) => Promise<Result>,
  options: { readonly replace?: boolean } = {},
): Promise<Result> {
  const unit = await sink.begin(target, options);
  try {
    const result = await work(unit);
    await unit.commit();
    return result;
  } finally {
    await unit.rollback();
  }
}

/** Everything of a target that people can see by now, by other sinks' eyes. */
export interface Visible {
  readonly rows: readonly EngineRow[];
  readonly rejects: number;
  readonly batches: number;
  readonly position: Position | undefined;
}

export async function look(scene: SinkScene, target: Target, lane = "lane"): Promise<Visible> {
  const reader = await scene.other();
  const { pipeline } = target;
  const rejects = await reader.records.rejects({ pipeline, limit: 1000 });
  const ledger = await reader.records.ledger({ pipeline, limit: 1000 });
  const checkpoint = await reader.checkpoint(pipeline, lane);
  const rows = await rowsOf(scene, target);
  return { rows, rejects: rejects.length, batches: ledger.length, position: checkpoint?.position };
}

/** The table's rows, comparable: see `canonicalRows`. */
export async function rowsOf(scene: SinkScene, target: Target): Promise<readonly EngineRow[]> {
  return canonicalRows(target.columns, await scene.place.readTable(target.table));
}

/** The code that a promise fails with; the error's text when it has no code, `"no error"` when it does not fail. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await errorOf(work);
  if (error === undefined) return "no error";
  return error instanceof MillraceError ? error.code : String(error);
}

export async function errorOf(work: Promise<unknown>): Promise<Error | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error("a promise was rejected with what is no error", { cause: error });
  }
}
