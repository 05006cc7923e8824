import type { Place } from "../core/place.ts";
import type { AdapterContext } from "./adapter.ts";

/** One row of a replica. */
export interface ReplicaEntry {
  readonly key: string;
  /** The other columns, a JSON list. */
  readonly value: string;
}

export interface Replica {
  readonly name: string;
  /** What its content was written under; empty while it has none. */
  readonly id: string;
  readonly rows: number;
  /** Its description: `DB_NAME`, `COLUMNS`, … */
  readonly meta: ReadonlyMap<string, string>;
}

/** What a replica is to hold. */
export interface ReplicaContent {
  /** Tells this content from any other, such as the one before it. */
  readonly id: string;
  readonly meta: ReadonlyMap<string, string>;
  /** In order, in pieces, no key twice. */
  readonly entries: AsyncIterable<readonly ReplicaEntry[]>;
}

/**
 * Copies of tables, each under a name, that many may read while they are replaced: a cache. Names are texts of up to
 * `limit.replicaNameChars` characters that `replicaName` lets through. Errors are MillraceErrors that name the place:
 * SINK_UNREACHABLE, SINK_BUSY, SINK_FULL, SINK_READ_ONLY, SINK_DENIED, SINK_REFUSED. What fails half-way changes nothing.
 */
export interface Replicas {
  /** The place without secrets. */
  readonly shown: string;
  /** Connects, and creates what is missing. Idempotent, safe in several processes at once. */
  open(): Promise<void>;
  /** Names of all that are registered, the latest first. */
  names(): Promise<readonly string[]>;
  /** Undefined when no replica of the name is registered. */
  look(name: string): Promise<Replica | undefined>;
  /** Makes the name the latest, and writes these of its description over those that are there. Rows stay. */
  register(name: string, meta: ReadonlyMap<string, string>): Promise<void>;
  /**
   * Puts the content in the place of what the replica holds, description included, in one step: whoever reads sees all
   * of the one or all of the other. A name that is not registered becomes the latest. Resolves with the number of rows.
   */
  write(name: string, content: ReplicaContent): Promise<number>;
  /**
   * Entries in the order in which they were written, `count` at most; none when there is no such replica. All are of the
   * content that the replica has when the reading begins, also when it is replaced or removed meanwhile; what takes
   * longer than `limit.replicaReadMs` behind that fails with SINK_BUSY.
   */
  entries(name: string, count?: number): AsyncIterable<readonly ReplicaEntry[]>;
  /** Removes the rows; the name stays registered. False when there is no such replica. */
  clear(name: string): Promise<boolean>;
  /**
   * Removes the rows that have these keys and still these very values, and no others: one that was changed, or came, since
   * they were read stays. Those who read meanwhile may miss them. Resolves with how many it were; none when there is no such
   * replica. Where it fails half-way some are removed. `entries` come in pieces, no key twice.
   */
  clearEntries(name: string, entries: AsyncIterable<readonly ReplicaEntry[]>): Promise<number>;
  /** Removes the replica. False when there was none. */
  remove(name: string): Promise<boolean>;
  close(): Promise<void>;
}

/** The replicas role of an adapter. Connects to nothing yet. Throws URL_INVALID. */
export type ReplicasFactory = (place: Place, context: AdapterContext) => Replicas;
