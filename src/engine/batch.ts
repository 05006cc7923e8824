import type { Contract } from "../core/contract.ts";
import { quoteIdentifier } from "../core/identifier.ts";
import { lineageColumn, lineageRecordBits } from "../core/lineage.ts";
import type { Step } from "../core/pipeline.ts";
import type { Reason, Reject } from "../core/reject.ts";
import type { Rows, SinkColumn } from "../ports/rows.ts";
import type { RawBatch } from "../ports/source.ts";
import type { Change } from "../ports/transform.ts";
import { type BadRecord, badRecords, type Check, compileCheck } from "./checked.ts";
import type { Connection } from "./connection.ts";
import { DoubtfulRecords } from "./doubtful.ts";
import type { Engine } from "./engine.ts";
import { explainCheck } from "./failure.ts";
import { passesThrough, passThroughCsv } from "./pass-through.ts";
import { type PlainBatch, PlainBatches } from "./plain-batches.ts";
import { rejectOf, rejectsOf } from "./rejects.ts";
import { rowColumn } from "./own-columns.ts";
import { type SourceSql, sourceSql } from "./source-sql.ts";
import type { Flow, StepFailure } from "./flow.ts";
import { applyStep } from "./steps.ts";
import { tableRows } from "./table-rows.ts";

/** What every batch of a lane goes through. */
export interface BatchPlan {
  readonly contract: Contract;
  readonly steps: readonly Step[];
  /** Whether rows carry `_millrace`. */
  readonly lineage: boolean;
  /** What the sink takes: see `SinkFacts.takes`. */
  readonly takes: "csv" | "relation";
  /** Id of the lane that the batches are of, for steps that look at all rows; none when absent. */
  readonly lane?: string;
}

/** A batch checked and transformed: good rows, and every other record accounted for. */
export interface CheckedBatch {
  readonly rows: Rows;
  /** Malformed records and those that failed the contract or a step, in record order. */
  readonly rejects: readonly Reject[];
  readonly filtered: number;
  /** What the steps changed. */
  readonly changes: readonly Change[];
  /** The reject of a row that the sink refused. */
  refuse(row: number, reason: Reason): Reject;
  /** Frees what the engine holds of the batch. Safe to call twice. */
  release(): Promise<void>;
}

/** Checks the batches of one lane, one at a time or several at once, on a connection of its own. */
export class BatchChecker {
  readonly #engine: Engine;
  readonly #connection: Connection;
  readonly #plan: BatchPlan;
  readonly #check: Check;
  readonly #doubtful: DoubtfulRecords;
  readonly #plainBatches: PlainBatches;

  private constructor(engine: Engine, connection: Connection, plan: BatchPlan) {
    this.#engine = engine;
    this.#connection = connection;
    this.#plan = plan;
    this.#check = compileCheck(plan.contract);
    this.#doubtful = new DoubtfulRecords(this.#check);
    this.#plainBatches = new PlainBatches(this.#check);
  }

  static async open(engine: Engine, plan: BatchPlan): Promise<BatchChecker> {
    return new BatchChecker(engine, await engine.connect(), plan);
  }

