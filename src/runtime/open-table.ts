import { type Contract, keyColumns } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import type { Counts } from "../core/ledger.ts";
import { limit } from "../core/limit.ts";
import { noSuchRow, type RowKey, type RowSelection } from "../core/row-selection.ts";
import type { Engine } from "../engine/engine.ts";
import type { EngineRow } from "../ports/engine.ts";
import type { Sink, Unit } from "../ports/sink.ts";
import type { Intake, Receipt } from "./intake.ts";
import { type ParquetFile, parquetFile } from "./row-parquet.ts";
import { givenRow, type GivenRow, keyOfRow, plainRow, rowsCsv, RowsRefused, rowTag } from "./row-text.ts";

export interface OpenTableParts {
  /** Dates and times as ISO 8601, whatever the files of the table have. */
  readonly contract: Contract;
  readonly sink: Sink;
  readonly engine: Engine;
  intake(mode: "append" | "merge"): Promise<Intake>;
}

/** Who wants what, as the ledger keeps it: `PATCH by ada`. */
export type ChangeSource = string;

/** The tags of which a row has to have one to be changed: any when undefined. */
export type ExpectedTags = readonly string[] | undefined;

/** How often a change is tried again that another one came before. */
const attemptsMax = 5;

/**
 * The rows of one table, looked at and changed one by one. A change is a batch as any other: checked by the contract,
 * committed in one transaction with its entry in the ledger, all of it or nothing.
 */
export class OpenTable {
  readonly contract: Contract;
  readonly key: readonly string[];
  readonly #parts: OpenTableParts;
  readonly #columns: readonly string[];
  readonly #times: readonly string[];

  constructor(parts: OpenTableParts) {
    this.contract = parts.contract;
    this.key = keyColumns(parts.contract);
    this.#parts = parts;
    this.#columns = Object.keys(parts.contract.columns);
    this.#times = this.#columns.filter((name) => parts.contract.columns[name]?.type === "timestamp");
  }

  /** Rows in pieces. Rejects with the sink's errors, explained. */
  async *select(selection: RowSelection): AsyncGenerator<readonly EngineRow[], void> {
    const { sink } = this.#parts;
    if (sink.select === undefined) throw unasked(sink);
    try {
      for await (const piece of sink.select(selection)) {
        yield this.#times.length === 0 ? piece : piece.map((row) => plainRow(this.#times, row));
      }
    } catch (error) {
      throw sink.explain(error);
    }
  }

