import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import { lineageColumn } from "../core/lineage.ts";
import type { TransformStep } from "../core/pipeline.ts";
import type { Json } from "../core/json.ts";
import type { Rows, SinkColumn } from "../ports/rows.ts";
import type { Whole } from "../ports/transform.ts";
import type { Connection } from "./connection.ts";
import type { Engine } from "./engine.ts";
import type { Flow } from "./flow.ts";
import { describedColumns, lookAtTexts } from "./staged.ts";
import { applyTransform, transformOf } from "./transform.ts";
import { engineType } from "./typed-sql.ts";

const laneColumn = "_millrace_lane";
const recordColumn = "_millrace_record";

/**
 * All rows that come to a step, in one table of the engine, which spills it when it grows beyond its share of the memory
 * budget. The batches that they come from are made with lineage and the number 0, so that it holds their records.
 */
export class WholeRows {
  readonly #engine: Engine;
  readonly #connection: Connection;
  #table: string;
  #columns: readonly SinkColumn[];
  #count = 0;

  private constructor(engine: Engine, connection: Connection, columns: readonly SinkColumn[]) {
    this.#engine = engine;
    this.#connection = connection;
    this.#columns = columns;
    this.#table = engine.tableName("whole");
  }

  static async open(engine: Engine, columns: readonly SinkColumn[]): Promise<WholeRows> {
    const whole = new WholeRows(engine, await engine.connect(), columns);
    const own = [`${lineageColumn} bigint`, `${laneColumn} varchar`, `${recordColumn} bigint`];
    const typed = columns.map((column) => `${quoteIdentifier(column.name)} ${engineType(column)}`);
    await whole.#connection.run(`create table ${whole.#table} (${[...typed, ...own].join(", ")})`);
    return whole;
  }

  get columns(): readonly SinkColumn[] {
    return this.#columns;
  }

  get count(): number {
    return this.#count;
  }

  /** `before` is the number of records of the lane before the batch. */
  async add(rows: Rows, lane: string, before: number): Promise<void> {
    const record = `${lineageColumn} + ${before} as ${recordColumn}`;
    const select = `select * exclude (_row), ${quoteLiteral(lane)} as ${laneColumn}, ${record} from (${await rows.select()})`;
    await this.#connection.run(`insert into ${this.#table} by name ${select}`);
    this.#count += rows.count;
  }

  /** What the step measures of all rows. `now` is the time of the load. */
  measure(step: TransformStep, now: string): Promise<Json> {
    const { whole } = transformOf(step.name, this.#engine);
    if (whole === undefined) throw new TypeError(`${step.name} measures nothing`);
    return whole.measure(step.options, this.#whole(now));
  }

  /** Sends all rows through a step that has been measured. */
  async apply(step: TransformStep): Promise<void> {
    const before: Flow = { table: this.#table, columns: this.#columns, count: this.#count };
    // The lane differs from row to row here, so a step that asks for it is not among those that come here.
    const place = { lane: "", record: recordColumn };
    const { flow } = await applyTransform(step, before, this.#engine, this.#connection, place);
    await this.#connection.run(`drop table ${before.table}`);
    this.#table = flow.table;
    this.#columns = flow.columns;
    this.#count = flow.count;
  }

  async close(): Promise<void> {
    await this.#connection.run(`drop table if exists ${this.#table}`);
    this.#connection.close();
  }

  #whole(now: string): Whole {
    const relation = this.#table;
    const [engine, connection, columns] = [this.#engine, this.#connection, this.#columns];
    return {
      ...{ connection, relation, columns, laneColumn, recordColumn, now },
      rows: this.#count,
      tableName: () => engine.tableName("run"),
      read: async (names, narrow) => {
        const texts = narrow ? columns.filter(({ name, type }) => type === "text" && names.includes(name)) : [];
        const textNames = texts.map(({ name }) => name);
        const looked = textNames.length === 0 ? [] : await lookAtTexts(connection, relation, textNames);
        const list = names.filter((name) => !textNames.includes(name)).map(quoteIdentifier);
        const others =
          list.length === 0 ? [] : await describedColumns(connection, `(select ${list.join(", ")} from ${relation})`);
        return [...looked, ...others];
      },
    };
  }
}
