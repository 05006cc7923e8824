import type { Checkpoint, Claim, Position } from "../core/checkpoint.ts";
import type { JsonObject } from "../core/json.ts";
import type { LedgerEntry } from "../core/ledger.ts";
import type { Mode } from "../core/pipeline.ts";
import type { Reason, Reject, StoredReject } from "../core/reject.ts";
import type { FailureKind } from "../core/retry.ts";
import type { RowKey, RowSelection } from "../core/row-selection.ts";
import type { EngineParameter, EngineRow } from "./engine.ts";
import type { Rows, SinkColumn } from "./rows.ts";

/**
 * Facts about a sink, from which everything outside the adapter plans: never from a vendor's name.
 */
export interface SinkFacts {
  /** What rows, rejects, ledger and position have in common, as `millrace check` prints it. */
  readonly guarantee: "exactly once" | "exactly once by key" | "exactly once at the final sink" | "at least once";
  /** One sentence: how rows and position move together. */
  readonly how: string;
  readonly modes: readonly Mode[];
  /** What `Unit.write` asks of a batch's rows: `csv()`, or the relation by `select`, `objects` and `write`. */
  readonly takes: "csv" | "relation";
  /** Units of one process that may be open at the same time. */
  readonly unitsMax: number;
  /** Whether one unit may hold many batches (`atomic`, `replace`). */
  readonly wholeFileUnits: boolean;
  /** Whether tables can fill a column by themselves: see `Target.serial`. */
  readonly serials: boolean;
  /** Whether it can keep what is known of rows that lie in another place: see `Target.elsewhere`. Not when absent. */
  readonly elsewhere?: boolean;
}

/** The table that a pipeline writes to. */
export interface Target {
  readonly pipeline: string;
  readonly table: string;
  readonly columns: readonly SinkColumn[];
  /** Names of the key columns; may be empty. */
  readonly key: readonly string[];
  readonly mode: Mode;
  /** See `Contract.serial`: the table's primary key when it is created; no row carries it. */
  readonly serial?: string;
  /** Whether the table should carry `_millrace`; true only takes effect on tables that Millrace creates. */
  readonly lineage: boolean;
  /**
   * The rows lie in another place, such as a log, and are durable there when a unit that counts them commits. There is no
   * table: `prepare` looks for none and makes none, and `write` takes `rows.count` for loaded and reads no row; everything
   * else is as always. `table` names that place in the ledger.
   */
  readonly elsewhere?: boolean;
}

export interface PreparedTarget {
  /** The table did not exist and was created, and all lanes of this pipeline were forgotten: see `Sink.claim`. */
  readonly created: boolean;
  /** Whether rows must carry the `_millrace` column: lineage was asked for and the table has it. */
  readonly lineage: boolean;
  /** The DDL that created the table, or would create it. */
  readonly ddl: string;
}

/** One batch on its way into the sink. */
export interface SinkBatch {
  readonly claim: Claim;
  /** Reserved by `reserveBatches`. */
  readonly batch: bigint;
  readonly run: string;
  readonly version: string;
  readonly source: string;
  readonly start: Position;
  /** The lane's position once this batch is committed. */
  readonly end: Position;
  /** Records read, malformed ones and repeats included. */
  readonly read: number;
  readonly filtered: number;
  readonly rejects: readonly Reject[];
  /** How to read the bytes of a reject again. */
  readonly format: JsonObject;
  readonly rows: Rows;
  /** ISO 8601, UTC: when the batch was begun to be read. */
  readonly startedAt: string;
  /** Makes the reject of a row that the sink itself refuses: the sink gives the reason, the runner bytes and line. */
  refuse(row: number, reason: Reason): Reject;
  /**
   * Message ids (queues, stages, idempotency keys) by which repeats are known, each of one record; written to
   * `millrace_seen`. No id stands here twice: the runner keeps the first record of an id and drops its repeats.
   */
  readonly messageIds?: readonly string[];
  /**
   * Open rejects that this batch replays: record `n` of the batch is the attempt on `replays[n]`. Each becomes `replayed`,
   * or stays open with the reasons of this attempt when record `n` is rejected again; then no new reject is kept for it.
   * Either way its `attempts`, 1 when it was first kept, goes up by one. Throws FENCED when one of them is not open.
   */
  readonly replays?: readonly bigint[];
  /**
   * Only of units that can `lock`: rows that are removed, by their keys, which are all different. Each is one record read,
   * and counts as merged: it changed a row that was there. Throws ROW_UNKNOWN when one is not there. Such a batch has no rows.
   */
  readonly removes?: readonly RowKey[];
}