  /** The rows as a Parquet file, which lies in `folder` without a name until it is read. Rejects as `select`, with DISK, MEMORY. */
  parquet(selection: RowSelection, folder: string): Promise<ParquetFile> {
    const columns = selection.wanted.flatMap((name) => {
      const column = this.contract.columns[name];
      return column === undefined ? [] : [{ ...column, name }];
    });
    return parquetFile(this.#parts.engine, folder, columns, this.select(selection));
  }

  async count(selection: RowSelection): Promise<number> {
    const { sink } = this.#parts;
    if (sink.count === undefined) throw unasked(sink);
    try {
      return await sink.count(selection);
    } catch (error) {
      throw sink.explain(error);
    }
  }

  /** The row of the key, with all columns. Rejects with ROW_UNKNOWN. */
  async one(key: RowKey): Promise<EngineRow> {
    const conditions = Object.entries(key).map(([column, value]) => ({
      ...({ column, comparison: "eq", operands: [value], negated: false } as const),
    }));
    const { table, columns } = this.contract;
    const selection = { table, columns, wanted: this.#columns, conditions, order: [], skip: 0, take: 1 };
    for await (const [row] of this.select(selection)) if (row !== undefined) return row;
    throw noSuchRow(table);
  }

  tagOf(row: EngineRow): string {
    return rowTag(this.#columns, row);
  }

  /** Adds rows. Rejects with ROW_EXISTS when the key of one is there, with RowsRefused. */
  async insert(rows: readonly GivenRow[], source: ChangeSource): Promise<Counts> {
    const keys = this.#keysOf(rows);
    const guard = async (unit: Unit): Promise<void> => {
      if ((await this.#locked(unit, keys)).some((row) => row !== undefined)) throw exists(this.contract.table);
    };
    return this.#hand("append", rows, source, guard);
  }

  /** Adds rows, and changes those whose keys are there. Rejects with RowsRefused. */
  merge(rows: readonly GivenRow[], source: ChangeSource): Promise<Counts> {
    return this.#hand("merge", rows, source, async () => undefined);
  }

  /** Puts the row in the place of the one of its key. Rejects with ROW_UNKNOWN, ROW_CHANGED, RowsRefused. */
  async replace(key: RowKey, row: GivenRow, expected: ExpectedTags, source: ChangeSource): Promise<void> {
    const guard = (unit: Unit): Promise<void> => this.#requireThere(unit, key, expected);
    await this.#hand("merge", [{ ...row, ...givenKey(key) }], source, guard);
  }

  /** Changes these columns of the row. What others change meanwhile stays. Rejects as `replace`. */
  async change(key: RowKey, changes: GivenRow, expected: ExpectedTags, source: ChangeSource): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const row = await this.one(key);
      const tag = this.tagOf(row);
      if (expected !== undefined && !expected.includes(tag)) throw changed(this.contract.table);
      try {
        await this.replace(key, { ...givenRow(this.#columns, row), ...changes }, [tag], source);
        return;
      } catch (error) {
        const isLate = error instanceof MillraceError && error.code === "ROW_CHANGED";
        if (!isLate || expected !== undefined || attempt === attemptsMax) throw error;
      }
    }
  }

  /** Rejects with ROW_UNKNOWN, ROW_CHANGED. */
  async remove(keys: readonly RowKey[], expected: ExpectedTags, source: ChangeSource): Promise<void> {
    const intake = await this.#parts.intake("merge");
    const guard = async (unit: Unit): Promise<void> => {
      if (expected !== undefined) for (const key of keys) await this.#requireThere(unit, key, expected);
    };
    await intake.remove({ source, keys, guard });
  }

  /** Removes all rows that meet the conditions, at most `limit.rowsChanged`, and says how many. */
  async removeWhere(selection: RowSelection, source: ChangeSource): Promise<number | "too many"> {
    for (let attempt = 1; ; attempt += 1) {
      const keys: RowKey[] = [];
      const asked = { ...selection, wanted: this.key, order: [], skip: 0, take: limit.rowsChanged + 1 };
      for await (const piece of this.select(asked)) keys.push(...piece.map((row) => this.#keyOf(row)));
      if (keys.length > limit.rowsChanged) return "too many";
      if (keys.length === 0) return 0;
      try {
        await this.remove(keys, undefined, source);
        return keys.length;
      } catch (error) {
        const isLate = error instanceof MillraceError && error.code === "ROW_UNKNOWN";
        if (!isLate || attempt === attemptsMax) throw error;
      }
    }
  }

  async #hand(
    mode: "append" | "merge",
    rows: readonly GivenRow[],
    source: ChangeSource,
    guard: (unit: Unit) => Promise<void>,
  ): Promise<Counts> {
    const bytes = rowsCsv(this.contract, rows);
    const intake = await this.#parts.intake(mode);
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes;
    };
    const confirm = (receipt: Receipt): void => this.#confirm(receipt);
    return intake.take({ source, sizeBytes: bytes.byteLength, bytes: pieces, guard, confirm });
  }

  /** All rows or none: what is refused is told to the caller, and nothing of it is kept. */
  #confirm({ rejected, rejects }: Receipt): void {
    if (rejected === 0) return;
    const isTaken = rejects.some(({ reasons }) => reasons.some(({ code }) => code === "duplicate"));
    if (isTaken) throw exists(this.contract.table);
    const faults = rejects.map(({ record, reasons }) => ({ row: record, reasons }));
    throw new RowsRefused(this.contract.table, faults);
  }

  async #requireThere(unit: Unit, key: RowKey, expected: ExpectedTags): Promise<void> {
    const [row] = await this.#locked(unit, [key]);
    if (row === undefined) throw noSuchRow(this.contract.table);
    if (expected !== undefined && !expected.includes(this.tagOf(row))) throw changed(this.contract.table);
  }

  async #locked(unit: Unit, keys: readonly RowKey[]): Promise<readonly (EngineRow | undefined)[]> {
    if (unit.lock === undefined) throw unasked(this.#parts.sink);
    const rows = await unit.lock(keys);
    return rows.map((row) => (row === undefined ? undefined : plainRow(this.#times, row)));
  }

  #keysOf(rows: readonly GivenRow[]): RowKey[] {
    if (this.key.length === 0) return [];
    // The contract tells what is wrong with the others.
    return rows.map((row) => keyOfRow(this.contract, this.key, row)).filter((key) => key !== undefined);
  }

  #keyOf(row: EngineRow): RowKey {
    const key = keyOfRow(this.contract, this.key, row);
    if (key !== undefined) return key;
    throw new TypeError(`a row of ${this.contract.table} has no key`);
  }
}

/** A key as values that are sent. */
function givenKey(key: RowKey): GivenRow {
  return Object.fromEntries(
    Object.entries(key).map(([name, value]) => [name, typeof value === "bigint" ? String(value) : value]),
  );
}

function exists(table: string): MillraceError {
  return new MillraceError("ROW_EXISTS", `A row of that key is in "${table}" already`, {
    remedy: "Change the one that is there, or send another key.",
    at: { table },
  });
}

function changed(table: string): MillraceError {
  return new MillraceError("ROW_CHANGED", `The row in "${table}" is not as If-Match says`, {
    remedy: "Read it again, and decide anew.",
    at: { table },
  });
}

function unasked({ shown }: Sink): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown} cannot be asked for single rows`, {
    remedy: "Keep the tables in a database, or in a DuckDB file.",
  });
}
