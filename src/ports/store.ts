import type { Json } from "../core/json.ts";
import type { Place } from "../core/place.ts";
import type { AdapterContext } from "./adapter.ts";

export interface StoreEntry {
  readonly key: string;
  readonly value: Json;
  /** Above 0; another one whenever the value was written again, also after it was removed meanwhile. */
  readonly version: number;
}

/**
 * Small keyed data that several processes share: users, caches, leases. Keys are texts of up to `limit.storeKeyChars`
 * characters, values JSON of up to `limit.storeValueBytes` as text; more throws a TypeError. All reads see what was
 * written before they began, by any process. Errors are MillraceErrors that name the place.
 */
export interface Store {
  /** The place without secrets. */
  readonly shown: string;
  /** Connects, and creates what the store needs, if it is missing. Idempotent, safe in several processes at once. */
  open(): Promise<void>;
  get(key: string): Promise<StoreEntry | undefined>;
  /** Entries whose keys start with `prefix`, by key in code point order. */
  entries(prefix: string): AsyncIterable<StoreEntry>;
  /**
   * Writes the value, durable on return. With `expected` only where the entry has that version, 0 for none at all:
   * resolves with false, and nothing is written, where it has another.
   */
  put(key: string, value: Json, options?: { readonly expected?: number }): Promise<boolean>;
  /** Removes the entry, durable on return; false when there was none. */
  remove(key: string): Promise<boolean>;
  close(): Promise<void>;
}

/** The store role of an adapter. Connects to nothing yet. Throws URL_INVALID. */
export type StoreFactory = (place: Place, context: AdapterContext) => Store;
