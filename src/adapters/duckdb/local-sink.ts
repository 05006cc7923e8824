import type { Checkpoint, Claim, Position } from "../../core/checkpoint.ts";
import { MillraceError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import { retryPauseMs } from "../../core/retry.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { EngineConnection, EngineParameter, EngineRow } from "../../ports/engine.ts";
import type { PreparedTarget, SinkRecords, Target } from "../../ports/sink.ts";
import type { Attachment } from "./attachment.ts";
import { claimLane, readCheckpoint, trimOld, writeDefinition } from "./checkpoints.ts";
import { explain, type Trouble, troubleOf } from "./errors.ts";
import { hasLedgerEntry } from "./ledger-records.ts";
import { type Location, Names } from "./location.ts";
import { drawNumbers } from "./numbers.ts";
import { useToRead, useToWrite } from "./opening.ts";
import { readQuery } from "./query.ts";
import { duckdbRecords, type Reader } from "./records.ts";
import type { Use } from "./registry.ts";
import { createStateTables, hasStateTables } from "./state-tables.ts";
import { readTableFacts, type TableFacts } from "./table-facts.ts";
import { prepareTable, targetDdl } from "./target-table.ts";
import { DuckdbUnit } from "./unit.ts";
import type { Way } from "./way.ts";

/** A target as the sink knows it from `prepare` or the first unit. */
interface KnownTable {
  readonly facts: TableFacts;
  readonly wary: { duplicates: boolean };
}

/** Of rows that lie elsewhere. */
const noTable: KnownTable = {
  facts: { columns: [], uniques: [], checks: [], foreignKeys: [] },
  wary: { duplicates: false },
};

/**
 * Works with the file on the engine of this process. Every method rejects with a MillraceError or the engine's own error;
 * `open` and the reads with that of a locked file when another process has it: none of them waits for it.
 */
export class LocalSink implements Way {
  readonly isLost = false;
  readonly records: SinkRecords;
  readonly #location: Location;
  readonly #context: AdapterContext;
  readonly #tables = new Map<string, KnownTable>();
  readonly #units = new Set<DuckdbUnit>();
  #use: Promise<Use> | undefined;

  constructor(location: Location, context: AdapterContext) {
    this.#location = location;
    this.#context = context;
    this.records = duckdbRecords(this.#reader);
  }

  async open(use: "write" | "read" = "write"): Promise<void> {
    // To read, the file is attached for each look and let go, so that a writer need not wait for a reader to close.
    if (use === "read") return this.#reader.read(async () => undefined);
    this.#use ??= this.#open();
    try {
      await this.#use;
    } catch (error) {
      this.#use = undefined;
      throw error;
    }
  }

  async #open(): Promise<Use> {
    const use = await useToWrite(this.#location, this.#context);
    try {
      const { attachment } = use;
      const names = new Names(attachment.database, this.#location);
      const ready = await attachment.connected((connection) => hasStateTables(connection, names));
      // A turn is asked for only when something is to be created: a unit may be open for long.
      if (!ready) await this.#inTurn(attachment, (connection) => createStateTables(connection, names));
      return use;
    } catch (error) {
      await use.release();
      throw error;
    }
  }

  async close(): Promise<void> {
    const opened = this.#use;
    if (opened === undefined) return;
    this.#use = undefined;
    for (const unit of [...this.#units]) await unit.rollback();
    this.#tables.clear();
    const use = await opened.catch(() => undefined); // open() has told its caller
    const unfolded = await use?.release();
    if (unfolded !== undefined) {
      const why = explain(unfolded, this.#location.shown).message;
      this.#context.notice(
        `Everything is committed, but the log stays beside the file until it is opened again: ${why}`,
      );
    }
  }

  /** The file as it is attached for writing. */
  async attachment(): Promise<Attachment> {
    return (await this.#opened()).attachment;
  }

  async prepare(target: Target): Promise<PreparedTarget> {
    if (target.elsewhere === true) return { created: false, lineage: false, ddl: "" };
    const { attachment, names } = await this.#opened();
    const ddl = targetDdl(target, this.#location);
    const exists = await attachment.connected((connection) => readTableFacts(connection, names, target.table));
    const prepare = (connection: EngineConnection) => prepareTable(connection, names, target, ddl);
    const prepared = await (exists === undefined ? this.#inTurn(attachment, prepare) : attachment.connected(prepare));
    this.#tables.set(target.table, { facts: prepared.facts, wary: { duplicates: false } });
    return { created: prepared.created, lineage: prepared.lineage, ddl };
  }

  define(pipeline: string, version: string, definition: JsonObject): Promise<void> {
    return this.#change((connection, names) =>
      writeDefinition(connection, names, { pipeline, version, definition }, this.#now()),
    );
  }

  claim(pipeline: string, lane: string, source: string, initial: Position): Promise<Claim> {
    return this.#change((connection, names) =>
      claimLane(connection, names, { pipeline, lane, source, initial }, this.#now()),
    );
  }

  checkpoint(pipeline: string, lane: string): Promise<Checkpoint | undefined> {
    return this.#reader.readState(undefined, (connection, names) => readCheckpoint(connection, names, pipeline, lane));
  }

  trim(pipeline: string, source: string, ageMs: number): Promise<number> {
    const before = new Date(this.#context.now() - ageMs).toISOString();
    return this.#change((connection, names) => trimOld(connection, names, { pipeline, source, before }));
  }

  async reserveBatches(count: number): Promise<bigint[]> {
    if (count === 0) return [];
    const { attachment, names } = await this.#opened();
    const first = await drawNumbers(attachment, names, "millrace_batch", count);
    return Array.from({ length: count }, (_, index) => first + BigInt(index));
  }

  async begin(target: Target, options: { readonly replace?: boolean } = {}): Promise<DuckdbUnit> {
    const { attachment, names } = await this.#opened();
    const endTurn = await attachment.writers.take();
    try {
      await attachment.repair();
      const table = await this.#knownTable(attachment, names, target);
      const unit = await DuckdbUnit.begin({
        ...{ attachment, names, target, facts: table.facts, wary: table.wary },
        replace: options.replace === true,
        now: () => this.#now(),
        isCurrent: async ({ pipeline, lane, epoch }) => (await this.checkpoint(pipeline, lane))?.epoch === epoch,
        isCommitted: (batch) => this.#isCommitted(attachment, names, batch),
        done: (ended) => {
          this.#units.delete(ended);
          endTurn();
        },
      });
      this.#units.add(unit);
      // Closed while it waited for its turn.
      if (this.#use === undefined) await unit.rollback();
      return unit;
    } catch (error) {
      endTurn();
      throw error;
    }
  }

  async *query(sql: string, parameters: readonly EngineParameter[] = []): AsyncIterable<readonly EngineRow[]> {
    const use = await useToRead(this.#location, this.#context);
    try {
      const names = new Names(use.attachment.database, this.#location);
      const connection = await use.attachment.connect();
      try {
        yield* readQuery(connection, names, sql, parameters);
      } finally {
        connection.close();
      }
    } finally {
      await use.release();
    }
  }

  #now(): string {
    return new Date(this.#context.now()).toISOString();
  }

  async #opened(): Promise<{ readonly attachment: Attachment; readonly names: Names }> {
    if (this.#use === undefined) {
      throw new MillraceError("INTERNAL", `${this.#location.shown} is not open`, { remedy: "Open the sink first." });
    }
    const { attachment } = await this.#use;
    return { attachment, names: new Names(attachment.database, this.#location) };
  }

  readonly #reader: Reader = {
    read: async (work) => {
      const use = await useToRead(this.#location, this.#context);
      try {
        const names = new Names(use.attachment.database, this.#location);
        return await use.attachment.connected((connection) => work(connection, names));
      } finally {
        await use.release();
      }
    },
    readState: (nothing, work) =>
      this.#reader.read(async (connection, names) =>
        this.#use !== undefined || (await hasStateTables(connection, names)) ? work(connection, names) : nothing,
      ),
  };

  async #inTurn<Result>(
    attachment: Attachment,
    work: (connection: EngineConnection) => Promise<Result>,
  ): Promise<Result> {
    return attachment.writers.inTurn(async () => {
      await attachment.repair();
      return attachment.connected(work);
    });
  }

  /**
   * A change of one statement beside the units. One that meets an open unit's change of the same row waits for the unit
   * to end; one that does not goes ahead, so that a lane can be claimed while a unit of others is open.
   */
  async #change<Result>(work: (connection: EngineConnection, names: Names) => Promise<Result>): Promise<Result> {
    const { attachment, names } = await this.#opened();
    for (let attempt = 1; ; attempt += 1) {
      try {
        const change = (connection: EngineConnection): Promise<Result> => work(connection, names);
        return await (attempt === 1 ? attachment.connected(change) : this.#inTurn(attachment, change));
      } catch (error) {
        const trouble = troubleOf(error);
        if (attempt >= (changeAttemptsMax[trouble] ?? 1)) throw error;
      }
      if (attempt > 1) await this.#context.pause(retryPauseMs(attempt, Math.random()) / 10);
    }
  }

  async #knownTable(attachment: Attachment, names: Names, target: Target): Promise<KnownTable> {
    if (target.elsewhere === true) return noTable;
    const known = this.#tables.get(target.table);
    if (known !== undefined) return known;
    const found = await attachment.connected((connection) => readTableFacts(connection, names, target.table));
    if (found === undefined) {
      throw new MillraceError("TABLE_MISMATCH", `There is no table "${target.table}" in ${this.#location.shown}`, {
        remedy: "It was removed meanwhile; start again to create it.",
        at: { table: target.table },
      });
    }
    const table = { facts: found, wary: { duplicates: false } };
    this.#tables.set(target.table, table);
    return table;
  }

  async #isCommitted(attachment: Attachment, names: Names, batch: bigint): Promise<boolean> {
    try {
      await attachment.repair();
      return await attachment.connected((connection) => hasLedgerEntry(connection, names, batch));
    } catch (cause) {
      // To write the batch again might double it. The lane's next claim reads the truth from the file.
      throw new MillraceError(
        "FENCED",
        `Whether the last commit to ${this.#location.shown} is durable cannot be told`,
        {
          remedy: "Look at the disk; the next run goes on from what was committed.",
          cause,
        },
      );
    }
  }
}

/**
 * Changes of one row by others may come between, each a moment long. "row" is a key that another transaction took since
 * this one began: `on conflict` does not see it.
 */
const changeAttemptsMax: Partial<Record<Trouble, number>> = { conflict: 50, broken: 50, row: 10 };
