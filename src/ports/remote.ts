import type { Place } from "../core/place.ts";
import type { AdapterContext } from "./adapter.ts";

/** What stands in a folder of a server, or under a prefix of a bucket. */
export interface RemoteEntry {
  /** In its folder: no path. */
  readonly name: string;
  readonly kind: "file" | "folder" | "other";
  readonly sizeBytes: number;
  /** Changes whenever the content may have changed: time of modification and size, an ETag. */
  readonly version: string;
}

/**
 * Files of a server or a bucket, as its protocol has them: what `Files` and `Drop` of such a place are made of. Paths have
 * `/` between folders. Each call is made once; whoever calls tries again what passes: SINK_UNREACHABLE, SINK_BUSY. What
 * the server refuses is FILE_UNREADABLE of a reading and SINK_DENIED, SINK_FULL or SINK_REFUSED of a change. Errors are
 * MillraceErrors that name the path, and hold no secret.
 */
export interface Remote {
  /** The place without secrets and path, such as `sftp://user@host`: what stands before a path for people. */
  readonly root: string;
  /** The path, or pattern, that the URL names. */
  readonly path: string;
  /** What is in the folder, in no order; nothing where there is none. At most `limit.remoteEntries`. */
  list(folder: string): Promise<readonly RemoteEntry[]>;
  /** Undefined when nothing is there. */
  look(path: string): Promise<RemoteEntry | undefined>;
  /** The bytes from `start` on, as they come. Stops reading when the loop is left. Throws FILE_MISSING. */
  read(path: string, start: number): AsyncIterable<Uint8Array>;
  /** Puts the content under the path; whoever looks sees all of what was there before, or all of this. */
  write(path: string, content: Uint8Array): Promise<void>;
  /** Moves a file to a path at which nothing is. Throws FILE_MISSING. */
  move(path: string, target: string): Promise<void>;
  /** What is gone has been removed. */
  remove(path: string): Promise<void>;
  /** Creates the folder, and those above it, where they are missing. */
  makeFolder(path: string): Promise<void>;
  close(): Promise<void>;
}

/** The remote role of an adapter. Connects to nothing yet. Throws URL_INVALID. */
export type RemoteFactory = (place: Place, context: Pick<AdapterContext, "notice">) => Remote;