  /** `batch` is the number reserved for it, which lineage needs. */
  async check(raw: RawBatch, batch: bigint): Promise<CheckedBatch> {
    const finder = { check: this.#check, doubtful: this.#doubtful, plainBatches: this.#plainBatches };
    const work = new BatchWork(this.#engine, this.#connection, this.#plan, finder, raw, batch);
    try {
      return await work.run();
    } catch (error) {
      await work.release();
      throw explainCheck(error, this.#plan.contract);
    }
  }

  close(): void {
    this.#connection.close();
  }
}

/** What finds bad records. */
interface Finder {
  readonly check: Check;
  readonly doubtful: DoubtfulRecords;
  readonly plainBatches: PlainBatches;
}

/** One batch on its way through the engine. */
class BatchWork {
  readonly #engine: Engine;
  readonly #connection: Connection;
  readonly #plan: BatchPlan;
  readonly #check: Check;
  readonly #doubtful: DoubtfulRecords;
  readonly #plainBatches: PlainBatches;
  readonly #raw: RawBatch;
  readonly #batch: bigint;
  readonly #tables: string[] = [];
  #released: Promise<void> | undefined;
  #source: Promise<SourceSql> | undefined;
  #good: Promise<string> | undefined;

  constructor(
    engine: Engine,
    connection: Connection,
    plan: BatchPlan,
    { check, doubtful, plainBatches }: Finder,
    raw: RawBatch,
    batch: bigint,
  ) {
    this.#engine = engine;
    this.#connection = connection;
    this.#plan = plan;
    this.#check = check;
    this.#doubtful = doubtful;
    this.#plainBatches = plainBatches;
    this.#raw = raw;
    this.#batch = batch;
  }

  async run(): Promise<CheckedBatch> {
    const { steps, contract } = this.#plan;
    const columns = Object.entries(contract.columns).map(([name, column]) => ({ name, ...column }));
    const through = this.#plan.takes === "csv" && steps.length === 0;
    if (through && passesThrough(this.#raw, columns)) return this.#passThrough(columns);
    const read = through ? await this.#plainBatches.read(this.#raw, this.#connection, this.#lineageBatch()) : undefined;
    if (read !== undefined) return this.#fromBytes(columns, read);
    const checked = await this.#materialise();
    const bad = await badRecords(this.#connection, this.#check, checked);
    return steps.length === 0 ? this.#plain(columns, bad) : this.#stepped(columns, bad);
  }

  /** Bad records are found by a look that keeps nothing; the table is made only if the sink asks for more than CSV. */
  async #passThrough(columns: readonly SinkColumn[]): Promise<CheckedBatch> {
    const bad = (await this.#doubtful.bad(this.#raw, this.#connection)) ?? (await this.#allBad());
    const indexes = bad.map(({ index }) => index);
    const rows = this.#goodRows(columns, indexes);
    return this.#checkedBatch(
      { ...rows, csv: async () => passThroughCsv(this.#raw, indexes, this.#lineageBatch()) },
      this.#rejectsOf(bad),
      0,
    );
  }

  /** Whoever asks for more than CSV has the engine read the batch. */
  #fromBytes(columns: readonly SinkColumn[], { bad, csv }: PlainBatch): CheckedBatch {
    const rows = this.#goodRows(
      columns,
      bad.map(({ index }) => index),
    );
    return this.#checkedBatch({ ...rows, csv: async () => csv }, this.#rejectsOf(bad), 0);
  }

  #lineageBatch(): bigint | undefined {
    return this.#plan.lineage ? this.#batch : undefined;
  }

  async #allBad(): Promise<readonly BadRecord[]> {
    return badRecords(this.#connection, this.#check, `(${await this.#checkedSql()})`);
  }

  async #plain(columns: readonly SinkColumn[], bad: readonly BadRecord[]): Promise<CheckedBatch> {
    const rows = this.#goodRows(
      columns,
      bad.map(({ index }) => index),
    );
    return this.#checkedBatch(rows, this.#rejectsOf(bad), 0);
  }

  async #stepped(columns: readonly SinkColumn[], bad: readonly BadRecord[]): Promise<CheckedBatch> {
    let flow: Flow = await this.#firstFlow(columns, bad);
    const good = flow.count;
    const failures: StepFailure[] = [];
    const changes: Change[] = [];
    const place = { lane: this.#plan.lane ?? "", record: this.#recordSql(lineageColumn, BigInt(this.#raw.start.row)) };
    for (const step of this.#plan.steps) {
      const result = await applyStep(step, flow, this.#engine, this.#connection, place);
      this.#tables.push(result.flow.table);
      failures.push(...result.failures);
      changes.push(...(result.changes ?? []));
      flow = result.flow;
    }
    const records = await this.#recordsOf(flow);
    const lineage = this.#plan.lineage ? [`${this.#lineageSql(lineageColumn)} as ${lineageColumn}`] : [];
    const names = [...flow.columns.map((column) => quoteIdentifier(column.name)), ...lineage].join(", ");
    const rows = tableRows({
      connection: this.#connection,
      sql: async () => `select ${names} from ${flow.table}`,
      columns: this.#sinkColumns(flow.columns),
      count: flow.count,
      recordOf: (row) => records[row] ?? -1,
    });
    const rejects = [...this.#rejectsOf(bad), ...this.#rejectsOfSteps(failures)];
    return this.#checkedBatch(rows, inOrder(rejects), good - failures.length - flow.count, changes);
  }

  async #firstFlow(columns: readonly SinkColumn[], bad: readonly BadRecord[]): Promise<Flow> {
    const table = this.#engine.tableName("flow");
    const names = columns.map((column) => quoteIdentifier(column.name)).join(", ");
    const sql = `select ${names}, ${rowColumn} as ${lineageColumn} from ${await this.#materialise()} where ${this.#check.goodSql}`;
    await this.#connection.run(`create table ${table} as ${sql}`);
    this.#tables.push(table);
    return { table, columns, count: this.#raw.count - bad.length };
  }

  /** Indexes of the well-formed records that the rows came from; -1 where a step lost the trace. */
  async #recordsOf(flow: Flow): Promise<Int32Array> {
    const records = new Int32Array(flow.count).fill(-1);
    let row = 0;
    for await (const piece of this.#connection.scan(`select ${lineageColumn} as record from ${flow.table}`)) {
      for (const { record } of piece) {
        if (record !== null && record !== undefined) records[row] = Number(record);
        row += 1;
      }
    }
    return records;
  }

  #goodRows(columns: readonly SinkColumn[], bad: readonly number[]): Rows {
    const lineage = this.#plan.lineage ? [`${this.#lineageSql(rowColumn)} as ${lineageColumn}`] : [];
    const names = [...columns.map((column) => quoteIdentifier(column.name)), ...lineage].join(", ");
    return tableRows({
      connection: this.#connection,
      sql: async () => `select ${names} from ${await this.#materialise()} where ${this.#check.goodSql}`,
      columns: this.#sinkColumns(columns),
      count: this.#raw.count - bad.length,
      recordOf: (row) => goodIndex(row, bad),
    });
  }

  #sinkColumns(columns: readonly SinkColumn[]): readonly SinkColumn[] {
    return this.#plan.lineage ? [...columns, { name: lineageColumn, type: "bigint", nullable: true }] : columns;
  }

  /** `_millrace` from an SQL expression of the index among well-formed records. */
  #lineageSql(index: string): string {
    return this.#recordSql(index, this.#batch << BigInt(lineageRecordBits));
  }

