import type { Place } from "../core/place.ts";
import type { AdapterContext } from "./adapter.ts";

export interface ArchiveEntry {
  readonly name: string;
  readonly sizeBytes: number;
}

/**
 * A place that keeps whole files under names, such as backups: a folder, a bucket. A name is one or more segments parted
 * by `/`, each of letters, digits and `._-` and not `.` or `..`; any other throws a TypeError, as names come from code.
 * Errors are MillraceErrors that name the place: SINK_UNREACHABLE, SINK_DENIED, SINK_FULL, SINK_READ_ONLY, SINK_REFUSED;
 * DISK when the local file cannot be read or written. What passes is tried again before it is thrown.
 */
export interface Archive {
  /** The place without secrets. */
  readonly shown: string;
  /** Keeps the content of the local file `path` under `name`. Durable on return; nobody ever sees a part of it. */
  put(name: string, path: string): Promise<void>;
  /** Writes what is kept under `name` to the new local file `path`. Throws FILE_MISSING when there is nothing. */
  get(name: string, path: string): Promise<void>;
  /** All that is kept under names that start with `prefix`, by name; none where the place itself is not there yet. */
  list(prefix: string): AsyncIterable<ArchiveEntry>;
  /** Removes what is kept under `name`. Durable on return. What is gone already has been removed. */
  remove(name: string): Promise<void>;
  close(): Promise<void>;
}

/** The archive role of an adapter. Connects to nothing and creates nothing yet. Throws URL_INVALID. */
export type ArchiveFactory = (place: Place, context: AdapterContext) => Archive;
