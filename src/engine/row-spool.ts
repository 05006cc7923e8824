import { rm } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../core/error.ts";
import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import { limit } from "../core/limit.ts";
import { shortenValue } from "../core/reject.ts";
import type { EngineRow } from "../ports/engine.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { Connection } from "./connection.ts";
import type { Engine } from "./engine.ts";
import { explainEngine } from "./disk-failure.ts";
import { textColumn } from "./own-columns.ts";
import { withoutPattern } from "./parquet-rows.ts";
import { digestColumns, RowDigest } from "./row-digest.ts";
import { formsOf, plainRowSql, rowTextSql } from "./row-forms.ts";
import { linesSql, type RowTexts } from "./row-lines.ts";
import { type Scratch, scratchFile } from "./scratch.ts";
import { engineType } from "./typed-sql.ts";

export interface SpoolPlan {
  readonly engine: Engine;
  readonly columns: readonly SinkColumn[];
  /** What the texts of the lines are: as a database shows its values, or plain forms (see row-forms). */
  readonly form: "database" | "plain";
  /** An empty local folder, the caller's to remove. */
  readonly folder: string;
}

/** What has been spooled. */
export interface Spooled {
  readonly rows: number;
  /** See `RowDigest`. */
  readonly digest: string;
}

/** A value that is not of its column's type, or a null where none may be. */
export class UnfitValue extends Error {
  readonly column: SinkColumn;
  readonly text: string | null;

  constructor(column: SinkColumn, text: string | null) {
    const shown = text === null ? "null" : JSON.stringify(shortenValue(text, limit.reasonValueChars));
    super(`the column "${column.name}" holds ${shown}, and is ${shownType(column)}`);
    this.column = column;
    this.text = text;
  }
}

/** Rows that one text of JSON hands over to TypeScript. */
const rowsPerText = 1024;
/** Of a Parquet file, about: what is decoded at once when it is read. */
const groupBytes = 16 * 1024 * 1024;
/** DuckDB's vector, and the size that it gives a row group by itself. */
const groupRowsMin = 2048;
const groupRowsMax = 122_880;

/**
 * Turns rows that come in pieces, of any number, into one Parquet file: each piece is typed, checked and written to a
 * file of its own, and these are joined at the end, so that memory stays flat. Nothing of it is durable.
 */
export class RowSpool {
  readonly #plan: SpoolPlan;
  readonly #connection: Connection;
  /** The piece at hand, typed. */
  readonly #table: string;
  readonly #digest = new RowDigest();
  readonly #parts: string[] = [];
  #rows = 0;
  #textBytes = 0;

  private constructor(plan: SpoolPlan, connection: Connection) {
    this.#plan = plan;
    this.#connection = connection;
    this.#table = plan.engine.tableName("spool");
  }

  static async open(plan: SpoolPlan): Promise<RowSpool> {
    return new RowSpool(plan, await plan.engine.connect());
  }

  /** Adds rows, as lines (see row-lines). Rejects with UnfitValue, DISK, MEMORY. */
  async add(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
    const scratch = await scratchFile(bytes);
    try {
      await this.#guarded(() => this.#addFile(scratch, bytes.byteLength));
    } finally {
      await scratch.dispose();
    }
  }

  /** The rows of the last `add` in plain form, in pieces, in order. */
  async *plainRows(): AsyncGenerator<readonly RowTexts[]> {
    const part = `rowid // ${rowsPerText}`;
    const rows = `select rowid, ${plainRowSql(this.#plan.columns)} as texts from ${this.#table}`;
    const sql = `select '[' || string_agg(texts, ',' order by rowid) || ']' as texts from (${rows}) group by ${part} order by ${part}`;
    try {
      for await (const piece of this.#connection.stream(sql)) {
        for (const { texts } of piece) yield JSON.parse(texts as string) as RowTexts[];
      }
    } catch (error) {
      throw explainEngine(error);
    }
  }