/** What a written batch did. read = loaded + merged + filtered + rejected holds for it, or `write` throws NOT_BALANCED. */
export interface WriteResult {
  readonly loaded: number;
  readonly merged: number;
  readonly rejected: number;
  /** The first rejects that the sink added itself, at most `limit.rejectsShown`. */
  readonly refused: readonly Reject[];
}

/**
 * One transaction. Nothing written is visible or durable before `commit` resolves; all of it is when it does.
 * A unit that has thrown can only be rolled back. `rollback` never throws and may be called at any time, also after
 * `commit`, when it does nothing.
 */
export interface Unit {
  /**
   * Invariant 2: the fence comes first. Updates the lane's position where the epoch is the claim's; when no row
   * matches throws FENCED before anything else is written. Then rows, rejects and the ledger entry.
   * Rows that the sink refuses become rejects; the others are written.
   * Message ids already in `millrace_seen` throw `RepeatedMessages`; the runner drops them and writes again in a new unit.
   */
  write(batch: SinkBatch): Promise<WriteResult>;
  /**
   * The rows of these keys as they stand now, with all columns of the target, in the order of the keys; undefined where
   * there is none. Until the unit ends nobody else changes or removes those that are there. Absent where a sink has no keys.
   */
  lock?(keys: readonly RowKey[]): Promise<readonly (EngineRow | undefined)[]>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/**
 * Thrown by `write`. With `where` of `sink` these message ids are committed already: their records are to be dropped.
 * With `batch` they stand in the batch more than once: all records of an id but its first are to be dropped.
 */
export class RepeatedMessages extends Error {
  readonly ids: readonly string[];
  readonly where: "sink" | "batch";
  constructor(ids: readonly string[], where: "sink" | "batch" = "sink") {
    super(`${ids.length} messages ${where === "sink" ? "are committed already" : "stand in a batch more than once"}`);
    this.ids = ids;
    this.where = where;
  }
}

/** The ids that stand more than once, each once; ids of one key, where a sink keeps it in their place, are the same. */
export function repeatsOf(ids: readonly string[], keyOf: (id: string) => string = (id) => id): string[] {
  const keys = new Set<string>();
  const repeats = new Set<string>();
  for (const id of ids) {
    const key = keyOf(id);
    if (keys.has(key)) repeats.add(id);
    keys.add(key);
  }
  return [...repeats];
}

/** Which rejects: those that meet all that is said. */
export interface RejectChoice {
  readonly pipeline?: string;
  readonly state?: "open" | "replayed";
  readonly ids?: readonly bigint[];
  /** Those with a reason of this code. */
  readonly code?: string;
  /** Only ids above this one. */
  readonly after?: bigint;
}

export interface RejectFilter extends RejectChoice {
  /** Ascending by id unless the newest are to come first. */
  readonly order?: "newest";
  readonly limit: number;
}

export interface LedgerFilter {
  readonly pipeline?: string;
  readonly batch?: bigint;
  readonly source?: string;
  readonly run?: string;
  readonly table?: string;
  /** Newest first. */
  readonly limit: number;
}

/** What is kept in the sink besides the rows, for people and for replay. All reads see committed data only. */
export interface SinkRecords {
  rejects(filter: RejectFilter): Promise<StoredReject[]>;
  /** How many records those are, each once however many its reasons. */
  countRejects(choice: RejectChoice): Promise<number>;
  /** Open rejects by pipeline, code and column, most first. */
  rejectSummary(
    pipeline?: string,
  ): Promise<{ pipeline: string; code: string; column: string | undefined; count: number }[]>;
  ledger(filter: LedgerFilter): Promise<LedgerEntry[]>;
  checkpoints(pipeline: string, source?: string): Promise<Checkpoint[]>;
  /** The definition stored under `version`: contract, steps, format. */
  definition(pipeline: string, version: string): Promise<JsonObject | undefined>;
  /** `_millrace` of the rows whose key columns have these values (as text, in key order); undefined for a row without. */
  lineageOf(table: string, key: Readonly<Record<string, string>>): Promise<(bigint | undefined)[]>;
  /** Rows whose `_millrace` lies in [from, to], at most `limit`. */
  rowsByLineage(table: string, from: bigint, to: bigint, limit: number): Promise<EngineRow[]>;
}

/** One thing that `check` or `doctor` looked at. */
export interface Finding {
  /** What was looked at, in a word or two: `connection`, `rights`. */
  readonly check: string;
  readonly state: "ok" | "warn" | "fail";
  readonly detail: string;
  /** What to do about a `warn` or `fail`. */
  readonly remedy?: string;
}

/**
 * Where rows go. The sink keeps the position: rows, rejects, ledger and checkpoint commit together.
 * Every method throws MillraceError (table of codes in core/error) or lets the client's own error through, which
 * `classify` then sorts. Methods may be called from several lanes at once.
 */
export interface Sink {
  /** The place without secrets. */
  readonly shown: string;
  readonly facts: SinkFacts;
  /**
   * Connects, and creates the tables that Millrace keeps, if they are missing. Idempotent, safe in several processes at
   * once. With `read` nothing is created and nothing waited for: only `query` and `records` are called then, and what
   * Millrace keeps counts as empty where it is missing.
   */
  open(use?: "write" | "read"): Promise<void>;
  /** DDL of the target for `preview`; connects to nothing. */
  ddl(target: Target): string;
  /**
   * Creates the target table when it is missing, or checks that the existing one fits. Throws TABLE_MISMATCH naming
   * every column that is missing, surplus and required, or of another type. Never alters a table.
   * A table that is created forgets all lanes and message ids of the pipeline, which were those of an earlier table.
   */
  prepare(target: Target): Promise<PreparedTarget>;
  /** Keeps a pipeline's definition under its version. Durable on return. */
  define(pipeline: string, version: string, definition: JsonObject): Promise<void>;
  /**
   * Takes the lane: raises its epoch, or inserts it with epoch 1 at `initial`. Durable on return. The position returned
   * is the truth: seek to it. Waits for an open unit of the previous owner to end.
   *
   * An epoch is never used twice for a lane. So a lane is not deleted but forgotten (by `prepare` and by `replace`): it
   * loses its position, and its epoch is raised, which fences its owner at once. To everyone who reads checkpoints it is
   * not there. Its next claim raises the epoch again and takes `initial`, with `resumed` false.
   */
  claim(pipeline: string, lane: string, source: string, initial: Position): Promise<Claim>;
  /** The lane's checkpoint as committed, without claiming it; undefined also for a lane that was forgotten. */
  checkpoint(pipeline: string, lane: string): Promise<Checkpoint | undefined>;
  /**
   * Forgets what of the pipeline is as old as that or older: message ids, by when they were noted, and lanes of this source, by
   * when they were claimed or moved last. Some thousands at a time; resolves with how many ids it were, 0 when none is left.
   * For sources whose lanes never come back under their names: of one that is forgotten so the epoch begins anew.
   */
  trim(pipeline: string, source: string, ageMs: number): Promise<number>;
  /** Batch numbers, unique in this sink for ever; gaps are harmless. */
  reserveBatches(count: number): Promise<bigint[]>;
  /**
   * Starts a transaction on the target. With `replace` it removes the table's rows, forgets the pipeline's message ids and
   * its other lanes, those that no batch of the unit is of; readers see the old rows until commit.
   */
  begin(target: Target, options?: { readonly replace?: boolean }): Promise<Unit>;
  readonly records: SinkRecords;
  /**
   * Reads with SQL in the place's own dialect; refuses to write where the place can tell. Parameters are the statement's
   * `$1`, `$2`, …; one statement is one consistent look at the place, however long it is read.
   */
  query(sql: string, parameters?: readonly EngineParameter[]): AsyncIterable<readonly EngineRow[]>;
  /** Rows of a table, in pieces: one consistent look, as `query`. Absent where a sink has no tables that can be asked so. */
  select?(selection: RowSelection): AsyncIterable<readonly EngineRow[]>;
  /** How many rows meet the conditions of the selection. There when `select` is. */
  count?(selection: RowSelection): Promise<number>;
  /**
   * Lets other processes of this user on this machine work with the place through this one, until it closes. For places
   * that one process at a time can hold, called by services, which hold them for long. Absent where it is not needed.
   */
  share?(): Promise<void>;
  classify(error: unknown): FailureKind;
  /** The client's own error as one with a code, without secrets. */
  explain(error: unknown): Error;
  /** For `doctor`: version, rights, encoding and settings of the place. Connects by itself and changes nothing. */
  diagnose?(): Promise<readonly Finding[]>;
  /** Rolls back the units that are open, which can then not be committed any more, and lets the place go. */
  close(): Promise<void>;
}
