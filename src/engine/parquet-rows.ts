import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import type { Rows, SinkColumn } from "../ports/rows.ts";
import type { Connection } from "./connection.ts";
import { describeColumns } from "./described.ts";
import type { Engine } from "./engine.ts";
import { digestColumns, RowDigest } from "./row-digest.ts";
import { rowTextSql } from "./row-forms.ts";
import { tableRows } from "./table-rows.ts";
import { engineType } from "./typed-sql.ts";

/** What a look at all rows of a file has found. */
export interface Survey {
  readonly rows: number;
  /** See `RowDigest`. */
  readonly digest: string;
  /** Columns that may not be null and are, with the number of rows. */
  readonly nulls: readonly { readonly column: string; readonly rows: number }[];
  /** Keys that stand more than once. */
  readonly repeatedKeys: number;
  /** Rows of consecutive batches of about `batchBytes` each, as text. */
  readonly batches: readonly number[];
}

export interface SurveyPlan {
  readonly key: readonly string[];
  readonly batchBytes: number;
}

/** The rows of a local Parquet file with these very columns. Its errors are the engine's own. */
export class ParquetRows {
  readonly #connection: Connection;
  readonly #file: string;
  readonly #columns: readonly SinkColumn[];

  private constructor(connection: Connection, path: string, columns: readonly SinkColumn[]) {
    this.#connection = connection;
    this.#file = quoteLiteral(withoutPattern(path));
    this.#columns = columns;
  }

  static async open(engine: Engine, path: string, columns: readonly SinkColumn[]): Promise<ParquetRows> {
    return new ParquetRows(await engine.connect(), path, columns);
  }

  close(): void {
    this.#connection.close();
  }

  /** What keeps the file from having the columns, in their order; undefined when nothing does. */
  async misfit(): Promise<string | undefined> {
    const found = await describeColumns(this.#connection, `select * from read_parquet(${this.#file})`);
    const shown = (columns: readonly { readonly name: string; readonly type: string }[]): string =>
      columns.map(({ name, type }) => `"${name}" ${type.toLowerCase()}`).join(", ");
    const wanted = this.#columns.map((column) => ({ name: column.name, type: engineType(column) }));
    return shown(found) === shown(wanted) ? undefined : `its columns are ${shown(found)}, not ${shown(wanted)}`;
  }

  async survey({ key, batchBytes }: SurveyPlan): Promise<Survey> {
    const required = this.#columns.filter((column) => column.nullable !== true);
    const digest = new RowDigest();
    const batches: number[] = [];
    const nulls = required.map(() => 0);
    for await (const pieces of this.#connection.stream(this.#surveySql(required, batchBytes))) {
      for (const sums of pieces) {
        batches.push(Number(sums["rows"]));
        for (const index of nulls.keys()) nulls[index] = (nulls[index] ?? 0) + Number(sums[`nulls_${index}`]);
        digest.add(sums);
      }
    }
    return {
      rows: batches.reduce((sum, rows) => sum + rows, 0),
      digest: digest.toString(),
      nulls: required
        .map(({ name }, index) => ({ column: name, rows: nulls[index] ?? 0 }))
        .filter(({ rows }) => rows > 0),
      repeatedKeys: await this.#repeatedKeys(key),
      batches,
    };
  }

  /** `count` rows from row `start` on. They can be read until the file is removed or this is closed. */
  batch(start: number, count: number, columns = this.#columns): Rows {
    const names = columns.map(({ name }) => quoteIdentifier(name)).join(", ");
    const range = `file_row_number >= ${start} and file_row_number < ${start + count}`;
    const sql = `select ${names} from read_parquet(${this.#file}, file_row_number = true) where ${range}`;
    return tableRows({
      connection: this.#connection,
      sql: async () => sql,
      columns,
      count,
      recordOf: (row) => row,
    });
  }

  /** One pass. The running sum cuts the rows, in the order of the file, into batches; nothing else depends on order. */
  #surveySql(required: readonly SinkColumn[], batchBytes: number): string {
    const nulls = required.map(
      ({ name }, index) => `count(*) filter (where ${quoteIdentifier(name)} is null) as nulls_${index}`,
    );
    const rows = `select *, ${rowTextSql(this.#columns)} as _millrace_text from read_parquet(${this.#file})`;
    const running = "sum(strlen(_millrace_text)) over (rows between unbounded preceding and current row)";
    const cut = `select *, ${running} // ${batchBytes} as _millrace_batch, sha256(_millrace_text) as _millrace_hash from (${rows})`;
    const sums = ["count(*) as rows", digestColumns("_millrace_hash"), ...nulls].join(", ");
    return `select ${sums} from (${cut}) group by _millrace_batch order by _millrace_batch`;
  }

  async #repeatedKeys(key: readonly string[]): Promise<number> {
    if (key.length === 0) return 0;
    const names = key.map(quoteIdentifier).join(", ");
    const [found] = await this.#connection.all(
      `select count(*) as keys from (select 1 from read_parquet(${this.#file}) group by ${names} having count(*) > 1)`,
    );
    return Number(found?.["keys"]);
  }
}

/** A path that means itself where the engine looks for patterns. */
export function withoutPattern(path: string): string {
  return path.replace(/[*?[]/g, (character) => `[${character}]`);
}
