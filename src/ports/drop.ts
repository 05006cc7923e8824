import type { Place } from "../core/place.ts";
import type { AdapterContext } from "./adapter.ts";

/** A file of a drop. */
export interface DropFile {
  /** In the folder itself: no path. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Changes whenever the content may have changed: time of modification and size, an ETag. */
  readonly version: string;
}

/**
 * A folder into which others put files and that Millrace answers in: local, mounted, on a server, in a bucket. Names are
 * those of files directly in it. Nothing outside of it is ever read or written, not through a link either. Errors are
 * MillraceErrors that name the file.
 */
export interface Drop {
  /** The place without secrets. */
  readonly shown: string;
  /** Creates the folder when it is missing. */
  open(): Promise<void>;
  /** Its files by name, `limit.dropFiles` at most; neither folders, nor pipes, nor links that lead out of it. */
  list(): Promise<readonly DropFile[]>;
  /** Undefined when there is nothing of the name. Throws FILE_NOT_A_FILE for what `list` leaves out. */
  look(name: string): Promise<DropFile | undefined>;
  /** The whole content. Throws FILE_MISSING, FILE_NOT_A_FILE, FILE_UNREADABLE, and FILE_FORMAT when it is longer. */
  read(name: string, bytesMax: number): Promise<Uint8Array>;
  /** Puts the content under the name. Durable on return; whoever looks sees all of what was there before, or all of this. */
  replace(name: string, content: Uint8Array): Promise<void>;
  /** Moves the file into the folder `folder` in it, under a name that is free there. What is gone has been moved. */
  archive(name: string, folder: string): Promise<void>;
  /** Removes the file. Durable on return. What is gone has been removed. */
  remove(name: string): Promise<void>;
  /** Where a source reads the file. */
  url(name: string): string;
  /** The same for people: the path, without secrets. */
  path(name: string): string;
  close(): Promise<void>;
}

/** The drop role of an adapter. Connects to nothing yet. Throws URL_INVALID. */
export type DropFactory = (place: Place, context: AdapterContext) => Drop;
