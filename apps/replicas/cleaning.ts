import type { FileRelation, RelationColumn } from "../../src/index.ts";

/** What a replica's description says of its columns. */
export interface ColumnFindings {
  /** Columns of one value, and the value. */
  readonly constant: readonly { readonly name: string; readonly value: unknown }[];
  /** By column, the later ones with equal values. */
  readonly duplicated: ReadonlyMap<string, readonly string[]>;
  /** Columns that lack values, the fewest first. */
  readonly missing: readonly { readonly name: string; readonly count: number }[];
}

/** A relation as it goes into the cache. */
export interface CleanedRelation {
  /** In SQL, over the connection of what was cleaned; its `rowid` counts rows in the order of the file. */
  readonly relation: string;
  readonly columns: readonly RelationColumn[];
  readonly findings: ColumnFindings;
  /** What was changed, for people: one line each. */
  readonly changes: readonly string[];
}

/** Cleans a relation: the seam between this application and the transforms. */
export type Clean = (given: FileRelation) => Promise<CleanedRelation>;
