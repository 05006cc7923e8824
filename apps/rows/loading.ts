import { addCounts, type Contract, type Counts, MillraceError, noCounts, type Warehouse } from "../../src/index.ts";
import { contractOf, gather, type Gathered, type GatheredColumn, type Part } from "./gathering.ts";
import type { LoadedTables } from "./loaded-tables.ts";
import type { RowSource } from "./source.ts";
import { type Kind, widest } from "./typing.ts";

export interface LoadingParts {
  readonly source: RowSource;
  readonly warehouse: Warehouse;
  /** Types that tables were made with, which later values may widen. */
  readonly tables: LoadedTables;
  readonly key: string;
  readonly parallel: number;
  readonly partitions: number;
  readonly folder: string;
}

/** What a turn tells as it goes. */
export interface LoadingWatch {
  /** Rows were read, and so many are to be pushed. */
  begun(replica: string, rows: number): void;
  /** A part of them is committed. */
  pushed(replica: string, rows: number): void;
  done(replica: string, outcome: LoadingOutcome): void;
}

export interface LoadingOutcome extends Counts {
  readonly table: string;
  /** Rows that are not in the cache any more; the others have changed since they were read. */
  readonly cleared: number;
  readonly first: Gathered["first"];
}

/** Brings replicas into tables of their names, and clears what is in. */
export class Loading {
  readonly #parts: LoadingParts;

  constructor(parts: LoadingParts) {
    this.#parts = parts;
  }

  /** Loads every replica that has rows. Resolves with whether there were any. */
  async turn(watch: LoadingWatch): Promise<boolean> {
    let found = false;
    const failures: unknown[] = [];
    for (const replica of await this.#parts.source.names()) {
      try {
        found = (await this.#load(replica, watch)) || found;
      } catch (error) {
        // What is wrong with one keeps no other from its turn.
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return found;
  }

  async #load(replica: string, watch: LoadingWatch): Promise<boolean> {
    const { source, key, partitions, folder } = this.#parts;
    const columns = await source.columns(replica);
    const plan = { replica, columns, key, partitions, folder };
    await using gathered = await gather(plan, source.entries(replica));
    if (gathered.rows === 0) return false;
    watch.begun(replica, gathered.rows);
    const counts = await this.#push(replica, gathered, watch);
    // Whatever is cleared is in the table, or kept as a reject; both were committed together.
    const cleared = await source.clear(replica, () => gathered.entries());
    watch.done(replica, { ...counts, table: replica, cleared, first: gathered.first });
    return true;
  }

  async #push(replica: string, { columns, parts, rows }: Gathered, watch: LoadingWatch): Promise<Counts> {
    const contract = await this.#contract(replica, columns);
    const intake = await this.#parts.warehouse.stand(contract, this.#parts.parallel);
    let sum: Counts = noCounts;
    const push = async ({ csv, rows: count }: Part): Promise<void> => {
      const handover = { source: replica, sizeBytes: csv.sizeBytes, bytes: () => csv.bytes() };
      const { rejects, ...counts } = await intake.take(handover);
      if (rejects.some(({ truncated }) => truncated)) throw cutOff(replica);
      sum = addCounts(sum, counts);
      watch.pushed(replica, count);
    };
    // All are waited for, whatever becomes of one: their spools are let go of behind it.
    const outcomes = await Promise.allSettled(parts.map(push));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    if (sum.read !== rows) throw notAll(replica, rows, sum.read);
    return sum;
  }

  async #contract(replica: string, columns: readonly GatheredColumn[]): Promise<Contract> {
    // Whether there can be such a table is told first.
    contractOf(replica, columns);
    const known = await this.#parts.tables.noted(replica);
    const widened = columns.map((column) => {
      const before = known?.columns[column.name]?.type as Kind | undefined;
      return before === undefined ? column : { ...column, kind: widest(before, column.kind) };
    });
    const contract = contractOf(replica, widened);
    // Noted before the table is made by it: a table without a note would be taken for someone else's.
    await this.#parts.tables.note(contract);
    return contract;
  }
}

function cutOff(replica: string): MillraceError {
  return new MillraceError("ROW_INVALID", `A row of ${replica} is refused, and too long to be kept as a reject`, {
    remedy: "It stays in the cache: mend it there, or widen the table.",
    at: { table: replica },
  });
}

function notAll(replica: string, rows: number, read: number): MillraceError {
  return new MillraceError("NOT_BALANCED", `Of ${rows} rows of ${replica} ${read} reached the table`, {
    remedy: "Nothing was cleared. Please report it.",
    at: { table: replica },
  });
}
