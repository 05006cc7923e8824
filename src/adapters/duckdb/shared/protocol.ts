import type { Checkpoint, Claim, Position } from "../../../core/checkpoint.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { LedgerEntry } from "../../../core/ledger.ts";
import type { Reject, StoredReject } from "../../../core/reject.ts";
import type { RowKey } from "../../../core/row-selection.ts";
import type { EngineParameter, EngineRow } from "../../../ports/engine.ts";
import type { SinkColumn } from "../../../ports/rows.ts";
import type {
  LedgerFilter,
  PreparedTarget,
  RejectChoice,
  RejectFilter,
  SinkBatch,
  SinkRecords,
  Target,
  WriteResult,
} from "../../../ports/sink.ts";
import type { Refusal } from "../written-batch.ts";

/** Raised with every change of what is said here, so that two processes never misunderstand each other. */
export const protocolVersion = 3;

/** A batch without what is sent beside it: rejects and message ids by `stage`, rows in a file. */
export interface SentBatch extends Omit<SinkBatch, "rows" | "rejects" | "messageIds" | "refuse"> {
  /** What the guest knows the batch by while it is written. */
  readonly write: number;
  readonly columns: readonly SinkColumn[];
  readonly count: number;
  /** Parquet with `_row` and the columns, in the session's folder; absent when there is no row, or the rows lie elsewhere. */
  readonly file: string | undefined;
}

/** Items of a batch that is about to be written; one that has message ids has some for every record. */
export interface StagedItems {
  readonly rejects?: readonly Reject[];
  readonly messageIds?: readonly string[];
}

/** A transaction on the host, and the folder in which its rows are handed over. */
export interface BegunUnit {
  readonly unit: number;
  readonly folder: string;
}

/** What a guest asks and is answered at once. Promises and errors are those of the sink's methods of the same names. */
export interface Calls {
  open(use: "write" | "read"): void;
  prepare(target: Target): PreparedTarget;
  define(pipeline: string, version: string, definition: JsonObject): void;
  claim(pipeline: string, lane: string, source: string, initial: Position): Claim;
  checkpoint(pipeline: string, lane: string): Checkpoint | undefined;
  trim(pipeline: string, source: string, ageMs: number): number;
  reserveBatches(count: number): bigint[];
  begin(target: Target, options: { readonly replace?: boolean }): BegunUnit;
  stage(unit: number, items: StagedItems): void;
  write(unit: number, batch: SentBatch): WriteResult;
  lock(unit: number, keys: readonly RowKey[]): readonly (EngineRow | undefined)[];
  commit(unit: number): void;
  rollback(unit: number): void;
  countRejects(choice: RejectChoice): number;
  definition(pipeline: string, version: string): JsonObject | undefined;
  close(): void;
}

/** What a guest asks and is answered in pieces, by the items of an answer. */
export interface Lists {
  rejects(filter: RejectFilter): StoredReject;
  rejectSummary(pipeline: string | undefined): Awaited<ReturnType<SinkRecords["rejectSummary"]>>[number];
  ledger(filter: LedgerFilter): LedgerEntry;
  checkpoints(pipeline: string, source: string | undefined): Checkpoint;
  lineageOf(table: string, key: Readonly<Record<string, string>>): bigint | undefined;
  rowsByLineage(table: string, from: bigint, to: bigint, limit: number): EngineRow;
  query(sql: string, parameters: readonly EngineParameter[]): EngineRow;
}

/** What the host asks of a guest, in pieces: the rejects of rows that the table refuses, of which only it has the bytes. */
export interface GuestLists {
  refuse(write: number, refusals: readonly Refusal[]): Reject;
}

/** Answers to all of `Calls`. */
export type CallAnswers = {
  readonly [Name in keyof Calls]: (...args: Parameters<Calls[Name]>) => Promise<ReturnType<Calls[Name]>>;
};

/** Answers to all of `Lists` or `GuestLists`. */
export type ListAnswers<Asked> = {
  readonly [Name in keyof Asked]: Asked[Name] extends (...args: infer Args) => infer Item
    ? (...args: Args) => AsyncIterable<readonly Item[]>
    : never;
};