  /** Writes all rows, in order, to the new Parquet file `path`, with a digest of them. */
  async finish(path: string): Promise<Spooled> {
    const names = this.#plan.columns.map(({ name }) => quoteIdentifier(name)).join(", ");
    const paths = this.#parts.map((part) => quoteLiteral(withoutPattern(part))).join(", ");
    const rows = this.#parts.length === 0 ? this.#noRows() : `select ${names} from read_parquet([${paths}])`;
    const sql = `copy (${rows}) to ${quoteLiteral(path)} (format parquet, compression zstd, row_group_size ${this.#groupRows()})`;
    const written = await this.#guarded(() => this.#connection.run(sql));
    if (written !== this.#rows) throw lost(this.#rows, written);
    for (const part of this.#parts.splice(0)) await rm(part);
    return { rows: this.#rows, digest: this.#digest.toString() };
  }

  /** Frees what the engine holds. */
  async dispose(): Promise<void> {
    try {
      await this.#connection.run(`drop table if exists ${this.#table}`);
    } finally {
      this.#connection.close();
    }
  }

  async #addFile(scratch: Scratch, sizeBytes: number): Promise<void> {
    const { columns, folder } = this.#plan;
    const lines = linesSql(scratch.path, columns.length, sizeBytes);
    await this.#connection.run(`create or replace table ${this.#table} as ${this.#typedSql(lines)}`);
    const [found] = await this.#connection.all(`select 1 from ${this.#table} where _millrace_unfit limit 1`);
    if (found !== undefined) throw await this.#firstUnfit(lines);
    const sums = await this.#sums();
    const part = join(folder, `part-${this.#parts.length}.parquet`);
    const names = columns.map(({ name }) => quoteIdentifier(name)).join(", ");
    await this.#connection.run(
      `copy (select ${names} from ${this.#table}) to ${quoteLiteral(part)} (format parquet, row_group_size ${groupRowsMax})`,
    );
    this.#parts.push(part);
    this.#rows += Number(sums["rows"]);
    this.#textBytes += Number(sums["bytes"]);
    this.#digest.add(sums);
  }

  /** A pass of its own: of many columns, one pass needs as much memory as there is. */
  async #sums(): Promise<EngineRow> {
    const texts = `select ${rowTextSql(this.#plan.columns)} as text from ${this.#table}`;
    const [sums] = await this.#connection.all(
      `select count(*) as rows, sum(strlen(text)) as bytes, ${digestColumns("hash")} from (select *, sha256(text) as hash from (${texts}))`,
    );
    return sums ?? {};
  }

  /** The typed columns, and whether one of them is unfit. */
  #typedSql(lines: string): string {
    const { columns } = this.#plan;
    const names = columns.map(({ name }) => quoteIdentifier(name));
    const unfit = columns.map((column, index) => unfitSql(column, index)).join(" or ");
    return `select ${names.join(", ")}, ${unfit} as _millrace_unfit from (${this.#valuesSql(lines)})`;
  }

  #valuesSql(lines: string): string {
    const { columns, form } = this.#plan;
    const typed = columns.map((column, index) => {
      const forms = formsOf(column);
      const value = (form === "plain" ? forms.ofPlain : forms.ofDatabase)(textColumn(index));
      return `${value} as ${quoteIdentifier(column.name)}`;
    });
    return `select *, ${typed.join(", ")} from (${lines})`;
  }

  async #firstUnfit(lines: string): Promise<UnfitValue> {
    const { columns } = this.#plan;
    for (const [index, column] of columns.entries()) {
      const text = textColumn(index);
      const sql = `select ${text} as text from (${this.#valuesSql(lines)}) where ${unfitSql(column, index)} limit 1`;
      const [found] = await this.#connection.all(sql);
      if (found !== undefined) return new UnfitValue(column, found["text"] as string | null);
    }
    throw new TypeError("a value that did not fit fits when it is looked at again");
  }

  #noRows(): string {
    const nulls = this.#plan.columns.map((column) => {
      return `cast(null as ${engineType(column)}) as ${quoteIdentifier(column.name)}`;
    });
    return `select ${nulls.join(", ")} where false`;
  }

  #groupRows(): number {
    const rows = Math.floor(groupBytes / Math.max(1, this.#textBytes / Math.max(1, this.#rows)));
    return Math.max(groupRowsMin, Math.min(groupRowsMax, rows));
  }

  async #guarded<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw explainEngine(error);
    }
  }
}

/** A condition: the value is missing where it must not be, or has become null where there was a text. */
function unfitSql(column: SinkColumn, index: number): string {
  const value = quoteIdentifier(column.name);
  return column.nullable === true ? `(${value} is null and ${textColumn(index)} is not null)` : `(${value} is null)`;
}

function shownType(column: SinkColumn): string {
  return column.nullable === true ? column.type : `${column.type}, never null`;
}

function lost(rows: number, written: number): MillraceError {
  return new MillraceError("NOT_BALANCED", `Of ${rows} rows ${written} were written to the Parquet file`, {
    remedy: "This is a fault in Millrace: please report it.",
  });
}