  /** The number of a record in the batch, malformed ones and repeats counted, behind `base`. */
  #recordSql(index: string, base: bigint): string {
    const { malformed, repeats = [] } = this.#raw;
    const others = [...malformed.map((reject) => reject.record), ...repeats].sort((a, b) => a - b);
    if (others.length === 0) return `(${base} + ${index})::bigint`;
    // The n-th of the others shifts all well-formed records from index record - n on.
    const shifts = others.map((record, n) => record - n).join(", ");
    return `(${base} + ${index} + len(list_filter([${shifts}], s -> s <= ${index})))::bigint`;
  }

  async #checkedSql(): Promise<string> {
    this.#source ??= sourceSql(this.#raw.records, this.#plan.contract, this.#connection);
    return this.#check.checkedSql((await this.#source).sql);
  }

  /** The table of all checked records, made once. */
  #materialise(): Promise<string> {
    this.#good ??= (async () => {
      const table = this.#engine.tableName("batch");
      await this.#connection.run(`create table ${table} as ${await this.#checkedSql()}`);
      this.#tables.push(table);
      return table;
    })();
    return this.#good;
  }

  #checkedBatch(
    rows: Rows,
    rejects: readonly Reject[],
    filtered: number,
    changes: readonly Change[] = [],
  ): CheckedBatch {
    const known = { ...rows, recordOf: (row: number) => this.#recordNumber(rows.recordOf(row)) };
    return {
      rows: known,
      rejects,
      filtered: filtered + (this.#raw.repeats?.length ?? 0),
      changes,
      refuse: (row, reason) => rejectOf(this.#raw, rows.recordOf(row), [reason]),
      release: () => this.release(),
    };
  }

  #recordNumber(index: number): number {
    return index < 0 ? index : this.#raw.recordOf(index);
  }

  #rejectsOf(bad: readonly BadRecord[]): Reject[] {
    return inOrder([...this.#raw.malformed, ...rejectsOf(this.#raw, bad)]);
  }

  #rejectsOfSteps(failures: readonly StepFailure[]): Reject[] {
    return rejectsOf(
      this.#raw,
      failures.map(({ record, reasons }) => ({ index: record, reasons })),
    );
  }

  release(): Promise<void> {
    this.#released ??= (async () => {
      await this.#good?.catch(() => undefined); // its own caller was told
      for (const table of this.#tables) await this.#connection.run(`drop table if exists ${table}`);
      const source = await this.#source?.catch(() => undefined);
      await source?.dispose();
    })();
    return this.#released;
  }
}

/** The index of the `row`-th record that is not among the ascending `bad` indexes. */
function goodIndex(row: number, bad: readonly number[]): number {
  let low = 0;
  let high = bad.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((bad[middle] ?? 0) - middle <= row) low = middle + 1;
    else high = middle;
  }
  return row + low;
}

function inOrder(rejects: readonly Reject[]): Reject[] {
  return [...rejects].sort((a, b) => a.record - b.record);
}
